"""What a model server's status means to us, and how long it asks to be left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timezone
from email.utils import parsedate_to_datetime

from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
)

MOST_S = 86400


def error_for_status(status: int, retry_after: str | None = None) -> RunError:
    """Return the error of a status that is not 2xx; 429 and 5xx keep their Retry-After in
    seconds."""
    if status in {401, 403}:
        return UpstreamAuth()
    if status == 429:
        return UpstreamRateLimited(retry_after_s=read_retry_after(retry_after))
    if 400 <= status < 500:
        return UpstreamRejected()
    return UpstreamError(retry_after_s=read_retry_after(retry_after))


def read_retry_after(value: str | None, now: Callable[[], float] = time.time) -> int | None:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3: seconds or a date), 0 at least.

    None if there is none that can be read; a day at most: whoever waits sets a limit.
    """
    value = (value or "").strip()
    try:
        if value.isdecimal():
            return min(int(value), MOST_S)
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" is UTC, too
            date = date.replace(tzinfo=timezone.utc)
        return min(max(0, round(date.timestamp() - now())), MOST_S)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
