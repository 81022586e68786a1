"""OpenAI's older completions: what is asked, and usage. The bytes are a row of
test_conformance.py."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import UnsupportedParameter
from app.core.messages import text_of, text_parts
from app.dialects.prompts.openai_completions import OpenAICompletions, PromptCompletionBody
from tests.dialects.speech import refusal, said, streamed

DIALECT = OpenAICompletions()
BODY: dict[str, Any] = {"model": "gpt", "prompt": "hi"}


def parsed(**fields: Any) -> ChatRequest:
    return DIALECT.parse({**BODY, **fields}, {}).request


def test_model_and_prompt_are_enough() -> None:
    spoken = DIALECT.parse({**BODY, "user": "u-1", "colour": "red"}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        model="gpt",
        stop_when_unwatched=True,
        listed=False,
        names={"message": "prompt", "history": "prompt"},
    )
    assert (spoken.dialect, spoken.streams) == (DIALECT, False)
    assert spoken.options == {"include_usage": False}


def test_list_of_one_prompt_is_the_prompt() -> None:
    assert text_of(parsed(prompt=["hi"]).content) == "hi"
    assert set(refusal(DIALECT, {**BODY, "prompt": ["\x00"]}).fields) == {"prompt.0"}


def test_what_is_for_a_provider_is_passed_on() -> None:
    asked = {"stop": ["\n"], "top_p": 0.9, "seed": 1, "n": 2}
    request = parsed(**asked, temperature=0, max_tokens=16)

    assert request.parameters == asked
    assert (request.temperature, request.max_tokens) == (0, 16)


def test_every_optional_field_may_be_null_and_what_asks_for_nothing_is_taken() -> None:
    optional = {name: None for name in PromptCompletionBody.model_fields if name not in BODY}
    nothing = {"suffix": "", "echo": False, "logprobs": None, "best_of": 1, "n": 1}

    assert (
        parsed(
            **{**optional, **nothing},
        )
        == parsed()
    )
    assert parsed(max_tokens=-1) == parsed(max_tokens=0) == parsed()


def test_usage_is_the_last_chunk_if_it_is_asked_for() -> None:
    asked = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
    spoken = DIALECT.parse(asked, {})
    chunks = streamed(DIALECT, said("a"), **spoken.options).split("\n\n")

    assert spoken.streams is True
    assert '"usage":null' in chunks[1]
    assert '"choices":[],"usage":{"prompt_tokens":5,' in chunks[3]


@pytest.mark.parametrize(
    "change,field",
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 1}, "prompt"),
        ({"prompt": {"text": "hi"}}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "x" * 101}, "prompt"),
        ({"prompt": [" "]}, "prompt.0"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {**BODY, **change}).fields) == {field}


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ["a", "b"]},
        {"prompt": [1, 2]},
        {"prompt": [[1, 2]]},
        {"suffix": "}"},
        {"echo": True},
        {"logprobs": 3},
        {"best_of": 2},
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_not_supported(change: dict[str, Any]) -> None:
    refused = refusal(DIALECT, {**BODY, **change})

    assert isinstance(refused, UnsupportedParameter)
    assert set(refused.fields) == set(change)
