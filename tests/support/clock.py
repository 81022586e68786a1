"""A clock that a test moves by hand."""

from __future__ import annotations

from app.runs.ports import Clock

START = 1_700_000_000.0  # 2023-11-14T22:13:20Z


class HandClock:
    """Both times stand still until `advance`."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 100.0
        self.clock = Clock(lambda: self.wall, lambda: self.monotonic)

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        self.wall += seconds
        self.monotonic += seconds
