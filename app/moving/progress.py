"""A line that says how far it is, at most a few times a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ON_A_TERMINAL_S, IN_A_FILE_S = 0.25, 10.0


class Screen(Protocol):
    """What is written on: standard error."""

    def write(self, text: str, /) -> object:
        """Write."""

    def flush(self) -> object:
        """Show what was written."""

    def isatty(self) -> bool:
        """Whether a line can be written over."""


class Progress:
    """Of one command. On a terminal its line is written over, elsewhere there is one now and
    then."""

    def __init__(self, screen: Screen, doing: str, clock: Callable[[], float]) -> None:
        self._screen = screen
        self._doing = doing
        self._clock = clock
        self._every_s = ON_A_TERMINAL_S if screen.isatty() else IN_A_FILE_S
        self._next = clock() + self._every_s

    def show(self, sessions: int, size: int) -> None:
        """Say so, unless it was said a moment ago."""
        if self._clock() >= self._next:
            self._say(sessions, size, "\r" if self._screen.isatty() else "\n")

    def finish(self, sessions: int, size: int) -> None:
        """Say so for the last time."""
        self._say(sessions, size, "\n")

    def _say(self, sessions: int, size: int, end: str) -> None:
        self._next = self._clock() + self._every_s
        self._screen.write(f"{self._doing}: {sessions} sessions, {_sized(size)}{end}")
        self._screen.flush()


def _sized(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"
