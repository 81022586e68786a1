"""What a run has brought to the committer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.entries import END, Entry, content_of
from app.core.messages import extended
from app.core.runs import RunEnd, RunPause
from app.core.store import Batch
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


def behind_what_is_stored(
    batch: Batch, read: Callable[[str, int], list[Entry]]
) -> tuple[Batch, list[str]]:
    """Return the batch of ends that were shown unstored as it is to be stored, and the runs of
    which more is stored than was shown.

    A commit that was given up may have been done, and what it brought have been seen by whoever
    reads the store: it belongs to the log, and the end comes after it.
    """
    owed, otherwise = Batch(), []
    for (run_id, [end]), ended in zip(batch.entries, batch.ends, strict=True):
        more = read(run_id, end.seq - 1)
        if more:
            otherwise.append(run_id)
            if more[-1].kind == END:
                continue  # it was its own, or another worker's
            end = end._replace(seq=more[-1].seq + 1)
        owed.entries.append((run_id, [*more, end]))
        owed.ends.append(ended._replace(content=extended(ended.content, content_of(more))))
    return owed, otherwise
