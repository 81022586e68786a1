"""Ollama's prompts: what is asked, and thoughts. The bytes are a row of test_conformance.py."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import UnsupportedParameter
from app.core.messages import text_parts
from app.dialects.prompts.ollama_generate import OllamaGenerate
from tests.dialects.speech import refusal, streamed, thought, whole

DIALECT = OllamaGenerate()
BODY: dict[str, Any] = {"model": "llama", "prompt": "hi"}


def test_body_with_all_fields_is_read() -> None:
    options = {"temperature": 0.5, "num_predict": 9, "num_ctx": 4096}
    more = {"system": "Be brief.", "options": options, "stream": False, "keep_alive": 0}
    spoken = DIALECT.parse({**BODY, **more}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        model="llama",
        system="Be brief.",
        temperature=0.5,
        max_tokens=9,
        stop_when_unwatched=True,
        listed=False,
        names={"message": "prompt", "history": "prompt"},
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {}, False)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"stream": None, "system": "", "options": None},
        {"context": [], "format": "", "images": [], "raw": False, "suffix": "", "template": ""},
        {"options": {"num_predict": -1}},
    ],
)
def test_answer_streams_and_what_asks_for_nothing_is_taken(more: dict[str, Any]) -> None:
    spoken = DIALECT.parse({**BODY, **more}, {})

    assert spoken.streams is True
    assert (spoken.request.system, spoken.request.max_tokens) == (None, None)


def test_reasoning_is_thinking() -> None:
    lines = streamed(DIALECT, thought("hm", "Yes")).splitlines()

    assert '"response":"","thinking":"hm","done":false' in lines[1]
    assert '"response":"Yes","done":false' in lines[2]


@pytest.mark.parametrize(
    "change,field",
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["hi"]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "\x00"}, "prompt"),
        ({"system": "\x00"}, "system"),
        ({"system": 1}, "system"),
        ({"stream": "no"}, "stream"),
        ({"options": {"temperature": 3}}, "options.temperature"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {**BODY, **change}).fields) == {field}


@pytest.mark.parametrize(
    "change",
    [
        {"context": [1, 2]},
        {"raw": True},
        {"suffix": "}"},
        {"template": "{{ .Prompt }}"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_plain_prompt_is_not_supported(change: dict[str, Any]) -> None:
    refused = refusal(DIALECT, {**BODY, **change})

    assert isinstance(refused, UnsupportedParameter)
    assert set(refused.fields) == set(change)


def test_format_and_effort_are_passed_on() -> None:
    schema = {"type": "object"}
    spoken = DIALECT.parse({**BODY, "format": schema, "think": "high"}, {})

    form = {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}
    assert spoken.request.parameters == {"response_format": form, "reasoning_effort": "high"}


def test_thoughts_are_hidden_from_who_wants_none() -> None:
    assert '"thinking"' not in streamed(DIALECT, thought("hm", "Yes"), thinking=False)
    assert whole(DIALECT, thought("hm", "Yes"), thinking=True)["thinking"] == "hm"
    assert "thinking" not in whole(DIALECT, thought("hm", "Yes"))
