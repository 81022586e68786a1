"""How long an answer asks us to wait: Retry-After (RFC 9110, 10.2.3), in seconds or as a date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MOST_S = 86400.0  # nobody waits longer; the figure only has to be over every cap


def retry_after_s(headers: Mapping[str, str], now: float) -> int | None:
    """Return the seconds to wait, rounded up, or None if the headers do not say.

    `headers` are looked up in lower case; `now` is in seconds since the epoch. `retry-after-ms` is
    OpenAI's own, and finer.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        written = headers.get(name, "").strip()
        wait_s = _number(written, unit_s)
        if wait_s is None and name == "retry-after":
            wait_s = _until(written, now)
        if wait_s is not None:
            return math.ceil(min(max(wait_s, 0.0), MOST_S))
    return None


def _number(written: str, unit_s: float) -> float | None:
    try:
        number = float(written) * unit_s
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _until(written: str, now: float) -> float | None:
    try:
        return parsedate_to_datetime(written).timestamp() - now
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
