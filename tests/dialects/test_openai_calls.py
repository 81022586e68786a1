"""/v1's calls: what a vendor wants back with one goes out with it, and comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.entries import Entry
from app.core.turns import calls_in
from app.dialects.openai.chat import OpenAIChat
from tests.dialects.speech import refusal, streamed, whole
from tests.support.clock import START
from tests.support.samples import end_entry, run_end

DIALECT = OpenAIChat()
EXTRA = {"google": {"thought_signature": "c2ln"}}
HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "weather"}}]


def entries(*said: tuple[str, Any]) -> list[Entry]:
    log = [Entry(seq, kind, data, START) for seq, (kind, data) in enumerate(said, 1)]
    return [*log, end_entry(len(log) + 1, run_end("completed", "tool_calls"))]


def call(n: int, source: str = "client") -> list[tuple[str, Any]]:
    names = {"n": n, "call_id": f"call_{n}", "name": "weather", "source": source}
    return [
        ("tool_call", names),
        ("tool_args", {"n": n, "delta": "{}"}),
        ("tool_ready", {**names, "input": {}}),
    ]


def opaque(n: int, **said: Any) -> tuple[str, Any]:
    return "opaque", {"vendor": "google", "call_id": f"call_{n}", **said}


def deltas(log: list[Entry]) -> list[Any]:
    lines = [one[6:] for one in streamed(DIALECT, log).splitlines() if one.startswith("data: {")]
    choices = [json.loads(one)["choices"][0]["delta"] for one in lines]
    return [call for delta in choices for call in delta.get("tool_calls", ())]


FIRST = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": ""},
}
ARGS = {"index": 0, "function": {"arguments": "{}"}}


def test_what_came_before_the_call_is_in_its_first_piece() -> None:
    assert deltas(entries(opaque(1, extra_content=EXTRA), *call(1))) == [
        {**FIRST, "extra_content": EXTRA},
        ARGS,
    ]


def test_what_came_after_it_is_a_piece() -> None:
    assert deltas(entries(*call(1), opaque(1, extra_content=EXTRA))) == [
        FIRST,
        ARGS,
        {"index": 0, "function": {"arguments": ""}, "extra_content": EXTRA},
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        opaque(1, signature="x"),
        opaque(2, extra_content=EXTRA),
        ("opaque", {"vendor": "google", "extra_content": EXTRA, "of": 3}),
        ("opaque", {"vendor": "x", "fields": {"reasoning_content": "Hm."}}),
    ],
)
def test_nothing_else_of_it_is_shown(hidden: tuple[str, Any]) -> None:
    log = entries(hidden, *call(1), *call(2, "server"))

    assert deltas(log) == [FIRST, ARGS]
    assert "extra_content" not in json.dumps(whole(DIALECT, log))


def test_whole_answer_has_it_with_the_call() -> None:
    answer = whole(DIALECT, entries(opaque(1, extra_content=EXTRA), *call(1), *call(2)))

    called = answer["choices"][0]["message"]["tool_calls"]
    assert [one.get("extra_content") for one in called] == [EXTRA, None]


def test_it_is_read_where_a_client_brings_it() -> None:
    called = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [{**called, "extra_content": EXTRA}]},
        {"role": "tool", "tool_call_id": "c", "content": "20"},
    ]
    request = DIALECT.parse({"model": "m", "messages": messages}, {}).request

    said = (request.history or ())[1].content
    assert calls_in(said)[0]["call_id"] == "c"
    assert said[-1] == {"type": "opaque", "vendor": "", "call_id": "c", "extra_content": EXTRA}


# --- what is asked of calls ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "weather"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS}},
        "required",
    ],
)
def test_choice_is_passed_on(choice: Any) -> None:
    body = {"model": "m", "messages": HI, "tools": TOOLS, "tool_choice": choice}

    assert DIALECT.parse(body, {}).request.parameters == {"tools": TOOLS, "tool_choice": choice}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.function"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools.mode"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
            "tool_choice.allowed_tools.0.type",
        ),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_what_is_no_choice_is_named(fields: Any, field: str) -> None:
    body = {"model": "m", "messages": HI, "tools": TOOLS, **fields}

    assert set(refusal(DIALECT, body).fields) == {field}
