"""What the lines say that the log file has of runs."""

from __future__ import annotations

import logging
from typing import Any

from app.core.entries import KINDS
from app.core.run_errors import RunInternalError, RunStorageFailed
from app.core.runs import RunEnd
from app.core.store import Batch
from app.runs.run import Run

OUR_FAULTS = frozenset({RunInternalError.code, RunStorageFailed.code})


def level_of(end: RunEnd) -> int:
    """Return the level of the line of a finished run."""
    if end.status != "failed" or end.error is None:
        return logging.INFO
    return logging.ERROR if end.error["code"] in OUR_FAULTS else logging.WARNING


def size_of(batch: Batch, took_s: float) -> dict[str, Any]:
    """Return what the log line of a stored batch says."""
    entries = [entry for _, of_a_run in batch.entries for entry in of_a_run]
    return {
        "runs": len(batch.entries),
        "entries": len(entries),
        "bytes": sum(KINDS[entry.kind].size(entry.data) for entry in entries),
        "ms": round(took_s * 1000, 3),
    }


def figures_of(run: Run, end: RunEnd) -> dict[str, Any]:
    """Return what the log line of a finished run says."""
    record, tokens = run.record, end.usage.output_tokens
    error_id = end.error["error_id"] if end.error else None
    # Another end may be shown than its own: the store failed, or another worker wrote it.
    said = run.error.said if run.error and run.error.error_id == error_id else None
    return {
        "run_id": record.id,
        "session_id": record.session_id,
        "provider": record.provider,
        "model": record.model,
        "finish_reason": end.finish_reason,
        "code": end.error["code"] if end.error else None,
        "error_id": error_id,
        "tokens": tokens,
        "duration_s": round(end.duration_s, 3),
        "tokens_per_s": round(tokens / end.duration_s, 1) if end.duration_s else None,
        "ttft_s": None if end.ttft_s is None else round(end.ttft_s, 3),
        **(said.figures() if said else {}),
    }
