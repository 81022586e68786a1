"""The session_messages dialect, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest, NotFound, OverCapacity, SessionBusy
from app.core.messages import Message, text_parts
from app.dialects.dialect import MERGE_ABOVE
from app.dialects.documents.session_messages import SessionMessages, message_row
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
from tests.support.clock import START

DIALECT = SessionMessages()
PATH = {"session_id": "s-1"}
OPEN = ": open\n\n"
BEGIN = OPEN + 'data: {"type":"start","messageId":"run-1-reply"}\n\n'
END = 'data: {"type":"end","messageId":"run-1-reply"}\n\n'


def token(text: str) -> str:
    return 'data: {"type":"token","content":"%s"}\n\n' % text


def test_text_is_tokens_between_start_and_end() -> None:
    assert streamed(DIALECT, said("Hello", " there")) == (
        ": open\n\n"
        'data: {"type":"start","messageId":"run-1-reply"}\n\n'
        'data: {"type":"token","content":"Hello"}\n\n'
        'data: {"type":"token","content":" there"}\n\n'
        'data: {"type":"end","messageId":"run-1-reply"}\n\n'
    )


def test_failed_run_ends_in_an_error() -> None:
    assert streamed(DIALECT, said("par", end=FAILED)) == (
        BEGIN + token("par") + 'data: {"type":"error","error":"%s"}\n\n' % TIMED_OUT.message
    )


def test_stopped_run_ends() -> None:
    assert streamed(DIALECT, said("so far", end=STOPPED)) == BEGIN + token("so far") + END


@pytest.mark.parametrize("end", [None, STOPPED])
def test_empty_reply_starts_and_ends(end: Any) -> None:
    assert streamed(DIALECT, said(end=end)) == BEGIN + END


def test_text_that_looks_like_frames_is_one_line() -> None:
    assert streamed(DIALECT, said(TRICKY)) == BEGIN + token(TRICKY_JSON) + END


def test_reasoning_and_status_have_no_place() -> None:
    assert streamed(DIALECT, thought("hm", "Yes")) == BEGIN + token("Yes") + END


def test_viewer_far_behind_gets_one_larger_piece() -> None:
    pieces = "x" * (MERGE_ABOVE + 1)

    assert streamed(DIALECT, said(*pieces)) == BEGIN + token(pieces) + END


def test_resume_does_not_start_again() -> None:
    assert streamed(DIALECT, said("a", "b"), after=1) == OPEN + token("b") + END


def test_silence_is_told_by_a_comment() -> None:
    assert DIALECT.encoder(reply_of([]), 0, {}).heartbeat == b": ping\n\n"


def test_whole_answer_is_a_row() -> None:
    assert whole(DIALECT, said("Hel", "lo")) == {
        "id": "run-1-reply",
        "session_id": "s-1",
        "content": "Hello",
        "role": "assistant",
        "timestamp": "2023-11-14T22:13:20.000Z",
    }


def test_whole_answer_is_the_row_that_reading_gives() -> None:
    stored = Message("run-1-reply", "assistant", text_parts("Hello"), START)

    assert message_row("s-1", stored) == whole(DIALECT, said("Hel", "lo"))


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"role": "user"}, {"colour": "red"}])
def test_body_is_read(more: dict[str, Any]) -> None:
    spoken = DIALECT.parse({"content": "hi", **more}, PATH)

    assert spoken.request == ChatRequest(
        text_parts("hi"), session_id="s-1", must_exist=True, names={"message": "content"}
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {}, None)


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "content"),
        ({"content": None}, "content"),
        ({"content": 1}, "content"),
        ({"content": ""}, "content"),
        ({"content": " \u2028"}, "content"),
        ({"content": "a\x00"}, "content"),
        ({"content": "\ud800"}, "content"),
        ({"content": "x" * 101}, "content"),
        ({"content": "hi", "role": "assistant"}, "role"),
        ({"content": "hi", "role": None}, "role"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(body: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, body, PATH).fields) == {field}


def test_session_id_of_the_path_is_checked() -> None:
    assert set(refusal(DIALECT, {"content": "hi"}, {"session_id": ".."}).fields) == {"session_id"}


@pytest.mark.parametrize("error", [NotFound(), SessionBusy(run_id="r"), OverCapacity(), TIMED_OUT])
def test_error_body_is_one_sentence(error: Any) -> None:
    assert DIALECT.error(error) == {"detail": error.message}


def test_error_body_names_the_fields() -> None:
    assert DIALECT.error(InvalidRequest({"content": "must not be blank"})) == {
        "detail": "The request is not valid: check content. content: must not be blank"
    }
