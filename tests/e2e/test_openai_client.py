"""OpenAI's own Python SDK as a client of /v1: streams, whole answers, its exceptions, its retries,
and what its hanging up stops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.e2e.test_streaming import AWKWARD, in_lockstep
from tests.support.doors import SECRET, token_of
from tests.support.server import Server
from tests.support.sse import follow_run
from tests.support.upstream import Exchange, say, silent

TEXT = "".join(AWKWARD)
ASKED: list[Any] = [{"role": "user", "content": "go"}]
NOTICED_S = 20  # before the next heartbeat: no write finds out who has gone


@pytest.fixture
def sdk(server: Server) -> Iterator[Callable[..., openai.OpenAI]]:
    """Make clients of the shared server, or another; without retries unless told otherwise."""
    made: list[openai.OpenAI] = []

    def make(other: Server | None = None, **options: Any) -> openai.OpenAI:
        options = {"api_key": "none", "max_retries": 0, "timeout": 20, **options}
        made.append(openai.OpenAI(base_url=f"{(other or server).url}/v1", **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


def ask(client: openai.OpenAI, **options: Any) -> Any:
    """Ask for a completion, whole unless told otherwise."""
    return client.chat.completions.create(**{"model": "any/model", "messages": ASKED, **options})


def run_id_of(chunk: Any) -> str:
    """Return the run that a chunk or a completion is of."""
    return str(chunk.id).removeprefix("chatcmpl-")


@pytest.fixture(scope="module")
def locked(start_one):
    return start_one(JWT_SECRET=SECRET)


@pytest.fixture(scope="module")
def calm(start_one, shared_upstream):
    """A server with hardly a heartbeat: no write finds out who has gone."""
    return start_one(HEARTBEAT_S=60)


# --- replies ------------------------------------------------------------------------


def test_a_stream_comes_piece_by_piece(server, upstream, sdk):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    chunks = [next(stream := ask(sdk(), stream=True))]
    assert chunks[0].choices[0].delta.role == "assistant"
    for text in AWKWARD:
        chunks.append(next(stream))
        assert chunks[-1].choices[0].delta.content == text
        may_send.release()
    chunks += stream
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, "any/model")
    }
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_comes_last_where_it_is_asked_for(sdk):
    chunks = list(ask(sdk(), stream=True, stream_options={"include_usage": True}))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    last = chunks[-1]
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (5, 2)
    assert last.usage.total_tokens == 7


def test_a_whole_answer(upstream, sdk):
    upstream.reply = say(AWKWARD, "length", {"prompt_tokens": 3, "completion_tokens": 9})
    answer = ask(sdk())
    assert answer.object == "chat.completion"
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert (choice.finish_reason, answer.usage.total_tokens) == ("length", 12)


def test_parameters_and_parts_reach_the_model(upstream, sdk):
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    more = {"seed": 7, "top_p": 0.5, "stop": ["x"], "temperature": 0.25}
    form = {"response_format": {"type": "json_object"}}
    ask(sdk(), messages=messages, max_completion_tokens=9, user="ignored", **more, **form)
    body = upstream.exchanges[0].body
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ab"},
    ]
    assert {name: body[name] for name in (*more, *form)} == {**more, **form}
    assert body["max_tokens"] == 9


def test_the_run_is_not_among_the_sessions(server, sdk):
    before = server.get("/api/chat/sessions").json
    chunk = next(iter(ask(sdk(), stream=True)))
    record = server.get(f"/api/runs/{run_id_of(chunk)}").json
    assert record["session_id"]
    assert server.get("/api/chat/sessions").json == before


def test_models(sdk):
    client = sdk()
    listed = {one.id: one.owned_by for one in client.models.list().data}
    assert listed == {"gpt-5-mini": "openai", "demo": "demo"}
    assert client.models.retrieve("gpt-5-mini").id == "gpt-5-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no/such/model")


def test_a_model_chooses_its_provider(upstream, sdk):
    assert "go" in ask(sdk(), model="demo").choices[0].message.content
    assert upstream.exchanges == []


def test_the_asynchronous_client_reads_a_stream(server):
    async def read() -> str:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(
                model="any/model", messages=ASKED, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(read()) == "Hello there"


# --- exceptions ---------------------------------------------------------------------


def test_authentication(locked, sdk):
    for key in ("wrong", token_of(expires_in=-1)):
        with pytest.raises(openai.AuthenticationError) as refused:
            ask(sdk(locked, api_key=key), stream=True)
        assert refused.value.type == "authentication_error"
        assert refused.value.code == "unauthorized"
        with pytest.raises(openai.AuthenticationError):
            sdk(locked, api_key=key).models.list()
    assert ask(sdk(locked, api_key=token_of())).choices[0].message.content == "Hello there"


@pytest.mark.parametrize("stream", [True, False])
def test_the_rate_limit_is_waited_for(start_server, upstream, sdk, stream):
    server = start_server(RATE_LIMIT_STREAM="1 per 2 second", RATE_LIMIT_CHAT="1 per 2 second")
    client = sdk(server)
    with pytest.raises(openai.RateLimitError) as refused:
        while True:  # on a slow machine the first two may not be of the same two seconds
            ask(client, stream=stream)
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "rate_limited")
    wait_s = int(refused.value.response.headers["retry-after"])
    assert 1 <= wait_s <= 3
    began = time.monotonic()
    assert ask(sdk(server, max_retries=1), stream=stream)
    assert time.monotonic() - began > wait_s - 1.5


REFUSED = {
    "n": 2,
    "audio": {"voice": "alloy", "format": "mp3"},
    "messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused(upstream, sdk, name):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(sdk(), stream=True, **{name.strip(): REFUSED[name]})
    assert (refused.value.type, refused.value.code) == (
        "invalid_request_error",
        "unsupported_parameter",
    )
    assert refused.value.param.startswith(name.strip())
    assert upstream.exchanges == []


def test_a_bad_request(upstream, sdk):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(sdk(), temperature=3)
    assert (refused.value.code, refused.value.param) == ("invalid_request", "temperature")
    assert upstream.exchanges == []


FAILURES: dict[str, Callable[[Exchange], Any]] = {
    "upstream_refused": lambda e: e.cut(),
    "upstream_incomplete": lambda e: (e.start(), e.cut()),
    "upstream_error": lambda e: (e.start("500 Oops", "application/json"), e.raw(b"0\r\n\r\n")),
    "upstream_rate_limited": lambda e: (e.start("429 Slow"), e.raw(b"0\r\n\r\n")),
    "upstream_auth": lambda e: (e.start("401 No"), e.raw(b"0\r\n\r\n")),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("code", FAILURES)
def test_a_failure_before_the_first_piece_is_a_status(upstream, sdk, code, stream):
    upstream.reply = FAILURES[code]
    with pytest.raises(openai.InternalServerError) as failed:
        ask(sdk(), stream=stream)
    assert (failed.value.status_code, failed.value.type) == (502, "server_error")
    assert failed.value.code == code


def test_a_failure_before_the_first_piece_is_retried(upstream, sdk):
    def reply(exchange: Exchange) -> None:
        if exchange is upstream.exchanges[0]:
            exchange.cut()
        say(["Hello"])(exchange)

    upstream.reply = reply
    chunks = list(ask(sdk(max_retries=1), stream=True))
    assert chunks[1].choices[0].delta.content == "Hello"
    assert len(upstream.exchanges) == 2


def test_a_failure_in_mid_stream_is_raised(upstream, sdk):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.event({"error": {"message": "planted"}}))
    stream = ask(sdk(max_retries=2), stream=True)
    texts = []
    with pytest.raises(openai.APIError) as failed:
        for chunk in stream:
            texts.append(chunk.choices[0].delta.content)
    assert texts == ["", "a"]
    assert not isinstance(failed.value, openai.APIConnectionError)
    assert (failed.value.type, failed.value.code) == ("server_error", "upstream_error")
    assert "planted" not in str(failed.value)
    assert len(upstream.exchanges) == 1


# --- hanging up ---------------------------------------------------------------------


@pytest.fixture(params=["calm", "lively"])
def either(request):
    """A server with seldom heartbeats, and one with many."""
    return request.getfixturevalue(request.param)


def test_closing_in_silence_stops_the_run(either, upstream, sdk):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.wait_closed(20))
    stream = ask(sdk(either), stream=True)
    chunks = [next(stream), next(stream)]
    assert chunks[1].choices[0].delta.content == "a"
    stream.close()
    assert upstream.wait_for(1).closed.wait(NOTICED_S)
    path = f"/api/runs/{run_id_of(chunks[0])}"
    assert either.wait_until(lambda: either.get(path).json["status"] == "stopped")


def test_closing_while_pieces_come_stops_the_run(either, upstream, sdk):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        while True:  # until sending fails
            exchange.delta("more ")

    upstream.reply = reply
    stream = ask(sdk(either), stream=True)
    path = f"/api/runs/{run_id_of(next(stream))}"
    stream.close()
    assert upstream.wait_for(1).closed.wait(NOTICED_S)
    assert either.wait_until(lambda: either.get(path).json["status"] == "stopped")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("when", ["no answer", "no piece"])
def test_hanging_up_before_the_first_piece_stops_the_run(either, upstream, sdk, when, stream):
    upstream.reply = silent if when == "no piece" else lambda e: e.wait_closed(20)
    with pytest.raises(openai.APITimeoutError):
        ask(sdk(either, timeout=0.3), stream=stream)  # it hangs up, the headers still held
    assert upstream.wait_for(1).closed.wait(NOTICED_S)


# --- silence ------------------------------------------------------------------------


def test_heartbeats_do_not_end_the_stream(lively, upstream, sdk):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta("b"), e.finish())
    stream = ask(sdk(lively), stream=True)
    chunk = next(stream)
    beside = follow_run(lively, run_id_of(chunk))  # hears as many heartbeats as the client
    while beside.parser.comments.count("ping") < 6:
        beside.read_some()
    go.set()
    rest = [chunk.choices[0] for chunk in stream]
    assert [choice.delta.content for choice in rest] == ["a", "b", None]
    assert rest[-1].finish_reason == "stop"


def test_headers_are_held_for_ten_seconds_at_most(upstream, sdk):
    upstream.reply = silent
    began = time.monotonic()
    stream = ask(sdk(), stream=True)  # the upstream says nothing for a minute
    assert time.monotonic() - began > 5
    assert next(stream).choices[0].delta.role == "assistant"
    stream.close()
    assert upstream.wait_for(1).closed.wait(NOTICED_S)


def test_a_prompt_is_answered_piece_by_piece_and_whole(sdk):
    client = sdk()
    asked = {"model": "any/model", "prompt": "go"}
    *pieces, last = client.completions.create(**asked, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "Hello there"
    assert last.choices[0].finish_reason == "stop"
    whole = client.completions.create(**asked)
    assert (whole.choices[0].text, whole.usage.total_tokens) == ("Hello there", 7)


def test_embeddings_are_not_offered(sdk):
    with pytest.raises(openai.NotFoundError, match="Embeddings are not offered here"):
        sdk().embeddings.create(model="any/model", input="go")
