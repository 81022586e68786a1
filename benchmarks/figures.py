"""Numbers: percentiles, medians with their spread, ratios, growth. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STRAIGHT = 1.3  # a cost per piece that grows by less than this in a decade is noise, not a curve


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs, with the lowest and the highest."""

    median: float
    low: float
    high: float
    runs: int


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of sorted values; `share` is 0 to 1. 0 for none."""
    if not ordered:
        return 0.0
    rank = math.ceil(round(share * len(ordered), 6))
    return ordered[max(rank, 1) - 1]


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the spread of the values that are there; None if none is."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    return Spread(statistics.median(found), min(found), max(found), len(found))


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Spread | None:
    """Return the spread of ratios, each of two figures of one round."""
    pairs = zip(ours, theirs, strict=False)
    return spread(a / b for a, b in pairs if a is not None and b)


def growth(points: Sequence[tuple[float, float]]) -> float | None:
    """Return by what factor the cost per unit grew over the last tenfold of the size.

    `points` are (size, cost per unit), sorted. 1 is a straight line.
    """
    if len(points) < 2:
        return None
    last_size, last = points[-1]
    before = [cost for size, cost in points[:-1] if size * 10 >= last_size]
    return last / before[0] if before and before[0] > 0 else None


def is_straight(factor: float | None) -> bool:
    """Whether a growth is that of a straight line."""
    return factor is not None and factor <= STRAIGHT
