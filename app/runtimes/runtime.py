"""What a runtime is: one kind of concurrency, and a server for it.

Each of its users needs a part of it, which is a protocol of its own here: runs need Concurrency,
providers Readers, transports Connections, the start of the process all of Runtime.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Task(Protocol):
    """A background task."""

    def kill(self) -> None:
        """End the task wherever it is, run its `finally` blocks, return when it is gone.

        One that takes longer than a second is left to itself. A thread cannot be killed: there
        nothing happens.
        """


class Waiter(Protocol):
    """One task's place to sleep."""

    def wait(self) -> None:
        """Sleep until woken; may return early."""

    def wake(self) -> None:
        """Wake the task, now or as soon as it sleeps. Never waits."""


class Watch(Protocol):
    """A descriptor that is watched."""

    def close(self) -> None:
        """Watch it no longer. Must come before it is closed."""


class Reader(Protocol):
    """Reads one connection for one task, with no deadline of its own."""

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, waiting for it; nothing when the other side has closed. Raises
        OSError."""

    def close(self) -> None:
        """Read no longer; the connection stays open. Must come before it is closed or lent on."""


class Concurrency(Protocol):
    """Tasks, time and waiting."""

    def spawn(self, function: Callable[..., object], *args: Any) -> Task:
        """Run the function in a task of its own; what it raises is logged."""

    def sleep(self, seconds: float) -> None:
        """Let others run for that long; 0 for one turn."""

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function that does not block, after what runs now, in the order of the calls."""

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function that does not block, after that long; a few milliseconds are told
        apart."""

    def watch(self, fileno: int, ready: Callable[[], None]) -> Watch | None:
        """Call `ready`, which does not block, in the hub whenever there is something to read; None
        where that cannot be done. It has to read it, or it is called again and again."""

    def new_waiter(self) -> Waiter:
        """Return something a task can sleep on until it is woken."""

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        """Return a block that is broken off with TimeoutError after that long.

        With threads it is not broken off.
        """

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that blocks (the store) without holding up the other tasks.

        As many at once as the runtime was given threads for it. Returns and raises what the
        function does.
        """

    def run_apart(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that blocks for long in a thread of its own, which holds up neither the
        other tasks nor what `run_blocking` calls. Returns and raises what the function does.

        A task that is killed meanwhile leaves the thread to itself.
        """


class Readers(Protocol):
    """Reading from model servers."""

    def reader_of(self, connection: Any) -> Reader | None:
        """Return what reads this socket at less cost than its own recv; None if nothing does."""


class Connections(Protocol):
    """What is done with clients' connections beside WSGI."""

    def give_up_turn(self) -> None:
        """Let others work: whoever reads what a client sends calls it after each part."""

    def allowance(self, per_s: float, at_once: float) -> Callable[[int], bool]:
        """Return what counts so many more of something that may be done so many times a second, and
        at most so many at once; it says whether they are within that."""

    def stop_reading(self, body: Any) -> None:
        """Take nothing more from the connection that a request's body comes on."""

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the classes that Engine.IO is to make its clients of, given those it has."""


class Siblings(Protocol):
    """The other processes that accept connections on the same port."""

    def serve(
        self,
        take: Callable[[int, bytes], None] | None,
        stop_accepting: Callable[[], None] | None,
    ) -> None:
        """Hear them from now on: `take` is given the descriptor of a client's connection that one
        of them hands over, and what it has read of it; None where that cannot be done."""

    def owner_of(self, path: str) -> str:
        """Return who is to answer a request with this path; empty: this process."""

    def hand(self, owner: str, fileno: int, received: bytes) -> bool:
        """Hand a client's connection over, with what was read of it; whether it was taken."""


class Served(Protocol):
    """The application, and what is done when it starts and stops. Times in seconds."""

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The application."""

    head_timeout_s: float  # for the head of a request, and for a body that nobody reads
    viewer_stall_s: float  # how long a write may find nobody reading
    requests_per_s: int  # of one connection, if it sends them before it has its answers

    @property
    def siblings(self) -> Siblings | None:
        """The other processes; None where this one is alone."""

    def started(self) -> None:
        """Called once connections are accepted."""

    def stopping(self) -> None:
        """Called in a task of its own on SIGTERM or SIGINT; the process ends when it returns."""


class Runtime(Concurrency, Readers, Connections, Protocol):
    """All that a runtime offers."""

    name: str

    def task_count(self) -> int:
        """Return how many spawned tasks are alive."""

    def serve(self, listener: socket.socket, served: Served) -> None:
        """Serve until SIGTERM or SIGINT. Raises RuntimeError where there is no server."""
