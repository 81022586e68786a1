"""What a message has besides text is told, and is in the export."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

from app.core.messages import Message
from app.transports.http.conversations.messages import _row, as_file

PICTURE = {"type": "image", "url": "https://a.org/b.png"}
TEXT = {"type": "text", "text": "hi"}


def test_message_with_other_parts_says_all_of_them() -> None:
    row = _row(Message("m-1", "user", (PICTURE, TEXT), 0.0))

    assert (row["content"], row["parts"]) == ("hi", [PICTURE, TEXT])


def test_message_of_text_alone_is_its_text() -> None:
    assert "parts" not in _row(Message("m-1", "user", (TEXT,), 0.0))


@pytest.mark.parametrize(
    "title, name, plain",
    [
        ("Renamed", "Renamed.md", "renamed.md"),
        ("Größe: 10/20?", "Größe 10 20.md", "gr-e-10-20.md"),
        ("Gro\u0308\u00dfe", "Größe.md", "gro-e.md"),
        ("日本語の会話", "日本語の会話.md", "conversation.md"),
        ("", "conversation.md", "conversation.md"),
        ("..", "conversation.md", "conversation.md"),
        ("../../etc/passwd", "etc passwd.md", "etc-passwd.md"),
        ('a"; filename="b.exe', "a ; filename= b.exe.md", "a-filename-b-exe.md"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie b.md", "a-set-cookie-b.md"),
        ("\u202egnp.exe", "gnp.exe.md", "gnp-exe.md"),
        ("100 %41'", "100 %41'.md", "100-41.md"),
        ("🙂" * 99, "🙂" * 60 + "….md", "conversation.md"),
    ],
)
def test_file_is_named_like_its_conversation(title: str, name: str, plain: str) -> None:
    written = as_file(title, "md")
    kind, options = parse_options_header(written)

    assert (kind, options["filename"]) == ("attachment", name)
    assert f"filename={plain};" in written
    assert written.isascii() and written.isprintable()


def test_exported_file_is_named(http: FlaskClient) -> None:
    session_id = http.post("/api/chat/sessions").get_json()["session_id"]
    http.patch(f"/api/chat/sessions/{session_id}", json={"title": "Größe"})

    for form, suffix in (("json", "json"), ("markdown", "md")):
        answer = http.get(f"/api/chat/sessions/{session_id}/export?format={form}")
        _, options = parse_options_header(answer.headers["Content-Disposition"])
        assert options["filename"] == f"Größe.{suffix}"
