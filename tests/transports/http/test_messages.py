"""What a message has besides text is told, and is in the export."""

from __future__ import annotations

import base64

import pytest
from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

from app.core.attachments import Attachment
from app.core.messages import Message
from app.core.sessions import ChatSession
from app.transports.http.conversations.attached import MOST_BYTES, as_links, files_of, how
from app.transports.http.conversations.messages import _row, as_file, as_markdown

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


def named(size: int = 3, name: str = "a.png", media_type: str = "image/png") -> Message:
    """Return a message with a file."""
    part = Attachment("at-1", "ann", name, media_type, size, "ab" * 32, 0.0).part
    return Message("m-1", "user", (TEXT, part), 0.0)


def test_files_are_told_once_and_as_links_where_they_are_much() -> None:
    assert [one["id"] for one in files_of([named(), named()])] == ["at-1"]
    assert how(files_of([named(MOST_BYTES)])) == "data"
    assert how(files_of([named(MOST_BYTES + 1)])) == "links"


@pytest.mark.parametrize(
    "name, media_type, link",
    [
        ("a.png", "image/png", "![a.png](/api/attachments/at-1)"),
        ("a b.pdf", "application/pdf", "[a b.pdf](/api/attachments/at-1)"),
        ("](x)[", "text/plain", "[\\](x)\\[](/api/attachments/at-1)"),
    ],
)
def test_markdown_links_to_files(name: str, media_type: str, link: str) -> None:
    written = as_markdown(ChatSession("ann", "s", 0.0, 0.0), [named(3, name, media_type)])

    assert written.endswith(f"hi\n\n{link}\n")


def test_picture_of_the_web_is_linked_as_it_is() -> None:
    assert as_links([PICTURE, {"type": "image", "url": "https://a.org/(b) c"}]) == [
        "![](https://a.org/b.png)",
        "![](https://a.org/%28b%29%20c)",
    ]


def test_exported_conversation_has_the_bytes_of_its_files(http: FlaskClient) -> None:
    data = bytes(range(32, 127)) * 30_011
    file = http.post("/api/attachments", data=data, headers={"X-File-Name": "a.txt"}).get_json()
    body = {"session_id": "s-1", "message": "hi", "attachments": [file["id"]]}
    assert http.post("/api/chat", json=body).status_code == 200

    exported = http.get("/api/chat/sessions/s-1/export").get_json()
    [told] = exported["attachments"]
    assert exported["attachments_as"] == "data"
    assert base64.b64decode(told["data"], validate=True) == data
    assert (told["id"], told["sha256"]) == (file["id"], file["sha256"])
    assert exported["messages"][0]["parts"][-1]["attachment_id"] == file["id"]
