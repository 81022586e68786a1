"""What OpenAI's clients ask: read, passed on, or refused by the name they gave it."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest
from app.core.messages import ProviderMessage, text_of, text_parts
from app.dialects.openai.chat import OpenAIChat
from app.dialects.openai.shapes import CompletionBody
from tests.dialects.speech import refusal

DIALECT = OpenAIChat()
HI = [{"role": "user", "content": "hi"}]
BODY: dict[str, Any] = {"model": "gpt", "messages": HI}
TEXT = {"type": "text", "text": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def parsed(**fields: Any) -> ChatRequest:
    return DIALECT.parse({**BODY, **fields}, {}).request


def test_model_and_messages_are_enough() -> None:
    spoken = DIALECT.parse({**BODY, "user": "u-1", "store": True, "colour": "red"}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        model="gpt",
        listed=False,
        stop_when_unwatched=True,
        names={"message": "messages.0.content", "history": "messages"},
    )
    assert (spoken.dialect, spoken.streams) == (DIALECT, False)
    assert spoken.options == {"include_usage": False}


def test_conversation_is_the_history() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [TEXT, {"type": "text", "text": " there"}]},
        {"role": "assistant", "content": None},
        *HI,
    ]
    request = parsed(messages=messages, temperature=0, max_tokens=5)

    assert request.history == (
        ProviderMessage("system", text_parts("Be brief.")),
        ProviderMessage("user", text_parts("hi there")),
        ProviderMessage("assistant", text_parts("")),
    )
    assert (text_of(request.content), request.names["message"]) == ("hi", "messages.3.content")
    assert (request.temperature, request.max_tokens) == (0, 5)


@pytest.mark.parametrize(
    "fields,most",
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 5, "max_completion_tokens": -1}, 5),
        ({"max_tokens": None, "max_completion_tokens": None}, None),
    ],
)
def test_newer_name_of_max_tokens_counts(fields: dict[str, Any], most: int | None) -> None:
    assert parsed(**fields).max_tokens == most


@pytest.mark.parametrize(
    "fields,streams,usage",
    [
        ({"stream": None, "stream_options": None}, False, False),
        ({"stream": True}, True, False),
        ({"stream": True, "stream_options": {}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": None}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
    ],
)
def test_stream_and_usage_are_asked_for(fields: dict[str, Any], streams: bool, usage: bool) -> None:
    spoken = DIALECT.parse({**BODY, **fields}, {})

    assert (spoken.streams, spoken.options) == (streams, {"include_usage": usage})


@pytest.mark.parametrize(
    "name,value",
    [
        ("frequency_penalty", 0.5),
        ("logit_bias", {"50256": -100}),
        ("n", 2),
        ("presence_penalty", -0.5),
        ("response_format", {"type": "json_object"}),
        ("seed", 0),
        ("stop", ["\n"]),
        ("tools", TOOLS),
        ("top_p", 0.9),
    ],
)
def test_parameter_is_for_a_provider_that_takes_it(name: str, value: Any) -> None:
    assert parsed(**{name: value}).parameters == {name: value}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"n": None},
        {"tools": []},
        {"tools": None},
        {"response_format": {"type": "text"}},
        {"response_format": None},
        {"seed": None, "stop": None, "top_p": None},
        {"logprobs": False, "functions": [], "audio": None, "function_call": None},
        {"tools": TOOLS, "tool_choice": "none"},
        {"tools": [], "tool_choice": "auto"},
        {"tool_choice": "none", "parallel_tool_calls": True},
        {"function_call": "none"},
        {"functions": [{"name": "f"}], "function_call": "none"},
    ],
)
def test_parameter_that_asks_for_nothing_is_none(fields: dict[str, Any]) -> None:
    assert parsed(**fields).parameters == {}


def test_every_optional_field_may_be_null() -> None:
    optional = {name: None for name in CompletionBody.model_fields if name not in BODY}
    message = {"tool_calls": None, "name": None, **HI[0]}

    assert {"on_disconnect", "tool_choice"} <= optional.keys()
    assert parsed(**optional, messages=[message]) == parsed()


@pytest.mark.parametrize(
    "change,field",
    [
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"model": "\x00"}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x" * 101}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "\x00"}, *HI]}, "messages.0.content"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"tools": {}}, "tools"),
        ({"tools": ["f"]}, "tools.0"),
        ({"response_format": "json"}, "response_format"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {**BODY, **change}).fields) == {field}


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": " "}]])
def test_blank_last_message_is_named(content: Any) -> None:
    refused = refusal(DIALECT, {**BODY, "messages": [*HI, {"role": "user", "content": content}]})

    assert isinstance(refused, InvalidRequest)
    assert refused.fields == {"messages.1.content": "must not be blank"}


def test_what_is_absent_is_named() -> None:
    assert refusal(DIALECT, {}).fields == {"model": "field required", "messages": "field required"}


@pytest.mark.parametrize(
    "name,value",
    [
        ("audio", {"voice": "alloy"}),
        ("function_call", "auto"),
        ("functions", [{"name": "f"}]),
    ],
)
def test_parameter_that_no_provider_takes_is_not_supported(name: str, value: Any) -> None:
    refused = refusal(DIALECT, {**BODY, name: value})

    assert (refused.code, refused.http_status, set(refused.fields)) == (
        "unsupported_parameter",
        400,
        {name},
    )
