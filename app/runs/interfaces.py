"""The seams: what runs need of the outside world. Whoever implements one imports this, never the
reverse."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from app.runs.records import ChatSession, Message, ProviderRequest, RunEnd, RunRecord, Turn
from app.runs.run_log import Entry, Waiter

# What a provider yields: (kind, data). TEXT and REASONING carry str, STATUS a dict for the viewers,
# FINISH the finish reason, USAGE a Usage. One batch is all that one read of its connection brought.
TEXT = "text"
REASONING = "reasoning"
STATUS = "status"
FINISH = "finish"
USAGE = "usage"
Piece = tuple[str, Any]
PieceStream = Generator[Sequence[Piece], None, None]


class Provider(Protocol):
    """A model behind some wire. It knows nothing of Flask, chats or logs."""

    name: str
    default_model: str
    parameters: frozenset[str]  # names of what it honours besides temperature and max_tokens

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield batches of pieces, a FINISH among them. Raises RunError; closing it closes
        upstream."""


class Choice(NamedTuple):
    """A provider that can be asked for: its model, or the setting it lacks."""

    name: str
    model: str | None
    missing: str | None


class Task(Protocol):
    """A background task."""

    def kill(self) -> None:
        """End the task wherever it is, run its `finally` blocks, return when it is gone."""


class Reader(Protocol):
    """Reads one connection for one task, with no deadline of its own."""

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, waiting for it; nothing when the other side has closed. Raises
        OSError."""

    def close(self) -> None:
        """Read no longer; the connection stays open. Must come before it is closed or lent on."""


class Runtime(Protocol):
    """Tasks, time and waiting, for one kind of concurrency (app/runtime.py has three)."""

    def spawn(self, function: Callable[..., object], *args: Any) -> Task:
        """Run the function in a task of its own."""

    def sleep(self, seconds: float) -> None:
        """Let others run for that long; 0 for one turn."""

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function that does not block, after what runs now."""

    def new_waiter(self) -> Waiter:
        """Return something a task can sleep on until it is woken."""

    def reader_of(self, connection: Any) -> Reader | None:
        """Return what reads this socket at less cost than its own recv; None if nothing does."""

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Return a block that is broken off with TimeoutError after that long."""

    def stop_reading(self, body: Any) -> None:
        """Take nothing more from the connection that a request's body comes on."""

    def socket_parts(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the classes that Engine.IO is to make its clients of, given those it has."""

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that blocks (the store) without holding up the other tasks."""


class WorkerLost(Exception):
    """This worker was taken for dead and its runs were ended by another; its appends are
    refused."""


@dataclass(slots=True)
class Batch:
    """What all runs have new: stored in one transaction, or not at all."""

    entries: list[tuple[str, list[Entry]]] = field(default_factory=list)
    ends: list[tuple[RunRecord, RunEnd, str, float]] = field(default_factory=list)


class RunStore(Protocol):
    """What runs need of a store. A foreign id answers exactly like an absent one."""

    def begin_turn(self, turn: Turn) -> list[Message]:
        """Store a turn, return the branch the model is to answer.

        Raises SessionBusy, AlreadyStarted, IdempotencyConflict, InvalidRequest, WorkerLost,
        StorageUnavailable.
        """

    def begin_turn_now(self, turn: Turn) -> list[Message] | None:
        """Do what `begin_turn` does, without waiting for anybody; None, and nothing stored, if that
        cannot be done now."""

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Store the batch without waiting for anybody; False if that cannot be done now."""

    def append(self, worker_id: str, batch: Batch) -> None:
        """Store the batch; may block. Raises WorkerLost, StorageUnavailable."""

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        """Return the record, or None."""

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return the stored entries of a run beyond `after`, in order."""

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        """Return the run that the owner's idempotency key has started since then, or None."""

    def fold(self, ended_before: float, limit: int) -> int:
        """Fold the entries of runs that ended before then into one piece each; return how many."""

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        """Delete sessions not used since then, listed ones too unless None; return how many."""

    def set_patience(self, seconds: float) -> None:
        """Let the calls that follow wait that long for another process's lock."""

    def probe(self) -> None:
        """Write something that changes nothing. Raises StorageUnavailable."""

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time for what is written down, monotonic time for what is measured; both in seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What bounds a run; sizes in bytes, times in seconds."""

    max_runs: int = 2000
    max_runs_per_user: int = 2000
    max_reply_bytes: int = 4_000_000
    first_delta_timeout_s: float = 60
    delta_timeout_s: float = 60
    run_timeout_s: float = 600
    store_timeout_s: float = 5
    orphan_run_s: float = 0  # 0: a run that nobody watches goes on
    heartbeat_s: float = 5
