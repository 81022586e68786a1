"""What a broker must do: let others hear of what was stored. The implementations are in app/broker.

A broker is a doorbell, never the truth. What it loses, repeats or delays is read from the store:
who follows a run asks the store when there is a gap or a silence; who missed a session's news reads
its record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.entries import Entry
from app.core.runs import Receipt

HearNews = Callable[[str, "str | None", "News"], None]  # an owner, a session or None for all, news


@dataclass(frozen=True, slots=True)
class News:
    """What happened in a session: `run_started`, `run_ended`, `branch_changed` or
    `session_deleted`, and its data."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """A command to the worker that owns a run: end it, and answer with the receipt."""

    owner: str
    run_id: str


class Listener(Protocol):
    """Who listens to a session; used by one task."""

    def tell(self, news: News) -> None:
        """Add news, of this listener's own, and wake it."""

    def next(self, heartbeat_s: float) -> News | None:
        """Return the next news, waiting for it; None when a heartbeat is due."""

    def poll(self, heartbeat_s: float) -> News | None:
        """Return the next news if there is any. Its waiter is woken by news, and when a heartbeat
        is due."""


class Waiter(Protocol):
    """A task's place to sleep; that of runs/ports.py."""

    def wait(self) -> None: ...

    def wake(self) -> None: ...


class Follower(Protocol):
    """Who follows a run of another process, from what is stored on; never waits."""

    run_id: str
    worker_id: str  # who owns the run; empty for nobody, as of one that waits

    @property
    def last_seq(self) -> int:
        """The number of the last entry that it has."""

    def take(self, entries: Sequence[Entry], last_seq: int) -> None:
        """Take consecutive entries, or none; some may be known, and some before them missing. The
        run has come to `last_seq` by now."""

    def lose(self) -> None:
        """Hear that the owner does not have the run: it is in the store alone."""


class LiveLog(Protocol):
    """The log of a run that a process has."""

    @property
    def last_seq(self) -> int: ...

    def since(self, after: int) -> list[Entry]:
        """Return some of the entries beyond `after`, in order."""


class LiveRun(Protocol):
    """A run that a process owns, and maybe lately has ended."""

    @property
    def log(self) -> LiveLog: ...

    def watched(self) -> AbstractContextManager[None]:
        """Return a block during which the run has one viewer more."""


class Worker(Protocol):
    """A process that owns runs, by the id that its runs have."""

    @property
    def id(self) -> str: ...

    def find(self, run_id: str) -> LiveRun | None:
        """Return a run of this process, or None."""

    def obey(self, command: Stop) -> Receipt:
        """Carry out a command; may wait. Raises NotFound."""


class Broker(Protocol):
    """Thread-safe; nothing in it waits for anybody but `command`."""

    def publish_entries(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Tell who follows the run elsewhere of entries that are stored."""

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Hand on what is published of a run; return what ends that. Entries may be missing, or
        come twice."""

    def publish_news(self, owner: str, session_id: str | None, news: News) -> None:
        """Tell all who listen to the session; with None, to any of the owner's."""

    def listen(self, owner: str, session_id: str | None, waiter: Waiter | None = None) -> Listener:
        """Return a listener to the session, or to all of the owner's, that wakes `waiter` or one of
        its own; `leave` must be called for it."""

    def leave(self, owner: str, session_id: str | None, listener: Listener) -> None:
        """Take the listener out."""

    def tick(self) -> None:
        """Do what time brings, a few times a second: wake the listeners whose heartbeat is due."""

    def hear(self, take: HearNews) -> None:
        """Tell of the news that come from other processes, whoever listens here."""

    def serve(self, worker: Worker) -> None:
        """Carry out the commands to that worker, and let others follow its runs, from now on."""

    def command(self, worker_id: str, command: Stop) -> Receipt | None:
        """Have the worker carry out a command; None where it cannot be reached, or could not do
        it."""
