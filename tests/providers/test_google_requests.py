"""What Gemini is asked besides texts: tools, calls and their results, thinking, formats."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import KINDS, parts_of
from app.core.messages import Part, ProviderMessage, text_parts
from app.core.run_errors import UpstreamRejected
from app.core.runs import ProviderRequest
from app.providers.google.requests import PARAMETERS, request_body
from app.providers.google.signatures import MISSING, kept
from app.providers.wire.adapting import NO_THOUGHTS
from app.runs.ports import Provider
from tests.providers.test_google import WHOLE, refuse
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream, event_bytes
from tests.support.wires import GOOGLE, send

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tell.",
                                            "parameters": SCHEMA, "strict": True}}  # fmt: skip
TIME = {"type": "function", "function": {"name": "time", "parameters": {}}}
TOOLS = [WEATHER, TIME]
DECLARED = [
    {"name": "weather", "description": "Tell.", "parametersJsonSchema": SCHEMA},
    {"name": "time"},
]
NEW, OLD, GEMMA = "gemini-3.8-flash", "gemini-2.5-flash", "gemma-3-27b-it"


def body_of(model: str = NEW, **parameters: Any) -> dict[str, Any]:
    return request_body(request_of(model=model, parameters=parameters))


# --- tools --------------------------------------------------------------------------------------


def test_tools_are_declared_with_their_schemas() -> None:
    body = body_of(tools=TOOLS)

    assert body["tools"] == [{"functionDeclarations": DECLARED}]
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "time"}},
            {"mode": "ANY", "allowedFunctionNames": ["time"]},
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
def test_choice_is_googles(choice: Any, config: dict[str, Any]) -> None:
    body = body_of(tools=TOOLS, tool_choice=choice)

    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert body["tools"] == [{"functionDeclarations": DECLARED}]


def test_tools_that_may_not_be_called_are_not_declared() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "time"}}]}
    body = body_of(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})

    assert body["tools"] == [{"functionDeclarations": DECLARED[1:]}]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


def test_without_tools_nothing_is_said_of_them() -> None:
    assert set(body_of()) == {"contents", "generationConfig"}
    assert "parallel_tool_calls" not in PARAMETERS  # so it is refused, by its name


# --- thinking, formats, probabilities -----------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (NEW, "none", {"thinkingLevel": "MINIMAL"}),
        (NEW, "minimal", {"thinkingLevel": "MINIMAL"}),
        (NEW, "low", {"thinkingLevel": "LOW"}),
        (NEW, "medium", {"thinkingLevel": "MEDIUM"}),
        (NEW, "high", {"thinkingLevel": "HIGH"}),
        (NEW, "xhigh", {"thinkingLevel": "HIGH"}),
        ("models/gemini-3.1-pro-preview", "none", {"thinkingLevel": "LOW"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM"}),
        ("gemini-flash-latest", "low", {"thinkingLevel": "LOW"}),
        ("gemini-20", "low", {"thinkingLevel": "LOW"}),
        (OLD, "none", {"thinkingBudget": 0}),
        (OLD, "low", {"thinkingBudget": 1024}),
        (OLD, "medium", {"thinkingBudget": 8192}),
        (OLD, "high", {"thinkingBudget": 24576}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
    ],
)
def test_effort_is_a_level_or_a_budget(model: str, effort: str, thinking: dict[str, Any]) -> None:
    config = body_of(model, reasoning_effort=effort)["generationConfig"]

    assert config["thinkingConfig"] == {"includeThoughts": True, **thinking}


def test_model_that_cannot_think_need_not_be_told_not_to() -> None:
    without = frozenset({NO_THOUGHTS})
    for effort, thinking in (("none", None), ("low", {"thinkingBudget": 1024})):
        request = request_of(model=OLD, parameters={"reasoning_effort": effort})
        assert request_body(request, without)["generationConfig"].get("thinkingConfig") == thinking


@pytest.mark.parametrize(
    "words", ["Thinking level MINIMAL is not supported", "The thinking_budget 0 is invalid"]
)
def test_refusal_of_an_effort_is_told(
    provider: Provider, model_server: Upstream, words: str
) -> None:
    model_server.reply = lambda exchange: refuse(exchange, "400 Bad Request", words)

    with pytest.raises(UpstreamRejected):
        ask(provider, parameters={"reasoning_effort": "none"})
    assert len(model_server.exchanges) == 1


@pytest.mark.parametrize(
    ("form", "config"),
    [
        ({"type": "json_object"}, {}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
            {"responseJsonSchema": SCHEMA},
        ),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, {}),
    ],
)
def test_format_is_a_type_and_a_schema(form: Any, config: dict[str, Any]) -> None:
    said = body_of(response_format=form)["generationConfig"]

    del said["thinkingConfig"]
    assert said == {"responseMimeType": "application/json", **config}


def test_tokens_are_told_as_openai_does(provider: Provider, model_server: Upstream) -> None:
    def one(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "tokenId": 1, "logProbability": logprob}

    result = {
        "chosenCandidates": [one("é", -0.5), one("!", -1.0)],
        "topCandidates": [{"candidates": [one("é", -0.5), one("e", -2)]}, {}],
    }
    content = {"role": "model", "parts": [{"text": "é!"}]}
    chunk = {"candidates": [{"content": content, "logprobsResult": result}]}

    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.event(chunk)
        exchange.chunk(WHOLE[1])
        exchange.raw(b"0\r\n\r\n")

    model_server.reply = reply
    said = joined(ask(provider, parameters={"logprobs": True, "top_logprobs": 2}))

    e_acute = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    others = [e_acute, {"token": "e", "logprob": -2, "bytes": [101]}]
    assert said["logprobs"]["content"] == [
        {**e_acute, "top_logprobs": others},
        {"token": "!", "logprob": -1.0, "bytes": [33], "top_logprobs": []},
    ]
    config = model_server.exchanges[0].body["generationConfig"]
    assert (config["responseLogprobs"], config["logprobs"]) == (True, 2)


@pytest.fixture
def provider(model_server: Upstream) -> Provider:
    return GOOGLE.provider(f"http://127.0.0.1:{model_server.port}")


# --- what was called ----------------------------------------------------------------------------


def call(call_id: str, name: str = "weather", **more: Any) -> Part:
    return {"type": "tool_call", "call_id": call_id, "name": name, "source": "client",
            "input": {"city": "Rom"}, **more}  # fmt: skip


def result(call_id: str, name: str = "weather", **said: Any) -> Part:
    said = said or {"output": {"degrees": 20}}
    return {"type": "tool_result", "call_id": call_id, "name": name, **said}


def signed(signature: str, call_id: str = "", vendor: str = "google", **more: Any) -> Part:
    names = {"call_id": call_id} if call_id else {}
    return {"type": "opaque", "vendor": vendor, **names, **kept(signature), **more}


def text(said: str) -> Part:
    return {"type": "text", "text": said}


def contents_of(*content: Part, model: str = NEW) -> list[dict[str, Any]]:
    messages = (
        ProviderMessage("user", text_parts("hi")),
        ProviderMessage("assistant", content),
        ProviderMessage("user", text_parts("and?")),
    )
    found = request_body(ProviderRequest(messages, model=model), vendor="google")["contents"]
    assert (found[0], found[-1]) == (
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "user", "parts": [{"text": "and?"}]},
    )
    middle: list[dict[str, Any]] = found[1:-1]
    return middle


def called(call_id: str, signature: str | None = None, name: str = "weather") -> dict[str, Any]:
    said = {"functionCall": {"id": call_id, "name": name, "args": {"city": "Rom"}}}
    return {**said, "thoughtSignature": signature} if signature else said


def answered(call_id: str, name: str = "weather", **response: Any) -> dict[str, Any]:
    response = response or {"output": {"degrees": 20}}
    return {"functionResponse": {"id": call_id, "name": name, "response": response}}


def test_calls_and_results_are_turns() -> None:
    said = contents_of(text("Well."), signed("A", "c1"), call("c1"), result("c1"), text("20."))

    assert said == [
        {"role": "model", "parts": [{"text": "Well."}, called("c1", "A")]},
        {"role": "user", "parts": [answered("c1")]},
        {"role": "model", "parts": [{"text": "20."}]},
    ]


def test_calls_at_once_have_the_signature_on_the_first_alone() -> None:
    calls = (signed("A", "c1"), call("c1"), call("c2"), result("c2"), result("c1"))

    assert contents_of(*calls) == [
        {"role": "model", "parts": [called("c1", "A"), called("c2")]},
        {"role": "user", "parts": [answered("c2"), answered("c1")]},
    ]


def test_calls_one_after_the_other_have_each_its_own() -> None:
    first = (signed("A", "c1"), call("c1"), result("c1"))
    second = (signed("B", "c2"), call("c2"), result("c2"))

    assert contents_of(*first, *second) == [
        {"role": "model", "parts": [called("c1", "A")]},
        {"role": "user", "parts": [answered("c1")]},
        {"role": "model", "parts": [called("c2", "B")]},
        {"role": "user", "parts": [answered("c2")]},
    ]


@pytest.mark.parametrize(
    ("model", "signature"),
    [(NEW, MISSING), ("gemini-flash-latest", MISSING), (OLD, None), (GEMMA, None)],
)
def test_call_that_has_no_signature_is_one_without_a_need_of_it(
    model: str, signature: str | None
) -> None:
    foreign = signed("A", "c1", vendor="anthropic")
    calls = (foreign, call("c1"), call("c2"), result("c1"), result("c2"))

    parts = [called("c1", signature), called("c2")]
    assert contents_of(*calls, model=model)[0] == {"role": "model", "parts": parts}


def test_signature_that_a_client_brings_counts() -> None:
    said = contents_of(call("c1"), signed("A", "c1", vendor=""), result("c1"))

    assert said[0]["parts"] == [called("c1", "A")]


@pytest.mark.parametrize("odd", [5, None, {}, {"google": 5}, {"google": {"thought_signature": 5}}])
def test_what_is_no_signature_is_none(odd: Any) -> None:
    brought: Part = {"type": "opaque", "vendor": "", "call_id": "c1", "extra_content": odd}

    assert contents_of(call("c1"), brought, result("c1"))[0]["parts"] == [called("c1", MISSING)]


def test_text_goes_back_in_the_parts_that_it_came_in() -> None:
    said = contents_of(text("one two"), signed("A", of=3), text(" three"), signed("B"))

    assert said[0]["parts"] == [
        {"text": "one "},
        {"text": "two", "thoughtSignature": "A"},
        {"text": " three"},
        {"text": "", "thoughtSignature": "B"},
    ]


def test_signature_of_more_text_than_there_is_is_of_all() -> None:
    assert contents_of(text("one"), signed("A", of=9))[0]["parts"] == [
        {"text": "one", "thoughtSignature": "A"}
    ]


@pytest.mark.parametrize(
    ("said", "response"),
    [
        ({"output": "20"}, {"output": "20"}),
        ({"output": None}, {"output": None}),
        ({"error": "no"}, {"error": "Error: no"}),
        ({"denied": True}, {"error": "The user did not allow this call."}),
    ],
)
def test_result_is_an_output_or_an_error(said: Any, response: Any) -> None:
    turns = contents_of(call("c1"), result("c1", **said))

    assert turns[1]["parts"] == [answered("c1", **response)]


def test_call_without_a_result_gets_one_and_one_without_an_input_has_none() -> None:
    invalid: Part = {**call("c1"), "invalid": '{"ci'}
    del invalid["input"]  # type: ignore[attr-defined]  # a dict, as parts are

    first, second = contents_of(invalid)
    assert first["parts"][0]["functionCall"]["args"] == {}
    assert set(second["parts"][0]["functionResponse"]["response"]) == {"error"}


def test_what_came_goes_back_as_it_came(provider: Provider, model_server: Upstream) -> None:
    parts = [
        {"text": "Well"},
        {"text": ", let me see.", "thoughtSignature": "VEVYVA=="},
        {**called("c1"), "thoughtSignature": "Q0FMTA=="},
        called("c2", name="time"),
    ]
    content = {"role": "model", "parts": parts}
    model_server.reply = send(
        GOOGLE.thinking("Hm."), event_bytes({"candidates": [{"content": content}]}),
        GOOGLE.end("STOP", 5, 3),
    )  # fmt: skip
    pieces = ask(provider, first_call=1, parameters={"tools": TOOLS})
    said = parts_of(piece for piece in pieces if piece[0] in KINDS)
    results = (result("c1"), result("c2", "time"))
    messages = (
        ProviderMessage("user", text_parts("hi")),
        ProviderMessage("assistant", (*said, *results)),
    )
    list(provider.stream(ProviderRequest(messages, model=NEW, parameters={"tools": TOOLS})))

    asked = model_server.exchanges[1].body["contents"]
    assert asked[1] == content
    assert asked[2]["parts"] == [answered("c1"), answered("c2", "time")]
