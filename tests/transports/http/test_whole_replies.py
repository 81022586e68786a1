"""Replies that are asked for whole: handed out a few words at a time, their text exact."""

from __future__ import annotations

import pytest

from tests.support.sse import SseParser
from tests.support.upstream import PLANTED_KEY, completion, refuse, say
from tests.support.ways import OVER_HTTP

TEXT = " One two three,\n\nfour five six. \U0001f600 seven\t eight "
USAGE = {"prompt_tokens": 4, "completion_tokens": 9}
PROMPT = {"prompt": "hi", "stream": True}
CONVERSATION = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
PATHS = {"/chat": PROMPT, "/chat/conversation": CONVERSATION}


def empty_object(exchange):
    exchange.start("200 OK", "application/json")
    exchange.chunk(b"{}")
    exchange.raw(b"0\r\n\r\n")


# How an upstream may answer `stream: true` that cannot stream.
CANNOT_STREAM = {
    "500": refuse("500 Oops"),
    "400": refuse("400 Bad Request"),
    "not even that": empty_object,
    "empty": say([], reason=None),
    "malformed": lambda e: (e.start(), e.chunk(b"data: oops\n\n"), e.raw(b"0\r\n\r\n")),
    "error object": lambda e: (e.start(), e.event({"error": {"message": "no"}})),
}


def only_whole(streamed, whole=None):
    """A reply that does that to `stream: true`, and answers whole otherwise."""
    whole = whole or completion(TEXT, USAGE)

    def reply(exchange):
        (streamed if exchange.body.get("stream") else whole)(exchange)

    return reply


def prompt_events(server, path="/chat", **more):
    answer = server.post(path, {**PATHS[path], **more})
    assert answer.status == 200
    return answer, [event.data for event in SseParser().feed(answer.body)]


def chunks_of(events):
    return [event["chunk"] for event in events if event["type"] == "content"]


@pytest.mark.parametrize("how", CANNOT_STREAM)
def test_prompt_is_asked_whole_where_streaming_fails(server, upstream, how):
    upstream.reply = only_whole(CANNOT_STREAM[how])
    answer, events = prompt_events(server)
    chunks = chunks_of(events)
    assert "".join(chunks) == TEXT
    assert len(chunks) == 3  # eight words and an emoji, three a piece
    assert events[-1] == {"type": "done"}
    assert [exchange.body.get("stream") for exchange in upstream.exchanges] == [True, None]
    record = server.get(f"/api/runs/{answer.headers['x-run-id']}").json
    assert record["usage"] == {"input_tokens": 4, "output_tokens": 9, "source": "reported"}
    assert (record["status"], record["attempts"]) == ("completed", [])


def test_conversation_of_the_clients_is_asked_whole_too(server, upstream):
    upstream.reply = only_whole(refuse("500 Oops"))
    assert "".join(chunks_of(prompt_events(server, "/chat/conversation")[1])) == TEXT


def test_prompt_without_stream_is_answered_too(server, upstream):
    upstream.reply = only_whole(refuse("500 Oops"))
    answer = server.post("/chat", {"prompt": "hi"})
    assert (answer.status, answer.json["response"]) == (200, TEXT)


def test_same_messages_and_model_are_asked_again(server, upstream):
    upstream.reply = only_whole(refuse("500 Oops"))
    prompt_events(server, model="some-model")
    first, second = (exchange.body for exchange in upstream.exchanges)
    assert (second["messages"], second["model"]) == (first["messages"], "some-model")
    assert "stream_options" not in second


def test_nothing_is_asked_again_once_a_piece_has_come(server, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("kept"), exchange.cut())
    _, events = prompt_events(server)
    assert chunks_of(events) == ["kept"]
    assert events[-1]["type"] == "error"
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many Requests"])
def test_what_is_not_of_the_streaming_is_not_asked_again(server, upstream, status):
    upstream.reply = refuse(status)
    assert prompt_events(server)[1][-1]["type"] == "error"
    assert len(upstream.exchanges) == 1


def test_whole_reply_that_fails_too_is_the_error(server, upstream):
    upstream.reply = refuse("500 Oops")
    answer, events = prompt_events(server)
    assert [event["type"] for event in events] == ["error"]
    assert len(upstream.exchanges) == 2
    record = server.get(f"/api/runs/{answer.headers['x-run-id']}").json
    assert record["error"]["code"] == "upstream_error"


@pytest.mark.parametrize("way", OVER_HTTP)
def test_other_dialects_have_no_such_promise(server, upstream, connect, way):
    upstream.reply = only_whole(refuse("500 Oops"))
    assert OVER_HTTP[way](server, connect, "go").code == "upstream_error"
    assert len(upstream.exchanges) == 1


# --- a provider that is not to stream -----------------------------------------------------------


@pytest.fixture(scope="module")
def unstreamed(start_one):
    return start_one(OPENAI_API_KEY=PLANTED_KEY, OPENAI_STREAM=0, STREAM_CHUNK_WORDS=2)


@pytest.mark.parametrize("way", OVER_HTTP)
def test_whole_reply_is_streamed_in_pieces(unstreamed, upstream, connect, way):
    upstream.reply = completion(TEXT, USAGE)
    seen = OVER_HTTP[way](unstreamed, connect, "go")
    assert (seen.text, seen.code) == (TEXT, None)
    assert "stream" not in upstream.exchanges[0].body
    record = unstreamed.get(f"/api/runs/{seen.run_id}").json
    assert record["usage"]["source"] == "reported"
    if way == "v1":
        assert seen.frames.count('"content":') == 6  # the role's, and five pieces
    else:
        assert seen.end["seq"] == 6


def test_whole_answer_is_not_paced(unstreamed, upstream):
    upstream.reply = completion(TEXT, USAGE)
    answer = unstreamed.post("/api/chat", {"message": "go"}).json
    assert answer["response"] == TEXT
    assert unstreamed.get(f"/api/runs/{answer['run_id']}").json["seq"] == 2  # a piece and the end


@pytest.mark.parametrize(
    "reply,code",
    [
        (empty_object, "upstream_incomplete"),
        (refuse("500 Oops"), "upstream_error"),
        (lambda e: (e.start(), e.chunk(b"oops")), "upstream_error"),
        (lambda e: (e.start("200 OK", "application/json"), e.cut()), "upstream_incomplete"),
    ],
)
def test_whole_reply_that_is_none_has_its_code(unstreamed, upstream, connect, reply, code):
    def reply_and_end(exchange):
        reply(exchange)
        if exchange.started.is_set():  # what comes after a whole answer would spoil the next
            exchange.raw(b"0\r\n\r\n")

    upstream.reply = reply_and_end
    assert OVER_HTTP["sse"](unstreamed, connect, "go").code == code


def test_whole_reply_over_the_limit_is_refused(start_server, upstream, connect):
    server = start_server(OPENAI_STREAM=0, MAX_REPLY_BYTES=1000)
    upstream.reply = completion("x" * 2000)
    assert OVER_HTTP["sse"](server, connect, "go").code == "upstream_too_large"
