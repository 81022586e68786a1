"""What a caller may ask: ids, texts and sizes, each refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.placing import Place
from app.chats.request import (
    MAX_ATTACHED,
    ChatRequest,
    check_request,
    check_session_id,
    check_texts,
)
from app.core.errors import InvalidRequest, TooLarge
from app.core.messages import ProviderMessage, text_parts

MAX_BYTES = 10


def with_text(field: str, text: str) -> ChatRequest:
    """Return a request with that text in one of its fields."""
    fields: dict[str, Any] = {"content": text_parts("hi")}
    fields |= {"content": text_parts(text)} if field == "message" else {field: text}
    return ChatRequest(**fields)


@pytest.mark.parametrize("session_id", ["a", "A-Z_0.9:x-", ".a", "a..", "x" * 128])
def test_session_id_of_the_allowed_characters_is_taken(session_id: str) -> None:
    assert check_session_id(session_id) == session_id


@pytest.mark.parametrize(
    "session_id", ["", ".", "..", "...", "a/b", "a b", "a\n", "é", "x" * 129, "a\x00", "a?b", "%2e"]
)
def test_any_other_session_id_is_refused(session_id: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_session_id(session_id)
    assert set(refused.value.fields) == {"session_id"}


@pytest.mark.parametrize("message", ["", " ", "\n\t ", "\u2028", "\u00a0"])
def test_blank_message_is_refused(message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(ChatRequest(text_parts(message)), MAX_BYTES)
    assert refused.value.fields == {"message": "must not be blank"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "data": "AA=="},
        {"type": "file", "data": "AA=="},
        {"type": "image", "url": "https://example.org/a.png"},
        {"type": "attachment", "attachment_id": "a"},
    ],
)
def test_picture_or_file_alone_is_a_message(part: dict[str, Any]) -> None:
    for content in ((part,), (*text_parts(" "), part)):
        request = ChatRequest(content)
        assert check_request(request, MAX_BYTES) is request


def test_base64_is_not_counted_as_text() -> None:
    picture = {"type": "image", "data": "A" * (MAX_BYTES + 1)}
    said = ProviderMessage("user", (picture, *text_parts("x" * MAX_BYTES)))
    request = ChatRequest((*text_parts("x" * MAX_BYTES), picture), history=(said,))

    assert check_request(request, MAX_BYTES) is request


@pytest.mark.parametrize("in_history", [False, True])
def test_text_beside_a_picture_is_counted_and_named(in_history: bool) -> None:
    content = ({"type": "image", "data": "AA=="}, *text_parts("x" * (MAX_BYTES + 1)))
    history = (ProviderMessage("user", content),) if in_history else ()
    with pytest.raises(TooLarge) as refused:
        check_request(
            ChatRequest(text_parts("hi") if in_history else content, history=history), MAX_BYTES
        )
    assert list(refused.value.fields) == [
        "history.0.content.1.text" if in_history else "message.1.text"
    ]


@pytest.mark.parametrize(
    ("before", "now", "refused_at"),
    [
        (0, MAX_ATTACHED, None),
        (0, MAX_ATTACHED + 1, "prompt"),
        (MAX_ATTACHED - 1, 1, None),
        (MAX_ATTACHED, 1, "prompt"),
        (MAX_ATTACHED + 1, 0, "said.0.content"),
    ],
)
def test_pictures_and_files_are_counted(before: int, now: int, refused_at: str | None) -> None:
    picture = {"type": "image", "data": "AA=="}
    said = ProviderMessage("user", (picture,) * before)
    content = (*text_parts("hi"), *(picture,) * now)
    request = ChatRequest(content, history=(said,), names=NAMES)

    if refused_at is None:
        assert check_request(request, MAX_BYTES) is request
        return
    with pytest.raises(InvalidRequest) as refused:
        check_request(request, MAX_BYTES)
    assert list(refused.value.fields) == [refused_at]


@pytest.mark.parametrize("kind", ["after", "edit"])
def test_blank_message_is_refused_wherever_it_is_to_go(kind: Any) -> None:
    with pytest.raises(InvalidRequest):
        check_request(ChatRequest(text_parts(" "), place=Place(kind, "m-1")), MAX_BYTES)


@pytest.mark.parametrize("kind", ["regenerate", "again"])
def test_turn_without_a_message_needs_none(kind: Any) -> None:
    request = ChatRequest(text_parts(""), place=Place(kind, "m-1"))

    assert check_request(request, MAX_BYTES) is request


NUL = ProviderMessage("user", text_parts("\x00"))
NAMES = {"message": "prompt", "session_id": "conversation", "history": "said"}


@pytest.mark.parametrize(
    "fields,named",
    [
        ({"content": text_parts(" ")}, "prompt"),
        ({"content": text_parts("\x00")}, "prompt"),
        ({"session_id": ".."}, "conversation"),
        ({"history": (NUL,)}, "said.0.content"),
        ({"history": (ProviderMessage("user", text_parts("")), NUL)}, "said.1.content"),
        ({"system": "\x00"}, "system"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(fields: dict[str, Any], named: str) -> None:
    request = ChatRequest(**{"content": text_parts("hi"), "names": NAMES, **fields})

    with pytest.raises(InvalidRequest) as refused:
        check_request(request, MAX_BYTES)
    assert set(refused.value.fields) == {named}


@pytest.mark.parametrize("text", ["éééééé", "12345678901"])
def test_text_of_a_history_has_the_same_limit(text: str) -> None:
    request = ChatRequest(
        text_parts("hi"), names=NAMES, history=(ProviderMessage("user", text_parts(text)),)
    )

    with pytest.raises(TooLarge) as refused:
        check_request(request, MAX_BYTES)
    assert refused.value.fields == {"said.0.content": "at most 10 bytes"}


@pytest.mark.parametrize(
    "text,reason",
    [
        ("a\x00b", "must not contain a NUL character"),
        ("a\ud800", "must not contain a lone surrogate"),
        ("\udc00", "must not contain a lone surrogate"),
    ],
)
@pytest.mark.parametrize("field", ["message", "system", "model"])
def test_text_that_no_database_takes_is_refused(field: str, text: str, reason: str) -> None:
    request = with_text(field, text)

    with pytest.raises(InvalidRequest) as refused:
        check_request(request, MAX_BYTES)
    assert refused.value.fields == {field: reason}


def test_every_wrong_text_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_texts({"a": "\x00", "b": "fine", "c": None, "d": "\ud800"}, MAX_BYTES)
    assert set(refused.value.fields) == {"a", "d"}


@pytest.mark.parametrize("text", ["1234567890", "ééééé", "🙂🙂!!"])
def test_text_at_the_limit_is_taken(text: str) -> None:
    assert check_request(ChatRequest(text_parts(text)), MAX_BYTES).content == text_parts(text)


@pytest.mark.parametrize("field", ["message", "system", "model"])
def test_text_over_the_limit_is_too_large(field: str) -> None:
    request = with_text(field, "éééééé")

    with pytest.raises(TooLarge) as refused:
        check_request(request, MAX_BYTES)
    assert refused.value.fields == {field: "at most 10 bytes"}
    assert f"`{field}`" in refused.value.message


def test_session_id_of_a_request_is_checked() -> None:
    with pytest.raises(InvalidRequest):
        check_request(ChatRequest(text_parts("hi"), session_id=".."), MAX_BYTES)

    request = ChatRequest(text_parts("hi"), session_id="mine")
    assert check_request(request, MAX_BYTES) is request


@pytest.mark.parametrize("key", ["k", "!~", "x" * 255])
def test_idempotency_key_of_printable_ascii_is_taken(key: str) -> None:
    request = ChatRequest(text_parts("hi"), idempotency_key=key)

    assert check_request(request, MAX_BYTES) is request


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "\x00", "é", "x" * 256])
def test_any_other_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(ChatRequest(text_parts("hi"), idempotency_key=key), MAX_BYTES)
    assert set(refused.value.fields) == {"idempotency_key"}


def test_fingerprint_is_of_what_was_asked_not_of_how() -> None:
    request = ChatRequest(text_parts("hi"), system="Be brief.", idempotency_key="one")
    same = ChatRequest(
        text_parts("hi"), system="Be brief.", dialect="other", caller="ann", paced=False
    )

    assert request.fingerprint() == same.fingerprint()
    assert ChatRequest(text_parts("hi")).fingerprint() != request.fingerprint()
