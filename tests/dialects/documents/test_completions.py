"""The completions dialect, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.messages import ProviderMessage, text_of, text_parts
from app.dialects.documents.completions import CompletionsStream
from tests.dialects.speech import STOPPED, refusal, said, whole

DIALECT = CompletionsStream()


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
        listed=False,
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
