"""When a process that died is started again."""

from __future__ import annotations

STEADY_S = 10.0  # one that lived for so long did not die of how it was started
FIRST_S = 1.0
LONGEST_S = 30.0


class BackOff:
    """How long to wait: not at all, and longer each time for one that dies again and again."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def after(self, lived_s: float) -> float:
        """Return how long to wait, now that one has died which lived for so long."""
        wait_s = 0.0 if lived_s >= STEADY_S else self._next_s
        self._next_s = min(LONGEST_S, max(FIRST_S, wait_s * 2))
        return wait_s
