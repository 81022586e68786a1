"""What of a worker's journal is not compacted yet, by run: known in memory, so that nothing is read
to write. Pure; the statements are in appends.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.core.entries import Entry
from app.core.store import Batch

Pieces = list[tuple[str, Any, float]]  # kind, data, at: an entry without its number
Line = tuple[str, int, Pieces]  # a run, the number of its first piece, its pieces
COMPACT_PIECES = 256  # a run with that many waiting is compacted: a row of ten kilobytes or so
COMPACT_AFTER_S = 4.0  # so is what waits that long: the journal is to stay short
# Rows are deleted that many at once: fewer would cost more each, more would hold up a commit.
TRIM_ROWS = 32


class Waiting:
    """The consecutive entries of a run that are in the journal only."""

    __slots__ = ("row_id", "seq", "pieces")

    def __init__(self, row_id: int, seq: int, pieces: Pieces) -> None:
        self.row_id = row_id  # the journal's row that the first of them is in
        self.seq = seq
        self.pieces = pieces


class Journal:
    """One worker's; used by one writer at a time. It changes only after a commit."""

    def __init__(self, worker_id: str) -> None:
        self.worker_id = worker_id
        self._waiting: dict[str, Waiting] = {}  # the one that waits longest is first
        self._full: set[str] = set()
        self._first_row = 0  # no row of this worker's is before it
        self._last_row = 0

    def lines(self, batch: Batch) -> list[Line]:
        """Return what a batch brings. Raises ValueError if a run's entries do not follow."""
        waiting, lines = self._waiting, []
        for run_id, entries in batch.entries:
            seq = entries[0].seq
            before = waiting.get(run_id)
            if before is not None and before.seq + len(before.pieces) != seq:
                raise ValueError(f"entry {seq} does not follow what is in the journal")
            lines.append((run_id, seq, pieces_of(entries)))
        return lines

    def is_quiet(self, now: float) -> bool:
        """Whether there is nothing to compact or to trim."""
        for head in self._waiting.values():
            young = abs(now - head.pieces[0][2]) < COMPACT_AFTER_S
            return young and not self._full and head.row_id - self._first_row < TRIM_ROWS
        return self._last_row - self._first_row < TRIM_ROWS - 1

    def due(self, now: float, limit: int) -> list[str]:
        """Return the runs that are to be compacted, at most so many."""
        found = list(self._full)[:limit]
        for run_id, waiting in self._waiting.items():
            # abs: a wall clock that was set back must not keep them for ever
            if len(found) >= limit or abs(now - waiting.pieces[0][2]) < COMPACT_AFTER_S:
                break
            if run_id not in self._full:
                found.append(run_id)
        return found

    def waiting(self, run_id: str) -> Waiting | None:
        """Return what of the run is in the journal only, or None."""
        return self._waiting.get(run_id)

    def rows_done(self, compacted: Iterable[str], least: int, most: int) -> int:
        """Return the last row to delete: up to it all is (and these runs are) compacted.

        0 if there are fewer than `least`; `most` bounds how many they are.
        """
        done = set(compacted)
        first = next((one for run_id, one in self._waiting.items() if run_id not in done), None)
        last = self._last_row if first is None else first.row_id - 1
        if last - self._first_row + 1 < least:
            return 0
        return min(last, self._first_row + most - 1)

    def note_compacted(self, run_ids: Iterable[str]) -> None:
        """Forget what these runs had waiting."""
        for run_id in run_ids:
            self._waiting.pop(run_id, None)
            self._full.discard(run_id)

    def note_trimmed(self, row_id: int) -> None:
        """Note that the rows up to that one are gone."""
        self._first_row = row_id + 1
        if row_id == self._last_row:
            self._first_row = self._last_row = 0  # SQLite may begin with 1 again

    def note(self, row_id: int, lines: Sequence[Line]) -> None:
        """Note a new row."""
        self._last_row = row_id
        if not self._first_row:
            self._first_row = row_id
        waiting = self._waiting
        for run_id, seq, pieces in lines:
            before = waiting.get(run_id)
            if before is None:
                waiting[run_id] = Waiting(row_id, seq, pieces)
            else:
                before.pieces += pieces
                if len(before.pieces) >= COMPACT_PIECES:
                    self._full.add(run_id)


def pieces_of(entries: Sequence[Entry]) -> Pieces:
    """Return consecutive entries without their numbers."""
    return [entry[1:] for entry in entries]
