"""What a commit does beside appending a row to the journal: runs end or wait; what has waited long
is compacted, and its rows are deleted. The steps are here, the statements are the engine's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

import orjson

from app.core.store import Batch, EndedRun
from app.stores.journal import TRIM_ROWS, Journal, Line
from app.stores.sql.driver import Driver
from app.stores.sql.ends import end_run
from app.stores.sql.waiting import pause_run

RUNS_A_COMMIT = 4  # compacted beside what a commit brings: ten or twenty microseconds each
RUNS_A_SECOND = 64  # compacted by the duty that comes each second: of runs that are silent
ROWS_A_SECOND = 256  # trimmed by it
PIECES_A_ROW = 1000  # of run_entries: a reader decodes whole rows


class JournalCommit(ABC):
    """One transaction. The journal hears of it when it is done."""

    def __init__(self, driver: Driver, journal: Journal) -> None:
        self._driver = driver
        self._journal = journal
        self._worker_id = journal.worker_id
        self._compacted: list[str] = []

    @abstractmethod
    def _alive(self) -> AbstractContextManager[None]:
        """Open the transaction. Raises WorkerLost if the worker is."""

    @abstractmethod
    def _add_row(self, lines: str, row_id: int) -> int:
        """Add a row to the journal, of that number where the engine is told; return its number."""

    @abstractmethod
    def _add_entries(self, run_id: str, first: int, last: int, entries: str) -> None:
        """Add a row to `run_entries`, unless the run is not under way or the row is there."""

    @abstractmethod
    def _delete_rows(self, row_id: int) -> None:
        """Delete the worker's rows of the journal up to that one."""

    def _hold(self, batch: Batch) -> None:
        """Keep others from what the batch changes, where that is to be said."""

    def _in_order(self, ends: Sequence[EndedRun]) -> Sequence[EndedRun]:
        """Return ends in the order in which they are to be written."""
        return ends

    def _is_going(self, run_id: str) -> bool:
        """Whether the run is under way, where `_add_entries` does not see to that."""
        return True

    def write(self, batch: Batch, lines: list[Line], now: float, row_id: int = 0) -> None:
        """Write a batch, all of it or nothing."""
        ended: dict[str, list[Line]] = {one.record.id: [] for one in batch.ends}
        ended.update({one.record.id: [] for one in batch.pauses})
        kept: list[Line] = []
        for line in lines:
            ended.get(line[0], kept).append(line)
        due = self._journal.due(now, RUNS_A_COMMIT) if lines else []
        with self._alive():
            self._hold(batch)
            if kept:
                row_id = self._add_row(orjson.dumps(kept).decode(), row_id)
            for run_id in due:
                if run_id not in ended:
                    self._compact(run_id)
            for one in self._in_order(batch.ends):
                self._compact(one[0].id, ended[one[0].id])
                end_run(self._driver, self._worker_id, *one)
            for record, pause, content, _ in batch.pauses:
                last_seq = self._compact(record.id, ended[record.id])
                pause_run(self._driver, self._worker_id, record, pause, content, last_seq)
            trimmed = self._trim(TRIM_ROWS, TRIM_ROWS)
        self._note(trimmed)
        if kept:
            self._journal.note(row_id, kept)

    def tidy(self, now: float, most: int = RUNS_A_SECOND) -> bool:
        """Compact what is due, of at most so many runs, and trim; whether there may be more."""
        due = self._journal.due(now, most)
        if not due and not self._journal.rows_done((), 1, 1):
            return False
        with self._alive():
            for run_id in due:
                self._compact(run_id)
            trimmed = self._trim(1, ROWS_A_SECOND)
        self._note(trimmed)
        return len(due) == most

    def _compact(self, run_id: str, more: Sequence[Line] = ()) -> int:
        """Move what the run has waiting, and more that comes with its end; return the number of the
        last of it, 0 for none."""
        self._compacted.append(run_id)
        waiting = self._journal.waiting(run_id)
        seq = waiting.seq if waiting else more[0][1] if more else 0
        pieces = list(waiting.pieces) if waiting else []
        for line in more:
            pieces += line[2]
        if not pieces or not self._is_going(run_id):
            return 0
        for start in range(0, len(pieces), PIECES_A_ROW):
            row = pieces[start : start + PIECES_A_ROW]
            first, last = seq + start, seq + start + len(row) - 1
            self._add_entries(run_id, first, last, orjson.dumps(row).decode())
        return seq + len(pieces) - 1

    def _trim(self, least: int, most: int) -> int:
        row_id = self._journal.rows_done(self._compacted, least, most)
        if row_id:
            self._delete_rows(row_id)
        return row_id

    def _note(self, trimmed: int) -> None:
        self._journal.note_compacted(self._compacted)
        if trimmed:
            self._journal.note_trimmed(trimmed)
