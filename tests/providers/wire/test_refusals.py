"""What a refusal means, and how long a server asks to be left alone. Most of it is in the cases."""

from __future__ import annotations

import json
import math

import pytest

from app.core.run_errors import UpstreamContext
from app.providers.wire.pauses import read_retry_after
from app.providers.wire.refusals import read_refusal

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    "written,seconds",
    [
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("9" * 5000, 86400),
        (" 120 ", 120),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60),
        ("Sun, 06 Nov 1994 09:50:37 +0100", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
    ],
)
def test_delay_is_seconds_or_a_date(written: str, seconds: int) -> None:
    assert read_retry_after(written, lambda: NOW) == seconds


UNREADABLE = [None, "", "soon", "-5", "1e3", "\u0665x", "Sun, 99 Nov 1994"]


@pytest.mark.parametrize("written", UNREADABLE, ids=lambda written: str(written)[:20])
def test_delay_that_cannot_be_read_is_none(written: str | None) -> None:
    assert read_retry_after(written, lambda: NOW) is None


@pytest.mark.parametrize(
    "headers,body,wait_s",
    [
        ({"retry-after": "7"}, b"", 7.0),
        ({"retry-after": "1.5"}, b"", 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, b"", 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, b"", 7.0),
        ({}, b'{"error":{"message":"Please try again in 1.2s."}}', 1.2),
        ({}, b'{"error":{"message":"Please try again in 350ms."}}', 0.35),
        ({}, b'{"error":{"message":"Please try again in 1m2.5s."}}', 62.5),
        ({}, b'{"error":{"details":[{"retryDelay":"3.5s"}]}}', 3.5),
        ({}, b'{"error":{"message":"Try again."}}', None),
    ],
)
def test_pause_is_the_headers_or_the_bodys(
    headers: dict[str, str], body: bytes, wait_s: float | None
) -> None:
    error = read_refusal(429, headers, body).error()

    assert error.wait_s == (wait_s or 0)
    assert error.retry_after_s == (None if wait_s is None else math.ceil(wait_s))


@pytest.mark.parametrize(
    "message,sent,limit",
    [
        ("maximum context length is 8192 tokens. However, you requested 9000 tokens", 9000, 8192),
        ("prompt is too long: 210000 tokens > 200000 maximum", 210000, 200000),
        ("input token count (1,200,000) exceeds the maximum number of tokens allowed (1,048,576)",
         1200000, 1048576),
        ("request (5000 tokens) exceeds the available context size (4096 tokens)", 5000, 4096),
        ("context length exceeded", None, None),
        ("maximum context length is 8192 tokens", None, None),
    ],
)  # fmt: skip
def test_too_long_says_by_how_much(message: str, sent: int | None, limit: int | None) -> None:
    error = read_refusal(400, {}, json.dumps({"error": {"message": message}}).encode()).error()

    assert type(error) is UpstreamContext
    assert (f"{sent} tokens, of which it takes {limit}" in error.message) is (sent is not None)


def test_own_numbers_of_llama_cpp_count() -> None:
    said = {"type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}
    error = read_refusal(400, {}, json.dumps({"error": said}).encode()).error()

    assert "9000 tokens, of which it takes 4096" in error.message


@pytest.mark.parametrize("body", [b"", b"null", b"[[[[", b"\xff", b'"x"', b"[" * 50_000, b"{}"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 599])
def test_any_body_is_some_error(status: int, body: bytes) -> None:
    assert read_refusal(status, {}, body).error().code.startswith("upstream_")


@pytest.mark.parametrize("message", ["Loading model", "model is still loading", "warming up"])
def test_server_that_is_loading_says_so(message: str) -> None:
    body = json.dumps({"error": {"message": message}}).encode()

    assert read_refusal(503, {}, body).error().loading
    assert not read_refusal(500, {}, body).error().loading
    assert not read_refusal(503, {}, b"busy").error().loading
