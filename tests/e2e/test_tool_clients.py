"""Clients that nobody here wrote go through a round of tools, each twice: with a model's server
alone, and with Tandem between. What they make of both is the same, as is what the model was told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import ollama
import openai
import pytest

from tests.support.node import Script, install
from tests.support.services import missing
from tests.support.tool_rounds import CITIES, FINAL, MODEL, RESULTS, TOOL, round_of_tools, weather
from tests.support.upstream import Exchange, Upstream

pytestmark = pytest.mark.timeout(300)  # the first test installs the clients of Node

GO: list[Any] = [{"role": "user", "content": "go"}]
CALLED = [{"city": city} for city in CITIES]
DEV = "make test installs it"
Round = Callable[[str], Any]  # from the base URL to what a client has in the end


@pytest.fixture(autouse=True)
def model(upstream: Upstream) -> Upstream:
    """The model's server."""
    upstream.reply = round_of_tools
    return upstream


def told(exchange: Exchange) -> list[Any]:
    """Return what a request told the model of the round: texts, calls, results."""
    said: list[Any] = []
    for one in exchange.body["messages"]:
        if one.get("content"):
            said.append(json.loads(one["content"]) if one["role"] == "tool" else one["content"])
        for call in one.get("tool_calls") or ():
            args = call["function"]["arguments"]
            said.append(args if isinstance(args, dict) else json.loads(args))
    return said


@pytest.fixture
def both(server, model) -> Callable[..., Any]:
    """Run a round alone and through Tandem; return what came of it, which is the same."""

    def run(ours: str, theirs: str, go: Round) -> Any:
        found, asked = [], []
        for url in (theirs, server.url + ours):
            model.exchanges.clear()
            found.append(go(url))
            assert len(model.exchanges) == 2
            asked.append(told(model.exchanges[1]))
        assert found[0] == found[1]
        assert asked[0] == asked[1] == ["go", "Let me see.", *CALLED, *RESULTS]
        return found[1]

    return run


@pytest.fixture
def through_v1(both, model) -> Callable[[Round], Any]:
    return lambda go: both("/v1", model.url, go)


# --- openai -------------------------------------------------------------------------


@pytest.fixture
def sdk() -> Iterator[Callable[[str], openai.OpenAI]]:
    made: list[openai.OpenAI] = []

    def make(url: str) -> openai.OpenAI:
        made.append(openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20))
        return made[-1]

    yield make
    for client in made:
        client.close()


def loop(ask: Callable[[list[Any]], Any]) -> tuple[list[Any], str]:
    """Ask until there is an answer, and run what is called; return that and the answer."""
    messages, called = list(GO), []
    while True:
        message = ask(messages).choices[0].message
        if not message.tool_calls:
            return called, message.content
        messages.append(
            message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
        )
        for call in message.tool_calls:
            called.append(json.loads(call.function.arguments))
            output = json.dumps(weather(**called[-1]))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})


def test_openai_whole(through_v1, sdk):
    def go(url: str) -> Any:
        chat = sdk(url).chat.completions
        return loop(lambda messages: chat.create(model=MODEL, messages=messages, tools=[TOOL]))

    assert through_v1(go) == (CALLED, FINAL)


def test_openai_streamed(through_v1, sdk):
    def go(url: str) -> Any:
        chat = sdk(url).chat.completions
        strict = {**TOOL, "function": {**TOOL["function"], "strict": True}}

        def ask(messages: list[Any]) -> Any:
            with chat.stream(model=MODEL, messages=messages, tools=[strict]) as stream:
                stream.until_done()
                return stream.get_final_completion()

        return loop(ask)

    assert through_v1(go) == (CALLED, FINAL)


@pytest.mark.parametrize("case", ["run", "run_streamed", "by_hand"])
def test_openai_in_node(through_v1, case):
    node = install()

    def go(url: str) -> Any:
        script = Script(node, "openai_tools", url, case)
        try:
            (said,) = script.rest()
        finally:
            script.close()
        roles = [message["role"] for message in said["messages"]]
        return said["called"], said["final"], roles

    roles = ["user", "assistant", "tool", "tool", "assistant"]
    assert through_v1(go) == (CALLED, FINAL, roles)


# --- ollama -------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_ollama(both, model, stream, by_name):
    def go(url: str) -> Any:
        client = ollama.Client(host=url, timeout=20)
        messages, called = list(GO), []
        while True:
            answer = client.chat(model=MODEL, messages=messages, tools=[weather], stream=stream)
            parts = list(answer) if stream else [answer]
            text = "".join(part.message.content or "" for part in parts)
            calls = [call for part in parts for call in part.message.tool_calls or ()]
            if not calls:
                client._client.close()
                return called, text
            messages.append({"role": "assistant", "content": text, "tool_calls": calls})
            for call in calls:
                called.append(dict(call.function.arguments))
                name = {"tool_name": call.function.name} if by_name else {}
                output = json.dumps(weather(**called[-1]))
                messages.append({"role": "tool", "content": output, **name})

    origin = model.url.removesuffix("/v1")
    assert both("/ollama", origin, go) == (CALLED, FINAL)


# --- frameworks ---------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_langchain(through_v1, stream):
    try:
        from langchain_core.messages import ToolMessage
        from langchain_core.tools import tool
        from langchain_openai import ChatOpenAI
    except ImportError:
        missing("langchain-openai is not installed", DEV)

    def go(url: str) -> Any:
        model = ChatOpenAI(base_url=url, api_key="none", model=MODEL, max_retries=0)
        bound = model.bind_tools([tool(weather)])
        messages, called = list(GO), []
        while True:
            parts = list(bound.stream(messages)) if stream else [bound.invoke(messages)]
            said = sum(parts[1:], start=parts[0])
            if not said.tool_calls:
                return called, said.content
            messages.append(said)
            for call in said.tool_calls:
                called.append(call["args"])
                output = json.dumps(weather(**call["args"]))
                messages.append(ToolMessage(output, tool_call_id=call["id"]))

    assert through_v1(go) == (CALLED, FINAL)


@pytest.mark.parametrize("stream", [True, False])
def test_pydantic_ai(through_v1, stream):
    try:
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider
    except ImportError:
        missing("pydantic-ai-slim is not installed", DEV)

    async def passed_over(context: Any, events: Any) -> None:
        async for _ in events:
            pass

    async def run(url: str) -> Any:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            provider = OpenAIProvider(openai_client=client)
            agent = Agent(OpenAIChatModel(MODEL, provider=provider), tools=[weather])
            handler = passed_over if stream else None
            result = await agent.run("go", event_stream_handler=handler)
            calls = [
                part.args_as_dict()
                for message in result.all_messages()
                for part in message.parts
                if part.part_kind == "tool-call"
            ]
            return calls, result.output

    assert through_v1(lambda url: asyncio.run(run(url))) == (CALLED, FINAL)
