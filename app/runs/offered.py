"""What one run has offered to the committer and is not stored yet, and the end that it becomes."""

from __future__ import annotations

from dataclasses import replace

from app.runs.records import RunEnd
from app.runs.run import Outcome, Run
from app.runs.run_log import Entry
from app.runs.usage import Usage


class Offered:
    """What one run has offered and is not stored yet."""

    __slots__ = ("run", "entries", "end", "end_at")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.entries: list[Entry] = []
        self.end: RunEnd | None = None
        self.end_at = 0.0


def end_of(one: Offered, outcome: Outcome) -> RunEnd:
    """Return the end that an outcome from outside makes of what was offered."""
    return replace(
        one.end or RunEnd("failed", "error", Usage(0, 0), 0.0),
        status=outcome.status,
        finish_reason=outcome.finish_reason,
        error=outcome.error.end_data() if outcome.error else None,
        usage=one.run.usage_of(one.run.log.text()),
    )


def end_entry(one: Offered, seq: int) -> Entry:
    """Return the end as an entry."""
    assert one.end is not None
    return Entry(seq, "end", one.end.to_json(), one.end_at)
