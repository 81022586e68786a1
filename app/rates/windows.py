"""What counts how often somebody came: moving windows, by key."""

from __future__ import annotations

from typing import Protocol

# Whether there was room for this one; when the oldest of those counted came; how many they are.
Hit = tuple[bool, float, int]


class CannotCount(Exception):
    """The windows do not answer now; the text says why."""


class Windows(Protocol):
    """Thread-safe. Times are those of the wall clock."""

    def hit(self, key: str, most: int, window_s: int) -> Hit:
        """Count one more of at most `most` within `window_s`, if there is room; what is refused
        does not count. Raises CannotCount."""

    def close(self) -> None:
        """Let go of files and connections."""
