"""What a conversation has of pictures and files is shown by every reader of it, or left out; bytes
are nowhere in it, nor are the sums of them that are for the server alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.attachments import Attachment
from app.core.messages import Message, Part, text_parts
from app.dialects.documents.session_messages import message_row
from app.dialects.responses.items import conversation, items_of

PICTURE = Attachment(
    "at-1", "ann", "a.png", "image/png", 70, "5f" * 32, 0.0, width=1, height=2
).part
PAPER = Attachment("at-2", "ann", "b.pdf", "application/pdf", 70, "5e" * 32, 0.0, pages=3).part
ADDRESS = {"type": "image", "url": "https://example.org/a.png"}
CALL = {"type": "tool_call", "call_id": "c", "name": "f", "source": "client", "input": {}}
RESULT = {"type": "tool_result", "call_id": "c", "name": "f", "output": 1}
OPAQUE = {"type": "opaque", "vendor": "v"}
TEXT = text_parts("hi")
EACH: list[Part] = [PICTURE, PAPER, ADDRESS, CALL, RESULT, OPAQUE, *TEXT]

READERS: dict[str, Callable[[Message], Any]] = {
    "responses": lambda message: items_of([message]),
    "session_messages": lambda message: message_row("s", message),
}


def message(role: str, *content: Part) -> Message:
    return Message("m-1", role, content, 0.0)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("role", ["user", "assistant", "system", "tool"])
@pytest.mark.parametrize("part", EACH, ids=lambda part: part["type"])
def test_every_part_can_be_read(reader: str, role: str, part: Part) -> None:
    for content in ((part,), (*TEXT, part), (part, *TEXT), tuple(EACH)):
        told = json.dumps(READERS[reader](message(role, *content)))
        assert "sha256" not in told and "base64" not in told


def test_items_have_what_a_user_sent() -> None:
    (item,) = items_of([message("user", *TEXT, {**PICTURE, "detail": "low"}, PAPER, ADDRESS)])

    assert item["type"] == "message"
    assert item["content"] == [
        {"type": "input_text", "text": "hi"},
        {"type": "input_image", "image_url": "/api/attachments/at-1", "detail": "low"},
        {"type": "input_file", "filename": "b.pdf", "file_url": "/api/attachments/at-2"},
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "auto"},
    ]


def test_items_can_be_sent_back() -> None:
    stored = message("user", *TEXT, PICTURE, PAPER, ADDRESS)
    (back,) = conversation(items_of([stored]), False)  # type: ignore[arg-type]

    ids = [part.get("attachment_id", part.get("url")) for part in back.content[1:]]
    assert ids == ["at-1", "at-2", "https://example.org/a.png"]


def test_message_of_a_session_is_its_text() -> None:
    assert message_row("s", message("user", PICTURE, *TEXT))["content"] == "hi"
    assert message_row("s", message("user", PICTURE))["content"] == ""


def test_items_of_a_reply_are_what_it_says() -> None:
    (item,) = items_of([message("assistant", *TEXT, PICTURE)])

    assert [part["type"] for part in item["content"]] == ["output_text"]  # type: ignore
