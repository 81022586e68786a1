"""What clients of Responses ask: read, passed on, or refused by the name they gave it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from app.chats.placing import Place
from app.chats.request import ChatRequest
from app.core.errors import InvalidRequest, UnsupportedParameter
from app.core.messages import ProviderMessage, text_of, text_parts
from app.dialects.responses.items import sealed
from app.dialects.responses.responses import Responses
from tests.dialects.speech import refusal

DIALECT = Responses()
BODY: dict[str, Any] = {"model": "gpt", "input": "hi"}
PARAMETERS = {"type": "object", "properties": {}}
TOOL = {"type": "function", "name": "f", "parameters": PARAMETERS, "strict": True}
FUNCTION = {"name": "f", "parameters": PARAMETERS, "strict": True}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "20"}
PART = {
    "type": "tool_call",
    "call_id": "c",
    "name": "f",
    "source": "client",
    "input": {"a": 1},
}
RESULT = {"type": "tool_result", "call_id": "c", "name": "f", "output": "20"}
SCHEMA = {"type": "json_schema", "name": "n", "schema": PARAMETERS, "strict": True}
OPAQUE = {"vendor": "v", "call_id": "c", "extra_content": {"google": {"thought_signature": "s"}}}


def parsed(**fields: Any) -> ChatRequest:
    return DIALECT.parse({**BODY, **fields}, {}).request


def said(*items: Any, **fields: Any) -> tuple[ProviderMessage, ...]:
    """Return the messages that the items are."""
    request = parsed(input=list(items), **fields)
    return (*request.history, ProviderMessage(request.role, request.content))


def test_model_and_input_are_enough() -> None:
    spoken = DIALECT.parse({**BODY, "user": "u-1", "service_tier": "auto", "colour": "red"}, {})
    request = spoken.request

    assert (text_of(request.content), request.model, request.history) == ("hi", "gpt", ())
    assert (request.listed, request.stop_when_unwatched, request.place) == (True, True, Place())
    assert (spoken.streams, spoken.detached, spoken.options) == (False, False, {})
    assert parsed(model=None).model is None


def test_items_are_messages_and_those_of_one_reply_are_one() -> None:
    message = {"type": "message", "role": "assistant"}
    spoken = [
        {"type": "output_text", "text": "Let me see."},
        {"type": "refusal", "refusal": " No."},
    ]
    thoughts = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": sealed(OPAQUE),
    }
    messages = said(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "reasoning", "id": "rs_0", "summary": []},
        {**message, "content": spoken},
        thoughts,
        CALL,
        {**OUTPUT, "output": [{"type": "input_text", "text": "20"}]},
    )
    assert messages == (
        ProviderMessage("system", text_parts("Be brief.")),
        ProviderMessage("user", text_parts("hi")),
        ProviderMessage(
            "assistant",
            (*text_parts("Let me see. No."), {"type": "opaque", **OPAQUE}, PART),
        ),
        ProviderMessage("tool", (RESULT,)),
    )


def test_items_that_are_stored_here_are_named() -> None:
    run_id = "0123456789abcdef" * 2
    named = [
        {"type": "item_reference", "id": f"{kind}_{run_id}_{index}"}
        for index, kind in enumerate(("rs", "msg", "fc"))
    ]
    messages = said({"role": "user", "content": "hi"}, *named, OUTPUT)
    assert messages[1:] == (
        ProviderMessage("assistant", ({"type": "reply_of", "run_id": run_id},)),
        ProviderMessage("tool", ({**RESULT, "name": ""},)),
    )


def test_a_result_of_a_call_that_is_stored_has_no_name_yet() -> None:
    (message,) = said(OUTPUT, previous_response_id="resp_1")
    assert message == ProviderMessage("tool", ({**RESULT, "name": ""},))
    assert said(OUTPUT, conversation="conv_1") == (message,)


def test_what_it_goes_on_from() -> None:
    after = parsed(previous_response_id="resp_abc")
    assert (after.place, after.session_id) == (Place("after_run", "abc"), None)
    for conversation in ("conv_s-1", {"id": "conv_s-1"}, "s-1"):
        request = parsed(conversation=conversation)
        assert (request.session_id, request.must_exist) == ("s-1", True)


@pytest.mark.parametrize(
    "fields, found",
    [
        ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
        ({"tool_choice": "required"}, {}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"text": {"format": SCHEMA}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": PARAMETERS, "strict": True},
                }
            },
        ),
    ],
)
def test_parameters(fields: dict[str, Any], found: dict[str, Any]) -> None:
    assert parsed(**fields).parameters == found


@pytest.mark.parametrize(
    "choice, passed",
    [
        ("required", "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}],
            },
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
        ),
    ],
)
def test_a_choice_is_said_as_in_chat_completions(choice: Any, passed: Any) -> None:
    assert parsed(tools=[TOOL], tool_choice=choice).parameters["tool_choice"] == passed


def test_a_search_is_ours() -> None:
    request = parsed(
        tools=[{"type": "web_search_preview_2025_03_11"}, {"type": "web_search"}, TOOL]
    )
    assert request.server_tools == ("web_search",)
    assert len(request.parameters["tools"]) == 1


def test_what_is_stored_and_what_goes_on() -> None:
    assert parsed(store=False).listed is False
    assert parsed(background=True).stop_when_unwatched is False
    alone = DIALECT.parse({**BODY, "background": True}, {})
    assert (alone.detached, alone.streams) == (True, False)
    watched = DIALECT.parse({**BODY, "background": True, "stream": True}, {})
    assert (watched.detached, watched.streams) == (False, True)


def test_what_is_said_again_is_kept_with_the_run() -> None:
    asked = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "tools": [TOOL],
        "previous_response_id": "resp_1",
        "text": {"format": SCHEMA},
    }
    spoken = DIALECT.parse({**BODY, **asked, "include": ["reasoning.encrypted_content"]}, {})
    assert spoken.request.options == spoken.options == {**asked, "seals": True}


def forged(**fields: Any) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "encrypted_content": sealed(fields)}


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": " "}, "input"),
        ({"input": [{"role": "user", "content": " "}]}, "input.0.content"),
        ({"input": [{"role": "king", "content": "hi"}]}, "input.0.role"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input.0.content.0.text",
        ),
        ({"input": [OUTPUT]}, "input.0.call_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.id"),
        ({"input": [{"type": "item_reference"}]}, "input.0.id"),
        ({"input": [{**CALL, "arguments": "[1]"}]}, "input.0.arguments"),
        ({"input": [{**CALL, "name": 5}]}, "input.0.name"),
        ({"input": [CALL, {**OUTPUT, "output": 5}]}, "input.1.output"),
        ({"input": [forged(vendor=5)]}, "input.0.encrypted_content"),
        ({"input": [forged(vendor="", block="text")]}, "input.0.encrypted_content"),
        (
            {"input": [{"type": "reasoning", "encrypted_content": "?"}]},
            "input.0.encrypted_content",
        ),
        (
            {
                "input": [
                    {"type": "reasoning", "encrypted_content": base64.b64encode(b"[1]").decode()}
                ]
            },
            "input.0.encrypted_content",
        ),
        ({"background": True, "store": False}, "background"),
        ({"background": True, "on_disconnect": "stop"}, "on_disconnect"),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "conversation"),
        ({"conversation": "conv_/"}, "conversation"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"metadata": {"a": 5}}, "metadata.a"),
        ({"tools": [{"type": "function", "name": "?"}]}, "tools.0.name"),
        ({"tools": [{**TOOL, "parameters": [1]}]}, "tools.0.parameters"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"truncation": "never"}, "truncation"),
    ],
)
def test_what_is_not_valid_is_named(fields: dict[str, Any], named: str) -> None:
    refused = refusal(DIALECT, {**BODY, **fields})
    assert isinstance(refused, InvalidRequest)
    assert named in refused.fields or any(name.startswith(f"{named}.") for name in refused.fields)


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_tool_calls": 2}, "max_tool_calls"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools.0.type"),
        ({"input": [{"type": "computer_call"}]}, "input.0.type"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, Any], named: str) -> None:
    refused = refusal(DIALECT, {**BODY, **fields})
    assert isinstance(refused, UnsupportedParameter)
    assert list(refused.fields) == [named]


def test_what_a_client_brings_back_has_no_more_than_what_it_was_given() -> None:
    more = {"vendor": "", "fields": {"reasoning_content": "Hm.", "role": "system"}, "type": "text"}
    message, _ = said(forged(**more), {"role": "user", "content": "hi"})
    kept = {"type": "opaque", "vendor": "", "fields": {"reasoning_content": "Hm."}}
    assert message.content == (kept,)
