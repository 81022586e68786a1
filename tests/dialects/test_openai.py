"""OpenAI's dialect: its chunks byte by byte, and what its SDKs make their exceptions of."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import (
    BadJson,
    ChatError,
    ForbiddenOrigin,
    InternalError,
    InvalidRequest,
    NotFound,
    OverCapacity,
    RateLimited,
    SessionBusy,
    TooLarge,
    Unauthorized,
    UnsupportedParameter,
)
from app.core.run_errors import RunStorageFailed, UpstreamError, UpstreamTimeout
from app.dialects.openai.chat import OpenAIChat
from tests.dialects.speech import (
    FAILED,
    STOPPED,
    TIMED_OUT,
    reply_of,
    said,
    streamed,
    thought,
    whole,
)
from tests.support.samples import run_end

DIALECT = OpenAIChat()
BASE = (
    '"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
    '"model":"scripted-1"'
)
COUNTS = '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}'


def chunk(delta: str, reason: str = "null", more: str = "") -> str:
    choice = '{"index":0,"delta":%s,"finish_reason":%s}' % (delta, reason)
    return 'data: {%s,"choices":[%s]%s}\n\n' % (BASE, choice, more)


def text(content: str) -> str:
    return chunk('{"content":"%s"}' % content)


OPEN = ": open\n\n"
BEGIN = OPEN + chunk('{"role":"assistant","content":""}')
DONE = "data: [DONE]\n\n"
END = chunk("{}", '"stop"') + DONE


def test_usage_that_was_asked_for_is_the_last_chunk_and_null_before() -> None:
    null = ',"usage":null'

    assert streamed(DIALECT, said("Hi"), include_usage=True) == (
        OPEN
        + chunk('{"role":"assistant","content":""}', more=null)
        + chunk('{"content":"Hi"}', more=null)
        + chunk("{}", '"stop"', more=null)
        + 'data: {%s,"choices":[],"usage":%s}\n\n' % (BASE, COUNTS)
        + DONE
    )


@pytest.mark.parametrize("include_usage", [False, True])
def test_failed_run_ends_in_an_error_and_nothing_more(include_usage: bool) -> None:
    encoded = streamed(DIALECT, said("par", end=FAILED), 1, include_usage=include_usage)

    assert encoded == OPEN + (
        'data: {"error":{"message":"%s","type":"server_error","param":null,'
        '"code":"upstream_timeout"}}\n\n' % TIMED_OUT.message
    )


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_finish_reason_of_the_model_is_kept(reason: str) -> None:
    end = run_end("completed", reason)

    assert streamed(DIALECT, said("a", end=end), 1) == OPEN + chunk("{}", f'"{reason}"') + DONE
    assert whole(DIALECT, said("a", end=end))["choices"][0]["finish_reason"] == reason


def test_reasoning_has_a_field_of_its_own() -> None:
    assert streamed(DIALECT, thought("h\u2028m", "Yes")) == (
        BEGIN + chunk(r'{"reasoning_content":"h\u2028m"}') + text("Yes") + END
    )


def test_silence_is_told_by_a_comment_and_there_are_no_ids() -> None:
    assert DIALECT.encoder(reply_of([]), 0, {}).heartbeat == b": ping\n\n"
    assert "id: " not in streamed(DIALECT, said("a"))


def test_headers_are_held_for_clients_that_retry_on_a_status() -> None:
    assert DIALECT.holds_headers
    assert DIALECT.headers(reply_of([]), {}) == {}


@pytest.mark.parametrize("end", [None, STOPPED])
def test_whole_answer(end: Any) -> None:
    message = {"role": "assistant", "content": "Hello", "refusal": None}

    assert whole(DIALECT, said("Hel", "lo", end=end)) == {
        "id": "chatcmpl-run-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted-1",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error,status,kind",
    [
        (BadJson(), 400, "invalid_request_error"),
        (Unauthorized(), 401, "authentication_error"),
        (ForbiddenOrigin(), 403, "invalid_request_error"),
        (NotFound(), 404, "invalid_request_error"),
        (SessionBusy(run_id="run-1"), 409, "invalid_request_error"),
        (TooLarge(), 413, "invalid_request_error"),
        (RateLimited(retry_after_s=3), 429, "rate_limit_error"),
        (InternalError(), 500, "server_error"),
        (UpstreamError(), 502, "server_error"),
        (OverCapacity(), 503, "server_error"),
        (RunStorageFailed(), 503, "server_error"),
        (UpstreamTimeout(), 504, "server_error"),
    ],
)
def test_type_of_an_error_is_that_of_its_status(error: ChatError, status: int, kind: str) -> None:
    assert error.http_status == status
    assert DIALECT.error(error) == {
        "error": {"message": error.message, "type": kind, "param": None, "code": error.code}
    }


def test_wrong_field_is_the_param() -> None:
    assert DIALECT.error(InvalidRequest({"n": "too many", "messages": "must not be empty"})) == {
        "error": {
            "message": "The request is not valid: check messages, n. "
            "messages: must not be empty; n: too many",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "invalid_request",
        }
    }


def test_unsupported_parameter_is_the_param() -> None:
    error = UnsupportedParameter("No tools.", fields={"tools": "not supported"})

    assert DIALECT.error(error)["error"] == {
        "message": "No tools. tools: not supported",
        "type": "invalid_request_error",
        "param": "tools",
        "code": "unsupported_parameter",
    }
