"""The entries of a run log."""

from __future__ import annotations

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One numbered entry of a run's log; `at` is seconds since the epoch."""

    seq: int
    kind: str
    data: Any
    at: float
