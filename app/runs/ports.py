"""The seams: what runs need of the outside world. Whoever implements one imports this, never the
reverse."""

from __future__ import annotations

import time
from _thread import RLock
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from app.core.runs import ProviderRequest, RunRecord

# For sections that never wait. The one lock of the standard library's that neither eventlet nor
# gevent replaces: in a patched process `threading.Lock` is a green task's, written in Python. Where
# no task is switched under it, the system's own keeps threads apart too, at a quarter of the cost.
Lock = RLock


class Waiter(Protocol):
    """One task's place to sleep."""

    def wait(self) -> None:
        """Sleep until woken; may return early."""

    def wake(self) -> None:
        """Wake the task, now or as soon as it sleeps."""


# What a provider yields: (kind, data). The kinds are those of the log's entries (core/entries.py)
# but `end`, and besides: FINISH with the finish reason, USAGE with a Usage, ALIVE with None. One
# batch is all that one read of its connection brought. ALIVE is alone in its batch: what was read
# meant something (hidden reasoning, a role) and brought nothing to show. It is no entry. After
# STORED, alone in its batch too, the provider is not gone on with before all it has said is stored.
FINISH = "finish"
USAGE = "usage"
ALIVE = "alive"
STORED = "stored"
SIGNS_OF_LIFE = frozenset({ALIVE, USAGE})
P = ParamSpec("P")
R = TypeVar("R")

Piece = tuple[str, Any]
PieceStream = Generator[Sequence[Piece], None, None]


class Provider(Protocol):
    """A model behind some wire. It knows nothing of Flask, chats or logs."""

    name: str
    default_model: str
    # Names of what it honours besides temperature and max_tokens, and types of parts besides text.
    parameters: frozenset[str]

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield batches of pieces, a FINISH among them. Raises RunError; closing it closes
        upstream."""


def own_patience_s(of: object) -> float | None:
    """Return the wait for a first piece that a provider, or a vendor's settings, may have of its
    own, in seconds. None: as long as for all others."""
    # It is asked for each run: a protocol's isinstance would look through its members each time.
    found: float | None = getattr(of, "first_delta_timeout_s", None)
    return found


class Choice(NamedTuple):
    """A provider that can be asked for: its model, or the setting it lacks."""

    name: str
    model: str | None
    missing: str | None
    adapted: Mapping[str, Sequence[str]] = MappingProxyType({})  # by model: what it refused
    models: Sequence[str] = ()  # its own first, then what its server lists
    images: Mapping[str, bool | None] = MappingProxyType({})  # by model: whether it takes any


class Watch(Protocol):
    """A descriptor that is watched."""

    def close(self) -> None:
        """Watch it no longer. Must come before it is closed."""


class Task(Protocol):
    """A background task."""

    def kill(self) -> None:
        """End the task wherever it is, run its `finally` blocks, return when it is gone."""


class Runtime(Protocol):
    """Tasks, time and waiting, for one kind of concurrency (app/runtimes has three)."""

    def spawn(self, function: Callable[..., object], *args: Any) -> Task:
        """Run the function in a task of its own."""

    def sleep(self, seconds: float) -> None:
        """Let others run for that long; 0 for one turn."""

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function that does not block, after what runs now."""

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function that does not block, after that long."""

    def watch(self, fileno: int, ready: Callable[[], None]) -> Watch | None:
        """Call `ready`, which does not block, in the hub whenever there is something to read; None
        where that cannot be done."""

    def new_waiter(self) -> Waiter:
        """Return something a task can sleep on until it is woken."""

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Return a block that is broken off with TimeoutError after that long."""

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that blocks (the store) without holding up the other tasks."""

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call one that blocks for long, without holding up what `run_blocking` calls either."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time for what is written down, monotonic time for what is measured; both in seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class RunLimits(Protocol):
    """What bounds a run; sizes in bytes, times in seconds."""

    @property
    def max_runs(self) -> int: ...

    @property
    def max_runs_per_user(self) -> int: ...

    @property
    def max_reply_bytes(self) -> int: ...

    @property
    def max_piece_bytes(self) -> int: ...

    @property
    def first_delta_timeout_s(self) -> float: ...

    @property
    def delta_timeout_s(self) -> float: ...

    @property
    def run_timeout_s(self) -> float: ...

    @property
    def store_timeout_s(self) -> float: ...

    @property
    def commit_gather_ms(self) -> float:
        """In ms, for a store that gathers."""

    @property
    def orphan_run_s(self) -> float:
        """0: a run that nobody watches goes on."""

    @property
    def heartbeat_s(self) -> float: ...


class WorkerLocks(Protocol):
    """Who is alive."""

    def hold(self, worker_id: str) -> None:
        """Hold the lock of this worker until it is let go, or the process dies."""

    def let_go(self, worker_id: str) -> None:
        """Let the lock go."""

    def is_gone(self, worker_id: str) -> bool:
        """Whether nobody holds that worker's lock. Never waits."""

    def tick(self) -> None:
        """Do what has to be done a few times a second to be known to be alive. Never waits."""


class Calls(Protocol):
    """The store as tasks see it (stores/calls.py): `calls(store.method, *args)`."""

    def __call__(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the method returns. Raises StorageUnavailable, within the store's time."""

    def note(self, works: bool) -> None:
        """Remember whether the store works."""

    def probe(self) -> None:
        """Find out whether a store that failed works again. Raises StorageUnavailable."""

    @property
    def failing(self) -> bool:
        """Whether the store failed last."""


class RunMetrics(Protocol):
    """Who counts runs."""

    def run_ended(self, record: RunRecord) -> None:
        """Count a run once, at its end."""
