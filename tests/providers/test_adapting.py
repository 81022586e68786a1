"""What a server refuses is asked otherwise: once more each, remembered, and told once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.run_errors import RunError
from app.providers.wire.adapting import MAX_MODELS, Adaptations, StreamingRefused
from app.providers.wrappers.complete import Pacing, WithWhole
from app.runs.ports import Provider
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream, completion, say
from tests.support.wires import GOOGLE, OPENAI, send

SAID = (("system", "Be brief."), ("user", "hi"))
ASKED = {"temperature": 0.5, "max_tokens": 9}
Body = dict[str, Any]


def refusing(
    refuses: Callable[[Body], bool], error: Any, status: str = "400 Bad Request"
) -> Callable[[Exchange], None]:
    """Return a reply that is an error for the bodies that it refuses, and a good one for others."""

    def reply(exchange: Exchange) -> None:
        if refuses(exchange.body):
            said = json.dumps(error).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            exchange.raw(f"{head}Content-Length: {len(said)}\r\n\r\n".encode() + said)
        elif exchange.body.get("stream"):
            say(["Red", " kite"])(exchange)
        else:
            completion("Red kite")(exchange)

    return reply


def error(message: str = "x", **fields: Any) -> Body:
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


def has(name: str) -> Callable[[Body], bool]:
    return lambda body: name in body


def has_role(role: str) -> Callable[[Body], bool]:
    return lambda body: any(message["role"] == role for message in body["messages"])


# Refused bodies, what is said, and how the second request differs: what it has, what it has not.
OPTIONS: dict[str, tuple[Callable[[Body], bool], Body, Body, tuple[str, ...]]] = {
    "stream_options by param": (
        has("stream_options"),
        error(param="stream_options", code="unknown_parameter"),
        {"stream": True},
        ("stream_options",),
    ),
    "stream_options in words": (
        has("stream_options"),
        error("Unrecognized request argument supplied: stream_options"),
        {},
        ("stream_options",),
    ),
    "stream_options of FastAPI": (
        has("stream_options"),
        {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        {},
        ("stream_options",),
    ),
    "max_tokens": (
        has("max_tokens"),
        error(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        {"max_completion_tokens": 9},
        ("max_tokens",),
    ),
    "temperature": (
        has("temperature"),
        error(
            "Unsupported value: 'temperature' does not support 0.5 with this model. "
            "Only the default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        ),
        {},
        ("temperature",),
    ),
    "system, by its place": (
        has_role("system"),
        error(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            param="messages[0].role",
            code="unsupported_value",
        ),
        {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content":
         "hi"}]},
        (),
    ),
    "system, in words": (
        has_role("system"),
        error("System role not supported"),
        {"messages": [{"role": "user", "content": "Be brief.\n\nhi"}]},
        (),
    ),
}  # fmt: skip


@pytest.fixture
def provider(model_server: Upstream) -> Provider:
    return OPENAI.provider(f"http://127.0.0.1:{model_server.port}")


@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Content"])
@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_refused_is_asked_otherwise_and_remembered(
    name: str, status: str, provider: Provider, model_server: Upstream
) -> None:
    refuses, said, has_now, lacks = OPTIONS[name]
    model_server.reply = refusing(refuses, said, status)

    assert joined(ask(provider, *SAID, **ASKED))["text"] == "Red kite"
    assert joined(ask(provider, *SAID, **ASKED))["text"] == "Red kite"

    first, second, later = (exchange.body for exchange in model_server.exchanges)
    assert refuses(first) and second == later
    assert has_now.items() <= second.items()
    assert not set(lacks) & set(second)


def test_all_refusals_at_once_are_one_request_each(
    provider: Provider, model_server: Upstream
) -> None:
    def reply(exchange: Exchange) -> None:
        for refuses, said, *_ in OPTIONS.values():
            if refuses(exchange.body):
                return refusing(lambda body: True, said)(exchange)
        return say(["Red kite"])(exchange)

    model_server.reply = reply

    assert joined(ask(provider, *SAID, **ASKED))["text"] == "Red kite"
    assert len(model_server.exchanges) == 5
    assert joined(ask(provider, *SAID, **ASKED))["text"] == "Red kite"
    assert len(model_server.exchanges) == 6


def test_another_model_is_asked_as_ever(provider: Provider, model_server: Upstream) -> None:
    model_server.reply = refusing(has("stream_options"), error(param="stream_options"))
    ask(provider)
    ask(provider, model="model-2")

    assert ["stream_options" in one.body for one in model_server.exchanges] == [
        True,
        False,
        True,
        False,
    ]


REFUSED_FOR_GOOD = {
    "a value of the temperature": error("temperature must be between 0 and 1", param="temperature"),
    "a limit that is too large": error(
        "'max_tokens' or 'max_completion_tokens' is too large: 9000", param="max_tokens"
    ),
    "a list that has stream in it": error("Allowed: model, messages, stream", param="seed"),
    "a prompt that speaks of streams": error("Invalid content: my stream of thought"),
    "no such model": error("The model does not exist; see the stream docs", code="model_not_found"),
    "a prompt that was flagged": error("your prompt was flagged: 'system'", code="invalid_prompt"),
    "a value": error("max_tokens must be at most 4096, not 100000", param="max_tokens"),
    "another parameter": error(param="top_p"),
    "nothing of it": error("no"),
    "the context": error("maximum context length is 5 tokens", code="context_length_exceeded"),
}


@pytest.mark.parametrize("name", REFUSED_FOR_GOOD)
def test_other_refusals_are_final(name: str, provider: Provider, model_server: Upstream) -> None:
    model_server.reply = refusing(lambda body: True, REFUSED_FOR_GOOD[name])

    with pytest.raises(RunError):
        ask(provider, *SAID, **ASKED)
    assert len(model_server.exchanges) == 1


@pytest.mark.parametrize("name", OPTIONS)
def test_server_that_refuses_again_is_asked_no_third_time(
    name: str, provider: Provider, model_server: Upstream
) -> None:
    _, said, *_ = OPTIONS[name]
    model_server.reply = refusing(lambda body: True, said)

    with pytest.raises(RunError):
        ask(provider, *SAID, **ASKED)
    assert len(model_server.exchanges) <= 3
    model_server.exchanges.clear()
    with pytest.raises(RunError):  # nothing was learned of it
        ask(provider, *SAID, **ASKED)
    assert OPTIONS[name][0](model_server.exchanges[0].body)


STREAM_REFUSED = (
    error("Streaming is not yet implemented"),
    error("Streaming is disabled for this deployment."),
    error("'stream' must be false"),
    error(param="stream", code="unsupported_value"),
    error("Your organization must be verified to stream this model.", param="stream"),
    error("Streaming is not supported for this model"),
    {"detail": "streaming not supported"},
)


@pytest.mark.parametrize("said", STREAM_REFUSED, ids=lambda said: json.dumps(said)[:50])
def test_streaming_that_is_refused_is_a_whole_reply(said: Body, model_server: Upstream) -> None:
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}")
    both = WithWhole(provider, Pacing(1, 0, lambda seconds: None), True)  # type: ignore[arg-type]
    model_server.reply = refusing(lambda body: bool(body.get("stream")), said)

    pieces = ask(both)
    assert [data for kind, data in pieces if kind == "text"] == ["Red ", "kite"]
    ask(both)
    assert [bool(one.body.get("stream")) for one in model_server.exchanges] == [True, False, False]
    assert provider.adaptations.all() == {"model-1": ["whole"]}  # type: ignore[attr-defined]


def test_whole_reply_that_is_refused_too_teaches_nothing(model_server: Upstream) -> None:
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}")
    both = WithWhole(provider, Pacing(1, 0, lambda seconds: None), True)  # type: ignore[arg-type]
    model_server.reply = refusing(lambda body: True, STREAM_REFUSED[0])

    with pytest.raises(RunError):
        ask(both)
    assert provider.adaptations.all() == {}  # type: ignore[attr-defined]


def test_provider_by_itself_says_that_streaming_is_refused(
    provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = refusing(lambda body: True, STREAM_REFUSED[0])

    with pytest.raises(StreamingRefused):
        list(provider.stream(request_of()))


TEMPLATES = (
    "Only user and assistant roles are supported!",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Unexpected message role.",
    "Input should be 'user' or 'assistant'",
)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
@pytest.mark.parametrize("message", TEMPLATES)
def test_template_without_a_system_has_its_prompt_in_the_first_turn(
    message: str, status: str, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = refusing(has_role("system"), error(message), status)
    said = (("user", "a"), ("system", "t"), ("user", "b"))

    assert joined(ask(provider, *said))["text"] == "Red kite"
    assert model_server.exchanges[-1].body["messages"] == [
        {"role": "user", "content": "t\n\na\n\nb"}
    ]


@pytest.mark.parametrize(
    "message",
    [
        "Parameter max_tokens is not supported by o3-mini",
        "Unsupported parameter: max_tokens for gpt-5",
    ],
)
def test_number_in_a_models_name_is_no_value(
    message: str, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = refusing(has("max_tokens"), error(message))

    assert joined(ask(provider, **ASKED))["text"] == "Red kite"
    assert model_server.exchanges[-1].body["max_completion_tokens"] == 9


def test_argument_that_a_server_passes_on_is_left_out(
    provider: Provider, model_server: Upstream
) -> None:
    said = error("create() got an unexpected keyword argument 'stream_options'")
    model_server.reply = refusing(has("stream_options"), said, "500 Internal Server Error")

    assert joined(ask(provider))["text"] == "Red kite"


def test_thoughts_of_replies_are_taken_out_before_they_are_joined(model_server: Upstream) -> None:
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}", splits_thoughts=True)
    said = (
        ("user", "a"),
        ("assistant", "<think>x</think>"),
        ("user", "b"),
        ("assistant", "<think>x</think>c"),
        ("assistant", "<think>y</think>d"),
        ("user", "e"),
    )
    ask(provider, *said)

    assert [(m["role"], m["content"]) for m in model_server.exchanges[0].body["messages"]] == [
        ("user", "a\n\nb"),
        ("assistant", "c\n\nd"),
        ("user", "e"),
    ]


def test_gemma_has_its_prompt_in_the_first_turn(model_server: Upstream) -> None:
    provider = GOOGLE.provider(f"http://127.0.0.1:{model_server.port}")
    good = send(GOOGLE.text("a"), GOOGLE.end("STOP", 5, 3))
    said = {"error": {"code": 400, "message": "Developer instruction is not enabled for models/g"}}
    refused = refusing(lambda body: True, said)
    model_server.reply = lambda exchange: (
        refused(exchange) if "systemInstruction" in exchange.body else good(exchange)
    )

    assert joined(ask(provider, *SAID))["text"] == "a"
    parts = model_server.exchanges[1].body["contents"][0]["parts"]
    assert parts == [{"text": "Be brief."}, {"text": "hi"}]


def test_only_so_many_models_are_remembered() -> None:
    known = Adaptations("openai")
    for number in range(MAX_MODELS + 10):
        known.learn(f"m-{number}", frozenset({"whole"}))

    assert len(known.all()) == MAX_MODELS
    assert known.of("m-0") == frozenset()
