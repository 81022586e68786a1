"""What a run has brought to the committer."""

from __future__ import annotations

from dataclasses import replace

from app.core.entries import END, Entry
from app.core.runs import RunEnd, RunPause
from app.core.usage import Usage
from app.runs.run import Outcome, Run


class Offered:
    """What one run has offered and is not stored yet."""

    __slots__ = ("run", "entries", "end", "end_at", "pause")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.entries: list[Entry] = []
        self.end: RunEnd | None = None
        self.end_at = 0.0
        self.pause: RunPause | None = None  # the last of the entries says so


def end_of(one: Offered, outcome: Outcome) -> RunEnd:
    """Return the end that an outcome from outside makes of what was offered."""
    return replace(
        one.end or RunEnd("failed", "error", Usage(0, 0), 0.0),
        status=outcome.status,
        finish_reason=outcome.finish_reason,
        error=outcome.error.end_data() if outcome.error else None,
        usage=one.run.usage_of(one.run.log.content()),
    )


def end_entry(one: Offered, seq: int) -> Entry:
    """Return the end as an entry."""
    assert one.end is not None
    return Entry(seq, END, one.end.to_json(), one.end_at)
