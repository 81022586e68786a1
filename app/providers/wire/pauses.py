"""How long a server asks to be left alone: in its headers, in its error, in words."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any

MOST_S = 86400.0
_AGAIN_TEXT = re.compile(
    r"(?:try again|retry|available) (?:in|after) (?:(\d{1,6})m)?\s*"
    r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s\b|sec|min)",
    re.I,
)


def pause_in(layers: Iterable[Mapping[str, Any]], message: str) -> float | None:
    """Return the pause that a body asks for: google.rpc.RetryInfo, or in words."""
    for layer in layers:
        delay = layer.get("retryDelay", layer.get("retry_after"))
        if isinstance(delay, str) and re.fullmatch(r"\d{1,9}(\.\d{1,9})?s?", delay):
            return min(float(delay.rstrip("s")), MOST_S)
        if isinstance(delay, (int, float)) and 0 <= delay < math.inf:
            return float(min(delay, MOST_S))
    found = _AGAIN_TEXT.search(message)
    if found is None:
        return None
    number, unit = float(found[2]), found[3].lower()
    pause_s = number / 1000 if unit == "ms" else number * (60 if unit == "min" else 1)
    return min(int(found[1] or 0) * 60 + pause_s, MOST_S)


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Return the pause that the headers ask for, in seconds."""
    ms = headers.get("retry-after-ms", "").strip()  # OpenAI's and Azure's, finer than the standard
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", ms):
        return min(float(ms) / 1000, MOST_S)
    return read_retry_after(headers.get("retry-after"))


def read_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3: seconds or a date; fractions, which
    some send), 0 at least.

    None if there is none that can be read; a day at most: whoever waits sets a limit.
    """
    value = (value or "").strip()
    if re.fullmatch(r"\d+(\.\d{1,9})?", value, re.ASCII):
        return min(float(value[:32]), MOST_S)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" is UTC, too
            date = date.replace(tzinfo=timezone.utc)
        return min(max(0.0, date.timestamp() - now()), MOST_S)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
