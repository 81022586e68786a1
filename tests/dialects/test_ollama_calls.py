"""Ollama's dialect with tools: whole calls out, results back by name or by place."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import Entry
from app.core.messages import ProviderMessage, text_parts
from app.dialects.ollama import OllamaChat
from tests.dialects.speech import refusal, streamed, thought, whole
from tests.dialects.test_ollama import AT, BODY, HI, OPEN, last, line
from tests.support.clock import START
from tests.support.samples import end_entry, run_end, texts

DIALECT = OllamaChat()
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def ready(seq: int, n: int, name: str, source: str = "client", **said: Any) -> Entry:
    data = {"n": n, "call_id": f"call_{n}", "name": name, "source": source, **said}
    return Entry(seq, "tool_ready", data, START)


def called(name: str, index: int, arguments: str) -> str:
    call = '{"function":{"index":%d,"name":"%s","arguments":%s}}' % (index, name, arguments)
    message = '"message":{"role":"assistant","content":"","tool_calls":[%s]}' % call
    return '{%s,%s,"done":false}\n' % (AT, message)


LOG = [
    *texts("Well."),
    Entry(2, "tool_call", {"n": 1, "call_id": "call_1", "name": "weather", "source": "client"}, 0),
    Entry(3, "tool_args", {"n": 1, "delta": '{"city":"Rom"}'}, 0),
    ready(4, 1, "weather", input={"city": "Rom"}),
    ready(5, 2, "clock", source="server", input={}),
    ready(6, 3, "weather", invalid='{"ci'),
    ready(7, 4, "time", input={}),
    end_entry(8, run_end("completed", "tool_calls")),
]


def test_a_call_is_a_line_once_it_is_whole() -> None:
    assert streamed(DIALECT, LOG) == (
        OPEN
        + line("Well.")
        + called("weather", 0, '{"city":"Rom"}')
        + called("time", 1, "{}")
        + last()
    )


def test_calls_are_in_a_whole_answer() -> None:
    assert whole(DIALECT, LOG)["message"] == {
        "role": "assistant",
        "content": "Well.",
        "tool_calls": [
            {"function": {"index": 0, "name": "weather", "arguments": {"city": "Rom"}}},
            {"function": {"index": 1, "name": "time", "arguments": {}}},
        ],
    }


@pytest.mark.parametrize(
    ("think", "streams", "whole_has"),
    [(True, True, True), (False, False, False), ("low", True, True)],
)
def test_thoughts_are_shown_to_who_wants_them(think: Any, streams: bool, whole_has: bool) -> None:
    spoken = DIALECT.parse({**BODY, "think": think}, {})
    log = thought("hm", "Yes")

    assert ('"thinking":"hm"' in streamed(DIALECT, log, **spoken.options)) is streams
    assert ("thinking" in whole(DIALECT, log, **spoken.options)["message"]) is whole_has
    effort = {"reasoning_effort": think} if isinstance(think, str) else {}
    assert spoken.request.parameters == effort


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({"tools": TOOLS}, {"tools": TOOLS}),
        (
            {"tools": [{"function": {"name": "weather"}}]},
            {"tools": [{"type": "function", "function": {"name": "weather"}}]},
        ),
        ({"tools": [], "format": "", "think": None}, {}),
        ({"format": "json"}, {"response_format": {"type": "json_object"}}),
        (
            {"format": SCHEMA},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "response", "schema": SCHEMA},
                }
            },
        ),
    ],
)
def test_what_a_provider_may_take(fields: Any, parameters: Any) -> None:
    assert DIALECT.parse({**BODY, **fields}, {}).request.parameters == parameters


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"of": name}}, **more}


def said_of(*messages: dict[str, Any]) -> list[ProviderMessage]:
    request = DIALECT.parse({**BODY, "messages": [*HI, *messages]}, {}).request
    return [*(request.history or ())[1:], ProviderMessage(request.role, request.content)]


def asks(*calls: dict[str, Any], content: str | None = "") -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


@pytest.mark.parametrize("content", ["", None, "Well."])
def test_calls_are_given_ids_and_results_follow_them(content: str | None) -> None:
    first, answer = said_of(
        asks(call("weather"), content=content),
        {"role": "tool", "content": "20", "tool_name": "weather"},
    )
    *text, part = first.content
    assert text == ([*text_parts(content)] if content else [])
    call_id = part["call_id"]
    assert call_id.startswith("call_")
    assert part == {
        "type": "tool_call",
        "call_id": call_id,
        "name": "weather",
        "source": "client",
        "input": {"of": "weather"},
    }
    assert answer.content == (
        {"type": "tool_result", "call_id": call_id, "name": "weather", "output": "20"},
    )


@pytest.mark.parametrize(
    ("results", "order"),
    [
        ([{}, {}, {}], [0, 1, 2]),
        ([{"tool_name": "b"}, {"tool_name": "a"}, {"tool_name": "a"}], [1, 0, 2]),
        ([{"name": "b"}, {}, {}], [1, 0, 2]),
        ([{"tool_call_id": "c9"}, {"tool_name": "b"}, {}], [2, 1, 0]),
        ([{"tool_call_id": "unknown"}, {}, {}], [0, 1, 2]),
    ],
)
def test_results_are_of_the_calls_by_name_or_place(
    results: list[dict[str, Any]], order: list[int]
) -> None:
    tools = [{"role": "tool", "content": str(n), **one} for n, one in enumerate(results)]
    first, *answers = said_of(asks(call("a"), call("b"), call("a", id="c9")), *tools)

    ids = [part["call_id"] for part in first.content]
    assert [one.content[0]["call_id"] for one in answers] == [ids[place] for place in order]


RESULT = {"role": "tool", "content": "4"}


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([RESULT], "messages.1"),
        ([asks(call("a")), RESULT, RESULT], "messages.3"),
        ([asks(call("a")), {**RESULT, "tool_name": "b"}], "messages.2.tool_name"),
        ([{"role": "user", "content": "", "tool_calls": [call("a")]}], "messages.1.tool_calls"),
        ([asks({"name": "a"})], "messages.1.tool_calls.0.function"),
        (
            [asks({"function": {"name": "a", "arguments": [1]}})],
            "messages.1.tool_calls.0.function.arguments",
        ),
        ([{**RESULT, "images": ["AA=="]}], "messages.1.images"),
    ],
)
def test_result_of_nothing_is_named(messages: list[dict[str, Any]], field: str) -> None:
    refused = refusal(DIALECT, {**BODY, "messages": [*HI, *messages, *HI]})

    assert set(refused.fields) == {field}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"function": {"name": "a b"}}]}, "tools.0.function.name"),
        ({"tools": "weather"}, "tools"),
        ({"format": "xml"}, "format"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {**BODY, **change}).fields) == {field}


@pytest.mark.parametrize("change", [{"format": 5}, {"think": "max"}, {"think": 1}])
def test_field_of_another_type_is_named(change: dict[str, Any]) -> None:
    (name,) = change
    assert all(one.startswith(name) for one in refusal(DIALECT, {**BODY, **change}).fields)
