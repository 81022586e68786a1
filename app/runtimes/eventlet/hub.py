"""eventlet's hub, with the two things that a stream of pieces does thousands of times a second.

A connection that is read for long is watched once, instead of being registered and unregistered
with the kernel for every read; and calls for the end of a turn are a list, not timers. Made from
the library's classes, which the runtime hands in.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

log = logging.getLogger("tandem.hub")


def streaming_hub(epoll_hub: Any) -> Any:
    """Return the class of a hub; `epoll_hub` is eventlet's own."""
    return _calling_soon(_watching(epoll_hub))


def _calling_soon(hub: Any) -> Any:
    class CallingSoon(hub):  # type: ignore[misc]
        def __init__(self, clock: Any = None) -> None:
            super().__init__(clock)
            self.soon: list[Callable[[], None]] = []  # for the end of this turn

        @staticmethod
        def is_available() -> bool:
            """Always true: it is only made of a hub that this process uses already."""
            return True

        def fire_timers(self, when: float) -> None:
            """Call the timers that are due, then what was put off to the end of the turn."""
            super().fire_timers(when)
            if self.soon:
                calls, self.soon = self.soon, []
                for call in calls:
                    try:
                        call()
                    except Exception:
                        log.exception("a call at the end of a turn failed")

        def sleep_until(self) -> float | None:
            """Return when to wake up: at once if calls wait."""
            return 0.0 if self.soon else super().sleep_until()

    return CallingSoon


def _watching(hub: Any) -> Any:
    class Watching(hub):  # type: ignore[misc]
        def __init__(self, clock: Any = None) -> None:
            super().__init__(clock)
            self.watched: dict[int, WatchedConnection | WatchedFile] = {}

        def wait(self, seconds: float | None = None) -> None:
            """Wait for events and deal with them; where the base has no listener it only sleeps."""
            if self.watched and not any(self.listeners.values()):
                self.do_poll(-1 if seconds is None else seconds)
            else:
                super().wait(seconds)

        def do_poll(self, seconds: float) -> list[tuple[int, int]]:
            """Wait for events; those of watched connections are dealt with here."""
            found: list[tuple[int, int]] = super().do_poll(seconds)
            watched, others = self.watched, []
            for event in found:
                connection = watched.get(event[0])
                if connection is None:
                    others.append(event)
                else:
                    connection.ready()
            return others

        def mark_as_reopened(self, fileno: int) -> None:
            """Forget a connection whose number the system has given to another."""
            self.watched.pop(fileno, None)
            super().mark_as_reopened(fileno)

    return Watching


class WatchedConnection:
    """A connection that one task reads, without a deadline: whoever needs one ends the task.

    Implements `Reader`. `read` is the socket's own, which never waits.
    """

    __slots__ = ("_hub", "_current", "_read", "_fileno", "_drains", "_drained", "_sleeper")

    def __init__(
        self,
        hub: Any,
        current: Callable[[], Any],
        fileno: int,
        read: Callable[[int], bytes],
        drains: bool,
    ) -> None:
        self._hub = hub
        self._current = current
        self._fileno = fileno
        self._read = read
        # Whether a read of less than was asked for has emptied the socket: a TLS record may have
        # more behind it.
        self._drains = drains
        self._drained = False
        self._sleeper: Any = None

    def recv(self, max_bytes: int) -> bytes:
        if self._drained:
            self._wait()
        while True:
            try:
                data = self._read(max_bytes)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait()
                continue
            self._drained = self._drains and len(data) < max_bytes
            return data

    def _wait(self) -> None:
        if self._fileno not in self._hub.watched:
            self._hub.poll.register(self._fileno, self._hub.READ_MASK)
            self._hub.watched[self._fileno] = self
        self._sleeper = self._current()
        try:
            self._hub.switch()
        finally:
            self._sleeper = None

    def ready(self) -> None:
        """Let the task read. One that does not wait for it is not told of it again and again."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is None:
            self.close()
            return
        try:
            sleeper.switch()
        except Exception:
            # The task has ended by it; the hub must go on.
            log.exception("a task that was reading failed")

    def close(self) -> None:
        if self._hub.watched.get(self._fileno) is self:
            del self._hub.watched[self._fileno]
            self._hub.poll.unregister(self._fileno)


class WatchedFile:
    """A descriptor of somebody else's, of which a call in the hub tells. Implements `Watch`."""

    __slots__ = ("_hub", "_fileno", "_ready")

    def __init__(self, hub: Any, fileno: int, ready: Callable[[], None]) -> None:
        self._hub = hub
        self._fileno = fileno
        self._ready = ready
        hub.poll.register(fileno, hub.READ_MASK)
        hub.watched[fileno] = self

    def ready(self) -> None:
        """Tell."""
        try:
            self._ready()
        except Exception:
            log.exception("a call in the hub failed")

    def close(self) -> None:
        if self._hub.watched.get(self._fileno) is self:
            del self._hub.watched[self._fileno]
            with suppress(OSError):  # whose it is may have closed it, which takes it out as well
                self._hub.poll.unregister(self._fileno)
