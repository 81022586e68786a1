"""Claude's own wire: what it is asked, and what is said otherwise after a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.messages import Part, ProviderMessage, text_parts
from app.core.run_errors import UpstreamRejected
from app.core.runs import ProviderRequest
from app.providers.anthropic.requests import MOST_TOKENS, OTHER_THOUGHTS, request_body
from app.providers.wire.adapting import NO_TEMPERATURE, NO_THOUGHTS
from app.runs.ports import Provider
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream
from tests.support.wires import ANTHROPIC, KEY, MODEL, send

NEW, OLD = "claude-sonnet-5-5", "claude-sonnet-4-5-20250929"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Of a city.",
                                      "parameters": SCHEMA, "strict": True}},
    {"type": "function", "function": {"name": "time"}},
]  # fmt: skip
DECLARED = [
    {"name": "weather", "description": "Of a city.", "strict": True, "input_schema": SCHEMA},
    {"name": "time", "input_schema": {"type": "object", "properties": {}}},
]
WHOLE = (ANTHROPIC.text("a"), ANTHROPIC.end("end_turn", 5, 3))


def body_of(*said: tuple[str, str], model: str = NEW, **parameters: Any) -> dict[str, Any]:
    request = request_of(*(said or [("user", "hi")]), model=model, parameters=parameters)
    return request_body(request, stream=False)


def text(said: str) -> Part:
    return {"type": "text", "text": said}


def turn(role: str, *blocks: Any) -> dict[str, Any]:
    content = [text(one) if isinstance(one, str) else one for one in blocks]
    return {"role": role, "content": content}


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "system", "turns"),
    [
        ([("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")], "Be brief.",
         [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]),
        ([("user", "a"), ("system", "S"), ("system", "T"), ("user", "b")], "S\n\nT",
         [turn("user", "a\n\nb")]),
        ([("assistant", "a"), ("user", "b")], None,
         [turn("user", "..."), turn("assistant", "a"), turn("user", "b")]),
        ([("user", "a"), ("assistant", " \n"), ("user", "b")], None, [turn("user", "a", "b")]),
        ([("user", "a"), ("assistant", "so \n")], None,
         [turn("user", "a"), turn("assistant", "so")]),
    ],
    ids=["roles", "neighbours", "the model first", "white space", "the reply's beginning"],
)  # fmt: skip
def test_messages_are_claudes(
    said: list[tuple[str, str]], system: str | None, turns: list[Any]
) -> None:
    body = body_of(*said)

    assert (body.get("system"), body["messages"]) == (system, turns)


def conversation(*content: Part, vendor: str = "anthropic") -> list[dict[str, Any]]:
    messages = (
        ProviderMessage("user", text_parts("hi")),
        ProviderMessage("assistant", content),
        ProviderMessage("user", text_parts("and now?")),
    )
    made = request_body(ProviderRequest(messages, NEW), stream=False, vendor=vendor)["messages"]
    assert made[0] == turn("user", "hi")
    return list(made[1:])


def call(call_id: str = "call_1", **more: Any) -> Part:
    return {"type": "tool_call", "call_id": call_id, "name": "weather", "source": "client",
            "input": {"city": "Rom"}, **more}  # fmt: skip


def result(call_id: str = "call_1", **said: Any) -> Part:
    return {"type": "tool_result", "call_id": call_id, "name": "weather", **said}


USE = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rom"}}


@pytest.mark.parametrize(
    ("said", "block"),
    [
        ({"output": "20 degrees"}, {"content": "20 degrees"}),
        ({"output": {"degrees": 20}}, {"content": '{"degrees": 20}'}),
        ({"error": "no such city"}, {"content": "Error: no such city", "is_error": True}),
    ],
)
def test_results_come_before_what_the_user_says(said: Any, block: dict[str, Any]) -> None:
    given = {"type": "tool_result", "tool_use_id": "call_1", **block}

    assert conversation(text("I look."), call(), result(**said)) == [
        turn("assistant", "I look.", USE),
        turn("user", given, "and now?"),
    ]


def test_call_without_a_result_gets_one() -> None:
    _, said = conversation(call())

    assert (said["content"][0]["tool_use_id"], said["content"][0]["is_error"]) == ("call_1", True)


def test_ids_have_the_letters_that_are_taken() -> None:
    called, said = conversation(call("a.b:c"), result("a.b:c", output="x"))

    assert called["content"][0]["id"] == said["content"][0]["tool_use_id"] == "a_b_c"


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def kept(vendor: str = "anthropic") -> Part:
    return {"type": "opaque", "vendor": vendor, "block": THOUGHT}


def test_thoughts_go_back_exactly_to_whom_they_are_from() -> None:
    parts = (kept(), call(), result(output="x"))

    assert conversation(*parts)[0] == turn("assistant", THOUGHT, USE)
    assert conversation(*parts, vendor="claude-2")[0] == turn("assistant", USE)
    others = {"type": "opaque", "vendor": "anthropic", "extra_content": {}}
    assert conversation(others, call(), result(output="x"))[0] == turn("assistant", USE)


# --- tools --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", None),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (
            {"type": "function", "function": {"name": "time"}},
            {"type": "tool", "name": "time"},
        ),
    ],
)
def test_choice_is_claudes(choice: Any, said: Any) -> None:
    body = body_of(tools=TOOLS, tool_choice=choice)

    assert (body["tools"], body.get("tool_choice")) == (DECLARED, said)


def test_one_call_at_a_time() -> None:
    body = body_of(tools=TOOLS, parallel_tool_calls=False)

    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in body_of(tools=TOOLS, parallel_tool_calls=True)
    none = body_of(tools=TOOLS, parallel_tool_calls=False, tool_choice="none")
    assert none["tool_choice"] == {"type": "none"}


def test_tools_that_may_not_be_called_are_not_declared() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "time"}}]}
    body = body_of(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})

    assert (body["tools"], body["tool_choice"]) == (DECLARED[1:], {"type": "any"})


# --- thinking, formats, limits ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        (NEW, "none", {"type": "disabled"}, None),
        (NEW, "minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        (NEW, "xhigh", {"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"}),
        ("claude-opus-4-6", "low", {"type": "adaptive", "display": "summarized"},
         {"effort": "low"}),
        ("claude-opus-5", "low", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        ("deepseek-v4", "high", {"type": "adaptive", "display": "summarized"}, {"effort": "high"}),
        (OLD, "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, "xhigh", {"type": "enabled", "budget_tokens": 16_000}, None),
        ("claude-haiku-4-5", "medium", {"type": "enabled", "budget_tokens": 8192}, None),
        ("claude-opus-4-20250514", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("anthropic/claude-3-7-sonnet-latest", "low", {"type": "enabled", "budget_tokens": 2048},
         None),
    ],
)  # fmt: skip
def test_effort_is_said_as_the_model_takes_it(
    model: str, effort: str, thinking: Any, config: Any
) -> None:
    body = body_of(model=model, reasoning_effort=effort)

    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)
    assert "thinking" not in body_of(model=model)


def test_without_room_for_thoughts_there_are_none() -> None:
    request = request_of(model=OLD, max_tokens=2000, parameters={"reasoning_effort": "low"})

    assert "thinking" not in request_body(request, stream=False)


def test_who_has_to_call_does_not_think() -> None:
    body = body_of(tools=TOOLS, tool_choice="required", reasoning_effort="high")

    assert "thinking" not in body and body["output_config"] == {"effort": "high"}


def test_who_thinks_is_told_no_temperature() -> None:
    for parameters, temperature in (({}, 0.5), ({"reasoning_effort": "low"}, None)):
        request = request_of(temperature=0.5, parameters=parameters)
        assert request_body(request, stream=False).get("temperature") == temperature


def test_format_is_a_schema() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    body = body_of(response_format=schema, reasoning_effort="low")

    asked = {"type": "json_schema", "schema": SCHEMA}
    assert body["output_config"] == {"effort": "low", "format": asked}
    assert "output_config" not in body_of(response_format={"type": "text"})


@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "json_schema"}])
def test_format_that_cannot_be_asked_for_is_refused(form: Any) -> None:
    with pytest.raises(UpstreamRejected):
        body_of(response_format=form)


@pytest.mark.parametrize(("stop", "said"), [("x", ["x"]), (["x", "y"], ["x", "y"])])
def test_stops_are_a_list(stop: Any, said: list[str]) -> None:
    body = body_of(stop=stop, top_p=0.5)

    assert (body["stop_sequences"], body["top_p"]) == (said, 0.5)


# --- over the wire ------------------------------------------------------------------------------


@pytest.fixture
def provider(model_server: Upstream) -> Provider:
    return ANTHROPIC.provider(f"http://127.0.0.1:{model_server.port}")


@pytest.mark.parametrize("path", ["", "/v1", "/anthropic", "/anthropic/v1/"])
def test_address_is_with_or_without_the_version(model_server: Upstream, path: str) -> None:
    model_server.reply = send(*WHOLE)
    origin = f"http://127.0.0.1:{model_server.port}"
    bounds = ANTHROPIC.provider(origin)._bounds  # type: ignore[attr-defined]
    made = ANTHROPIC.make("anthropic", KEY, origin + path, MODEL, bounds)
    assert joined(ask(made))["text"] == "a"

    (exchange,) = model_server.exchanges
    before = path.rstrip("/").removesuffix("/v1")
    assert exchange.head.split()[1] == f"{before}/v1/messages"
    assert f"x-api-key: {KEY}" in exchange.head
    assert "anthropic-version: 2023-06-01" in exchange.head


def refuse(exchange: Exchange, message: str) -> None:
    error = {"type": "invalid_request_error", "message": message}
    exchange.start("400 Bad Request", "application/json")
    exchange.chunk(json.dumps({"type": "error", "error": error}).encode())
    exchange.raw(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("words", "field", "before", "after"),
    [
        ("max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for it",
         "max_tokens", MOST_TOKENS, 8192),
        ("adaptive thinking is not supported on this model", "thinking",
         {"type": "adaptive", "display": "summarized"},
         {"type": "enabled", "budget_tokens": 2048}),
        ("'thinking' is not supported for this model", "thinking",
         {"type": "adaptive", "display": "summarized"}, None),
        ("This model does not support the effort parameter.", "output_config",
         {"effort": "low"}, None),
        ("`top_p` is deprecated for this model.", "top_p", 0.5, None),
        ("`temperature` and `top_p` cannot both be specified for this model.", "top_p", 0.5, None),
    ],
)  # fmt: skip
def test_what_a_model_refuses_it_is_asked_otherwise(
    provider: Provider, model_server: Upstream, words: str, field: str, before: Any, after: Any
) -> None:
    def reply(exchange: Exchange) -> None:
        if exchange.body.get(field) == before:
            refuse(exchange, words)
        else:
            send(*WHOLE)(exchange)

    model_server.reply = reply
    parameters = {"reasoning_effort": "low", "top_p": 0.5}
    for asked in (2, 3):  # the second time it is known
        assert joined(ask(provider, parameters=parameters))["text"] == "a"
        assert len(model_server.exchanges) == asked
    assert [one.body.get(field) for one in model_server.exchanges] == [before, after, after]


def test_refusal_of_a_value_is_told(provider: Provider, model_server: Upstream) -> None:
    model_server.reply = lambda exchange: refuse(exchange, "temperature: range: -1..1")

    with pytest.raises(UpstreamRejected):
        ask(provider, temperature=1.5)
    assert len(model_server.exchanges) == 1


def test_adaptations_are_for_the_model() -> None:
    adapted = frozenset({OTHER_THOUGHTS, NO_TEMPERATURE, "at most 4000"})
    request = request_of(model=NEW, temperature=0.5, parameters={"reasoning_effort": "high"})
    body = request_body(request, stream=True, adapted=adapted)

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert (body["max_tokens"], body["stream"]) == (4000, True)
    none = request_body(request, stream=True, adapted=frozenset({NO_THOUGHTS}))
    assert none["temperature"] == 0.5 and "thinking" not in none
