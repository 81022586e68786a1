"""The prompt dialect, with a prompt or a conversation, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.messages import ProviderMessage, text_parts
from app.dialects.documents.prompt import PromptChat, PromptConversation
from tests.dialects.speech import STOPPED, refusal, reply_of, said, whole

PROMPT = PromptChat()
CONVERSATION = PromptConversation()
HI = [{"role": "user", "content": "hi"}]


def test_whole_answer_tells_the_conversations_number() -> None:
    reply = reply_of(said("Hel", "lo"), session_id="conversation:7")

    assert PROMPT.whole(reply, {}) == {
        "response": "Hello",
        "model": "scripted-1",
        "provider": "scripted",
        "metadata": {
            "finish_reason": "stop",
            "duration": 2.0,
            "usage": {"input_tokens": 5, "output_tokens": 2, "source": "reported"},
        },
        "conversation_id": 7,
    }


@pytest.mark.parametrize(
    "session_id,given,number",
    [
        ("conversation:7", None, 7),
        ("s-1", 12, 12),
        ("conversation:7", 12, 12),
        ("s-1", None, None),
    ],
)
def test_number_is_in_header_and_answer(
    session_id: str, given: int | None, number: int | None
) -> None:
    reply, options = reply_of(said("Hi"), session_id=session_id), {"conversation_id": given}

    header = {} if number is None else {"X-Conversation-Id": str(number)}
    assert CONVERSATION.headers(reply, options) == header
    assert CONVERSATION.whole(reply, options)["conversation_id"] == number


def test_stopped_whole_answer_has_what_came() -> None:
    answer = whole(PROMPT, said("so far", end=STOPPED))

    assert (answer["response"], answer["metadata"]["finish_reason"]) == ("so far", "stopped")


# --- requests with a prompt ---------------------------------------------------------------------


def test_prompt_with_all_fields_is_read() -> None:
    body = {"prompt": "hi", "model": "m", "provider": "p", "conversation_id": 3, "stream": True}
    spoken = PROMPT.parse({**body, "colour": "red"}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        session_id="conversation:3",
        must_exist=True,
        numbered=True,
        model="m",
        provider="p",
        names={"message": "prompt", "session_id": "conversation_id"},
        fall_back_whole=True,
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (PROMPT, {}, True)


@pytest.mark.parametrize("more", [{}, {"conversation_id": None}])
def test_prompt_alone_begins_a_numbered_conversation(more: dict[str, Any]) -> None:
    spoken = PROMPT.parse({"prompt": "hi", **more}, {})

    assert (spoken.request.session_id, spoken.request.must_exist) == (None, False)
    assert (spoken.request.numbered, spoken.streams) == (True, False)


@pytest.mark.parametrize(
    "change,field",
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ["hi"]}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": "a\x00"}, "prompt"),
        ({"prompt": "\udc00"}, "prompt"),
        ({"prompt": "x" * 101}, "prompt"),
        ({"model": 1}, "model"),
        ({"provider": 1}, "provider"),
        ({"conversation_id": 0}, "conversation_id"),
        ({"conversation_id": -1}, "conversation_id"),
        ({"conversation_id": 2**53 + 1}, "conversation_id"),
        ({"conversation_id": "1"}, "conversation_id"),
        ({"conversation_id": True}, "conversation_id"),
        ({"conversation_id": 1.5}, "conversation_id"),
        ({"stream": "yes"}, "stream"),
        ({"stream": None}, "stream"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(change: dict[str, Any], field: str) -> None:
    assert set(refusal(PROMPT, {"prompt": "hi", **change}).fields) == {field}


# --- requests with a conversation ---------------------------------------------------------------


def test_conversation_with_all_fields_is_read() -> None:
    messages = [{"role": "assistant", "content": "Hello"}, *HI]
    body = {"messages": messages, "model": "m", "provider": "p", "conversation_id": 3}
    spoken = CONVERSATION.parse({**body, "stream": True}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        model="m",
        provider="p",
        listed=False,
        history=(ProviderMessage("assistant", text_parts("Hello")),),
        names={"message": "messages.1.content", "history": "messages"},
        fall_back_whole=True,
    )
    assert spoken.options == {"conversation_id": 3}
    assert (spoken.dialect, spoken.streams) == (CONVERSATION, True)


def test_conversation_without_a_number_gets_one() -> None:
    spoken = CONVERSATION.parse({"messages": HI}, {})

    assert (spoken.request.numbered, spoken.request.session_id) == (True, None)
    assert (spoken.options, spoken.streams) == ({"conversation_id": None}, False)


@pytest.mark.parametrize(
    "change,field",
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [*HI, {"role": "user", "content": " "}]}, "messages.1.content"),
        ({"messages": [{"role": "user", "content": "\x00"}, *HI]}, "messages.0.content"),
        ({"conversation_id": 0}, "conversation_id"),
        ({"conversation_id": "1"}, "conversation_id"),
        ({"model": []}, "model"),
        ({"provider": []}, "provider"),
        ({"stream": 1}, "stream"),
    ],
)
def test_wrong_field_of_a_conversation_is_named(change: dict[str, Any], field: str) -> None:
    assert set(refusal(CONVERSATION, {"messages": HI, **change}).fields) == {field}
