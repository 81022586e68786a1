"""`POST /chat`: the prompt dialect or the conversation dialect, as the body says."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import InvalidRequest, NotFound
from app.dialects.documents.conversation import ConversationChat
from app.dialects.documents.either import PromptOrConversation
from app.dialects.documents.prompt import PromptChat
from tests.dialects.speech import refusal, reply_of, said

PROMPT, CONVERSATION = PromptChat(), ConversationChat()
ROUTE = PromptOrConversation(PROMPT, CONVERSATION)
HI = [{"role": "user", "content": "hi"}]


def test_prompt_is_the_dialect_of_003() -> None:
    body = {"prompt": "hi", "stream": True}

    assert ROUTE.parse(body, {}) == PROMPT.parse(body, {})
    assert ROUTE.parse(body, {}).dialect is PROMPT


def test_conversation_is_the_dialect_of_004() -> None:
    body = {"conversation": HI, "stream": True}

    assert ROUTE.parse(body, {}) == CONVERSATION.parse(body, {})
    assert ROUTE.parse(body, {}).dialect is CONVERSATION


@pytest.mark.parametrize(
    "body,word",
    [
        ({}, "neither"),
        ({"stream": True}, "neither"),
        ({"prompt": "hi", "conversation": HI}, "both"),
        ({"prompt": None, "conversation": None}, "both"),
    ],
)
def test_neither_or_both_is_refused_naming_both(body: dict[str, Any], word: str) -> None:
    why = f"send one of `prompt` and `conversation`, not {word}"

    assert refusal(ROUTE, body).fields == {"prompt": why, "conversation": why}


@pytest.mark.parametrize(
    "body,field",
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"conversation": None}, "conversation"),
        ({"conversation": []}, "conversation"),
    ],
)
def test_one_that_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    assert set(refusal(ROUTE, body).fields) == {field}


def test_error_before_the_body_is_known_has_the_keys_of_both() -> None:
    error = NotFound()

    assert ROUTE.error(error) == {
        "detail": error.message,
        "error": error.message,
        "error_id": error.error_id,
        "code": "not_found",
        "retryable": False,
    }


def test_error_of_both_names_the_fields_in_each_key() -> None:
    body = ROUTE.error(InvalidRequest({"prompt": "no"}))

    assert body["detail"] == body["error"] == ("The request is not valid: check prompt. prompt: no")


def test_answers_without_a_request_are_the_prompts() -> None:
    reply = reply_of(said("a"))

    assert ROUTE.encoder(reply, 0, {}).encode(said("a")).startswith(b'data: {"chunk":"a"')
    assert ROUTE.whole(reply, {})["response"] == "a"
