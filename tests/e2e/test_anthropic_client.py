"""Anthropic's own client: streamed and whole, a round of tools, thoughts, errors, hanging up."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from tests.support.anthropic_cases import SIGNATURE
from tests.support.anthropic_cases import end as ended
from tests.support.anthropic_cases import start, text, thought, tool
from tests.support.doors import SECRET, token_of
from tests.support.upstream import PLANTED_KEY, in_turn, refuse, say
from tests.support.wires import send

HELLO = {"model": "m", "max_tokens": 900, "messages": [{"role": "user", "content": "hi"}]}
TOOL = {
    "name": "weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture(scope="module")
def claudes(start_one, shared_upstream):
    """A server whose model is Claude, by its own wire."""
    origin = shared_upstream.url.removesuffix("/v1")
    return start_one(
        ANTHROPIC_BASE_URL=origin, ANTHROPIC_API_KEY=PLANTED_KEY, DEFAULT_PROVIDER="anthropic"
    )


@pytest.fixture
def client() -> Iterator:
    made = []

    def make(server, key="none"):
        made.append(
            anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=0, timeout=20)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_reply_streams(server, upstream, client):
    upstream.reply = say(["Hello", " there"])
    with client(server).messages.stream(**HELLO) as stream:
        assert list(stream.text_stream) == ["Hello", " there"]
        message = stream.get_final_message()

    assert (message.stop_reason, message.content[0].text) == ("end_turn", "Hello there")
    assert message.usage.output_tokens > 0 and message.usage.input_tokens > 0
    assert message.id.startswith("msg_")
    sent = upstream.exchanges[-1].body
    assert [sent["messages"], sent["max_tokens"]] == [[{"role": "user", "content": "hi"}], 900]


def test_a_reply_comes_whole(server, upstream, client):
    upstream.reply = say(["Hello", " there"])
    message = client(server).messages.create(
        system="Be brief.", extra_body={"temperature": 0.5}, **HELLO
    )

    assert message.content[0].text == "Hello there"
    sent = upstream.exchanges[-1].body
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["temperature"] == 0.5


@pytest.mark.parametrize("streams", [True, False])
def test_a_round_of_tools_with_signed_thoughts(claudes, upstream, client, streams):
    first = start() + thought() + tool('{"city":', '"Rom"}', index=1) + ended("tool_use")
    upstream.reply = in_turn(send(first), send(start() + text("20 degrees.") + ended()))
    asked = {**HELLO, "tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 1024}}
    asked["max_tokens"] = 4000
    messages = client(claudes).messages

    def said(history):
        body = {**asked, "messages": history}
        if not streams:
            return messages.create(**body)
        with messages.stream(**body) as stream:
            return stream.get_final_message()

    called = said(HELLO["messages"])
    assert called.stop_reason == "tool_use"
    thinking, use = called.content
    assert (thinking.type, thinking.thinking, thinking.signature) == ("thinking", "Hm.", SIGNATURE)
    assert (use.name, use.input) == ("weather", {"city": "Rom"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "20"}
    history = [
        *HELLO["messages"],
        {"role": "assistant", "content": [one.model_dump() for one in called.content]},
        {"role": "user", "content": [result]},
    ]
    assert said(history).content[-1].text == "20 degrees."
    _, reply, given = upstream.exchanges[-1].body["messages"]
    assert reply["content"][0]["signature"] == SIGNATURE
    assert reply["content"][1]["input"] == {"city": "Rom"}
    assert given["content"] == [result]


def test_who_hangs_up_stops_the_run(server, upstream, client):
    upstream.reply = lambda e: (e.start(), e.delta("one "), e.wait_closed(30))
    with client(server).messages.stream(**HELLO) as stream:
        assert next(iter(stream.text_stream)) == "one "

    assert upstream.wait_for(1).closed.wait(30)


def test_errors_are_the_clients_own(server, start_one, upstream, client):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
    with pytest.raises(anthropic.BadRequestError) as refused:
        client(server).messages.create(
            **{**HELLO, "messages": [{"role": "user", "content": [image]}]}
        )
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    assert "messages.0.content.0" in str(refused.value)
    locked = start_one(JWT_SECRET=SECRET)
    with pytest.raises(anthropic.AuthenticationError):
        client(locked, "wrong").messages.create(**HELLO)
    assert client(locked, token_of()).messages.create(**HELLO).content
    upstream.reply = refuse("500 Error")
    with pytest.raises(anthropic.InternalServerError):
        client(server).messages.create(**HELLO)


def test_tokens_are_counted_and_models_listed(server, client):
    count = client(server).messages.count_tokens(
        model="m", messages=[{"role": "user", "content": "x" * 4000}], tools=[TOOL]
    )
    assert 1000 < count.input_tokens < 1200
    listed = [model.id for model in client(server).models.list()]
    assert listed and all(isinstance(one, str) for one in listed)
