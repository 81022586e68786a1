"""Retry-After in both of its forms, and OpenAI's finer one."""

from __future__ import annotations

import pytest

from app.providers.retry_after import retry_after_s
from tests.support.clock import START


@pytest.mark.parametrize(
    "headers,wait_s",
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e999"}, 86400),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0),
        ({"retry-after": "Tue, 99 Nov 2023 22:13:00 GMT"}, None),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 2),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7),
    ],
)
def test_headers_say_how_long_to_wait(headers: dict[str, str], wait_s: int | None) -> None:
    assert retry_after_s(headers, START) == wait_s
