"""What is sent without the SDK is what the SDK sends, its fingerprint aside: compared as it arrives
at a server."""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from typing import Any

import openai
import pytest

from app import __version__
from app.core.run_errors import UpstreamRefused
from app.core.runs import ProviderRequest
from app.providers.http.streams import USER_AGENT
from app.providers.openai.head import completions_head
from app.providers.openai.provider import OpenAICompatible
from app.providers.openai.requests import body_bytes
from tests.support.asking import ask, request_of
from tests.support.upstream import Exchange, Upstream, completion
from tests.support.wires import BOUNDS, KEY, MODEL, OPENAI, WIRES, Wire, send

UNICODE = 'é 漢字 🙂 \u2028 \u0085 \u202e e\u0301 👩‍👩‍👧 \x00 \x7f \\ " \t\n end'
FORMAT = {"type": "json_schema", "json_schema": {"name": "é", "schema": {"type": "object"}}}
LONG = tuple(("user" if turn % 2 else "assistant", f"{turn} " * 200) for turn in range(200))
# The SDK's arguments besides model and messages: what our own request has under the same names.
REQUESTS: dict[str, dict[str, Any]] = {
    "nothing but the messages": {},
    "temperature": {"temperature": 0.7},
    "temperature 0": {"temperature": 0},
    "max_tokens": {"max_tokens": 7},
    "max_completion_tokens": {"max_completion_tokens": 7},
    "stop": {"stop": ["\n\n", "É"]},
    "one stop": {"stop": "END"},
    "seed": {"seed": -(2**63)},
    "seed of many digits": {"seed": 2**70},
    "response_format": {"response_format": FORMAT},
    "logit_bias": {"logit_bias": {"50256": -100, "7": 1e-07}},
    "penalties": {"frequency_penalty": -2.0, "presence_penalty": 0.1, "top_p": 0.30000000000000004},
    "all": {"temperature": 2.0, "max_tokens": 10_000_000, "seed": 1, "stop": [], "top_p": 1},
}
SAID: dict[str, tuple[tuple[str, str], ...]] = {
    "unicode": (("system", UNICODE), ("user", UNICODE), ("assistant", "a"), ("user", " ")),
    "a long history": LONG,
}


def headers_of(exchange: Exchange) -> dict[str, str]:
    """Return the headers but for the body's length; a name that is there twice fails."""
    lines = [line.split(": ", 1) for line in exchange.head.split("\r\n")[1:]]
    names = [name.lower() for name, _ in lines]
    assert len(set(names)) == len(names)
    return {name.lower(): value for name, value in lines if name.lower() != "content-length"}


def sent_by_us(server: Upstream, base_url: str, request: ProviderRequest, **options: Any) -> None:
    stream = options.pop("stream", True)
    provider = OpenAICompatible("openai", KEY, base_url, MODEL, BOUNDS, **options)
    server.reply = send(OPENAI.end("stop", 5, 3)) if stream else completion("a")
    list((provider.stream if stream else provider.whole)(request))


def sent_by_the_sdk(base_url: str, stream: bool = True, **arguments: Any) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=base_url, max_retries=0)
    if stream:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    with client, client.chat.completions.with_streaming_response.create(
        model="model-1", extra_headers={"Accept-Encoding": "identity"}, **arguments
    ) as answer:
        answer.read()


def assert_equal(server: Upstream) -> None:
    """Check that two requests came that do not differ."""
    ours, theirs = server.exchanges
    assert ours.head.split("\r\n")[0] == theirs.head.split("\r\n")[0]
    expected = {k: v for k, v in headers_of(theirs).items() if not k.startswith("x-stainless-")}
    if expected["user-agent"].startswith("OpenAI/Python "):
        expected["user-agent"] = USER_AGENT
    assert headers_of(ours) == expected
    assert ours.body == theirs.body


def request_with(arguments: dict[str, Any], *said: tuple[str, str]) -> ProviderRequest:
    """Return our request of the SDK's arguments."""
    left = dict(arguments)
    fields = {"temperature": left.pop("temperature", None)}
    for name in ("max_tokens", "max_completion_tokens"):
        if name in left:
            fields["max_tokens"] = left.pop(name)
    return request_of(*said, parameters=left, **fields)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("name", REQUESTS)
