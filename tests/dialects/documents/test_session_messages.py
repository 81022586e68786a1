"""The session_messages dialect, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.messages import Message, text_parts
from app.dialects.documents.session_messages import SessionMessages, message_row
from tests.dialects.speech import refusal, said, whole
from tests.support.clock import START

DIALECT = SessionMessages()
PATH = {"session_id": "s-1"}


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
