"""The completions dialect, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest, NotFound, RateLimited, SessionBusy
from app.core.messages import ProviderMessage, text_of, text_parts
from app.dialects.dialect import MERGE_ABOVE
from app.dialects.documents.completions import CompletionsStream
from tests.dialects.speech import (
    FAILED,
    STOPPED,
    TIMED_OUT,
    TRICKY,
    TRICKY_JSON,
    refusal,
    reply_of,
    said,
    streamed,
    thought,
    whole,
)

DIALECT = CompletionsStream()
OF = '"model":"scripted-1","provider":"scripted"'
OPEN = ": open\n\n"
DONE = 'data: {"content":"","done":true,%s}\n\n' % OF


def piece(text: str) -> str:
    return 'data: {"content":"%s","done":false,%s}\n\n' % (text, OF)


def test_text_is_content_and_the_end_is_done() -> None:
    assert streamed(DIALECT, said("Why", " don't")) == (
        ": open\n\n"
        'data: {"content":"Why","done":false,"model":"scripted-1","provider":"scripted"}\n\n'
        'data: {"content":" don\'t","done":false,"model":"scripted-1","provider":"scripted"}\n\n'
        'data: {"content":"","done":true,"model":"scripted-1","provider":"scripted"}\n\n'
    )


def test_failed_run_is_done_with_an_error() -> None:
    assert streamed(DIALECT, said("par", end=FAILED)) == (
        OPEN
        + piece("par")
        + 'data: {"content":"","done":true,%s,"error":"%s"}\n\n' % (OF, TIMED_OUT.message)
    )


def test_stopped_run_is_done() -> None:
    assert streamed(DIALECT, said("so far", end=STOPPED)) == OPEN + piece("so far") + DONE


@pytest.mark.parametrize("end", [None, STOPPED])
def test_empty_reply_is_done_at_once(end: Any) -> None:
    assert streamed(DIALECT, said(end=end)) == OPEN + DONE


def test_text_that_looks_like_frames_is_one_line() -> None:
    assert streamed(DIALECT, said(TRICKY)) == OPEN + piece(TRICKY_JSON) + DONE


def test_reasoning_and_status_have_no_place() -> None:
    assert streamed(DIALECT, thought("hm", "Yes")) == OPEN + piece("Yes") + DONE


def test_viewer_far_behind_gets_one_larger_piece() -> None:
    pieces = "x" * (MERGE_ABOVE + 1)

    assert streamed(DIALECT, said(*pieces)) == OPEN + piece(pieces) + DONE


def test_resume_goes_on_where_it_was() -> None:
    assert streamed(DIALECT, said("a", "b"), after=1) == OPEN + piece("b") + DONE


def test_silence_is_told_by_a_comment() -> None:
    assert DIALECT.encoder(reply_of([]), 0, {}).heartbeat == b": ping\n\n"


@pytest.mark.parametrize("end,reason", [(None, "stop"), (STOPPED, "stopped")])
def test_whole_answer(end: Any, reason: str) -> None:
    assert whole(DIALECT, said("Hel", "lo", end=end)) == {
        "content": "Hello",
        "role": "assistant",
        "model": "scripted-1",
        "provider": "scripted",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        "finish_reason": reason,
    }


# --- requests -----------------------------------------------------------------------------------


def test_body_with_all_fields_is_read() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "and?"},
    ]
    body = {"messages": messages, "model": "m", "provider": "p", "temperature": 0.5}
    spoken = DIALECT.parse({**body, "stream": True, "colour": "red"}, {})

    assert spoken.request == ChatRequest(
        text_parts("and?"),
        model="m",
        provider="p",
        temperature=0.5,
        history=tuple(
            ProviderMessage(one["role"], text_parts(one["content"])) for one in messages[:3]
        ),
        names={"message": "messages.3.content", "history": "messages"},
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {}, None)


def test_one_message_is_enough_and_its_role_is_its_own() -> None:
    request = DIALECT.parse({"messages": [{"role": "system", "content": "Begin."}]}, {}).request

    assert (text_of(request.content), request.role, request.history) == ("Begin.", "system", ())
    assert (request.model, request.provider, request.temperature) == (None, None, None)


@pytest.mark.parametrize(
    "change,field",
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content"),
        ({"model": 1}, "model"),
        ({"model": "\x00"}, "model"),
        ({"provider": 1}, "provider"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "1"}, "temperature"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], **change}

    assert set(refusal(DIALECT, body).fields) == {field}


def test_absent_messages_are_named() -> None:
    assert refusal(DIALECT, {}).fields == {"messages": "field required"}


@pytest.mark.parametrize("text", ["", " \n", "a\x00b", "\ud800", "x" * 101])
def test_wrong_last_message_is_named_as_the_client_does(text: str) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "user", "content": text}]

    assert set(refusal(DIALECT, {"messages": messages}).fields) == {"messages.1.content"}


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * 101])
def test_wrong_earlier_message_is_named_as_the_client_does(text: str) -> None:
    messages = [{"role": "assistant", "content": text}, {"role": "user", "content": "hi"}]

    assert set(refusal(DIALECT, {"messages": messages}).fields) == {"messages.0.content"}


@pytest.mark.parametrize("error", [NotFound(), SessionBusy(run_id="r"), RateLimited(), TIMED_OUT])
def test_error_body_is_one_sentence(error: Any) -> None:
    assert DIALECT.error(error) == {"detail": error.message}


def test_error_body_names_the_fields() -> None:
    assert DIALECT.error(InvalidRequest({"model": "too odd", "a": "absent"})) == {
        "detail": "The request is not valid: check a, model. a: absent; model: too odd"
    }
