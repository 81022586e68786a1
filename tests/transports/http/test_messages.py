"""What a message has besides text is told, and is in the export."""

from __future__ import annotations

from app.core.messages import Message
from app.transports.http.messages import _row

PICTURE = {"type": "image", "attachment_id": "at-1"}
TEXT = {"type": "text", "text": "hi"}


def test_message_with_other_parts_says_all_of_them() -> None:
    row = _row(Message("m-1", "user", (PICTURE, TEXT), 0.0))

    assert (row["content"], row["parts"]) == ("hi", [PICTURE, TEXT])


def test_message_of_text_alone_is_its_text() -> None:
    assert "parts" not in _row(Message("m-1", "user", (TEXT,), 0.0))
