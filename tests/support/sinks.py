"""Doubles of the run's sink and of stores that fail, each noting what it was given."""

from __future__ import annotations

from app.core.entries import Entry
from app.core.messages import Message
from app.core.runs import RunEnd, Turn
from app.core.store import Batch
from app.runs.run import Run
from app.stores.memory import MemoryStore


class ListSink:
    """Notes what a run offers."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.ends: list[RunEnd] = []
        self.order: list[str] = []

    def offer(self, run: Run, entries: list[Entry]) -> None:
        """Note entries."""
        self.entries += entries
        self.order.append("entries")

    def offer_end(self, run: Run, end: RunEnd, at: float) -> None:
        """Note an end."""
        self.ends.append(end)
        self.order.append("end")

    def give_up_turn(self) -> None:
        """Note a pause."""
        self.order.append("give up turn")


class FaultyStore(MemoryStore):
    """A store in memory that can be told to be locked, or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = False  # append_now gives False, begin_now None
        self.now_error: Exception | None = None  # append_now raises it
        self.errors: list[Exception] = []  # what the next calls of append raise
        self.broken: Exception | None = None  # what every call of append raises
        self.tries = 0
        self.batches: list[Batch] = []
        # What commits that were given up have stored, until their runs are written again.
        self.unknown: dict[str, list[Entry]] = {}

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return what is stored, and what nobody knows to be."""
        return super().read_entries(run_id, after) + self.unknown.get(run_id, [])

    def begin_now(self, turn: Turn) -> list[Message] | None:
        """Store the turn, unless told otherwise."""
        return None if self.locked else super().begin_now(turn)

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Store the batch, unless told otherwise."""
        if self.now_error is not None:
            raise self.now_error
        if self.locked:
            return False
        self.batches.append(batch)
        return super().append_now(worker_id, batch)

    def append(self, worker_id: str, batch: Batch) -> None:
        """Store the batch, unless told otherwise."""
        self.tries += 1
        error = self.errors.pop(0) if self.errors else self.broken
        if error is not None:
            raise error
        for run_id, _ in batch.entries:
            self.unknown.pop(run_id, None)
        super().append(worker_id, batch)
