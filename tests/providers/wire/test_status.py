"""What a status means, and how long a server asks to be left alone."""

from __future__ import annotations

import pytest

from app.providers.wire.status import error_for_status, read_retry_after

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    "written,seconds",
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60),
        ("Sun, 06 Nov 1994 09:50:37 +0100", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
    ],
)
def test_delay_is_seconds_or_a_date(written: str, seconds: int) -> None:
    assert read_retry_after(written, lambda: NOW) == seconds


UNREADABLE = [None, "", "soon", "-5", "1.5", "1e3", "\u0665x", "9" * 5000, "Sun, 99 Nov 1994"]


@pytest.mark.parametrize("written", UNREADABLE, ids=lambda written: str(written)[:20])
def test_delay_that_cannot_be_read_is_none(written: str | None) -> None:
    assert read_retry_after(written, lambda: NOW) is None


@pytest.mark.parametrize(
    "status,code",
    [
        (401, "upstream_auth"),
        (403, "upstream_auth"),
        (429, "upstream_rate_limited"),
        (400, "upstream_rejected"),
        (404, "upstream_rejected"),
        (422, "upstream_rejected"),
        (302, "upstream_error"),
        (500, "upstream_error"),
        (503, "upstream_error"),
        (600, "upstream_error"),
    ],
)
def test_status_is_one_of_our_errors(status: int, code: str) -> None:
    error = error_for_status(status, "7")

    assert error.code == code
    assert error.retry_after_s == (7 if status in {302, 429} or status >= 500 else None)