def test_request_is_the_sdks(model_server: Upstream, name: str, stream: bool) -> None:
    arguments = REQUESTS[name]
    field = "max_completion_tokens" if "max_completion_tokens" in arguments else ""
    request = request_with(arguments)
    sent_by_us(model_server, model_server.url, request, stream=stream, max_tokens_field=field)
    messages = [{"role": "user", "content": "hi"}]
    sent_by_the_sdk(model_server.url, stream, messages=messages, **arguments)

    assert_equal(model_server)


@pytest.mark.parametrize("name", SAID)
def test_messages_are_the_sdks(model_server: Upstream, name: str) -> None:
    said = SAID[name]
    sent_by_us(model_server, model_server.url, request_of(*said))
    messages = [{"role": role, "content": text} for role, text in said]
    sent_by_the_sdk(model_server.url, messages=messages)

    assert_equal(model_server)


@pytest.mark.parametrize("base_url", ["http://us:pw@{}", "http://{}/é v/", "http://{}/a/../v1#x"])
def test_address_is_the_sdks(model_server: Upstream, base_url: str) -> None:
    base_url = base_url.format(f"127.0.0.1:{model_server.port}")
    sent_by_us(model_server, base_url, request_of())
    sent_by_the_sdk(base_url, messages=[{"role": "user", "content": "hi"}])

    assert_equal(model_server)


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_request_says_who_sends_it(model_server: Upstream, wire: Wire) -> None:
    model_server.reply = send(wire.text("a"), wire.end(wire.reasons[0][0], 5, 3))
    ask(wire.provider(f"http://127.0.0.1:{model_server.port}"))

    head = model_server.exchanges[0].head.lower()
    assert f"\r\nuser-agent: tandem/{__version__}\r\n" in head
    assert "stainless" not in head and "python" not in head


def test_user_of_an_address_is_nobody_elses_business(model_server: Upstream) -> None:
    base_url = f"http://us%20er:p%40w@127.0.0.1:{model_server.port}/v1"
    head = completions_head("", base_url, stream=True)
    sent_by_us(model_server, base_url, request_of())

    assert head is not None
    assert head.url == f"{model_server.url}/chat/completions"
    token = b64encode(b"us er:p@w").decode()
    assert headers_of(model_server.exchanges[0])["authorization"] == f"Basic {token}"


def test_environment_counts_as_with_the_sdk(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: seven\nUser-Agent: ours")
    sent_by_us(model_server, model_server.url, request_of())
    sent_by_the_sdk(model_server.url, messages=[{"role": "user", "content": "hi"}])

    assert_equal(model_server)
    sent = headers_of(model_server.exchanges[0])
    assert (sent["openai-organization"], sent["openai-project"]) == ("org-1", "project-1")
    assert (sent["x-team"], sent["user-agent"]) == ("seven", "ours")


def test_each_request_has_its_own_body(model_server: Upstream) -> None:
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}")
    model_server.reply = send(OPENAI.end("stop", 5, 3))
    for text in ("a", "bb"):
        list(provider.stream(request_of(("user", text), temperature=len(text))))

    bodies = [exchange.body for exchange in model_server.exchanges]
    assert [body["messages"][0]["content"] for body in bodies] == ["a", "bb"]
    assert [body["temperature"] for body in bodies] == [1, 2]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "key", ["sk-secret-é", "sk-secret-漢", "sk-secret-\ud800", "sk-secret\r\nX: y"]
)
def test_key_that_cannot_be_in_a_header(model_server: Upstream, key: str, stream: bool) -> None:
    provider = OpenAICompatible("openai", key, model_server.url, MODEL, BOUNDS)
    request = request_of()
    with pytest.raises(UpstreamRefused) as refused:
        list((provider.stream if stream else provider.whole)(request))

    assert request.upstream.was_closed is True
    assert "secret" not in "".join(traceback.format_exception(refused.value))
    assert model_server.exchanges == []


def test_lone_surrogate_is_not_sent(model_server: Upstream) -> None:
    with pytest.raises(UnicodeEncodeError):
        sent_by_us(model_server, model_server.url, request_of(("user", "a\ud800")))
    with pytest.raises(UnicodeEncodeError):
        sent_by_the_sdk(model_server.url, messages=[{"role": "user", "content": "a\ud800"}])

    assert model_server.exchanges == []


def test_body_may_be_nested_deep() -> None:
    nested: dict[str, Any] = {}
    for _ in range(400):
        nested = {"a": nested}

    assert json.loads(body_bytes(nested)) == nested
