"""Replies that are asked for whole: handed out a few words at a time, their text exact."""

from __future__ import annotations

import pytest

from tests.support.sse import SseStream
from tests.support.upstream import PLANTED_KEY, completion, refuse, silent
from tests.support.ways import WAYS

TEXT = " One two three,\n\nfour five six. \U0001f600 seven\t eight "
USAGE = {"prompt_tokens": 4, "completion_tokens": 9}
PROMPT = {"prompt": "hi", "stream": True}


def only_whole(streamed, whole=None):
    """A reply that does that to `stream: true`, and answers whole otherwise."""
    whole = whole or completion(TEXT, USAGE)

    def reply(exchange):
        (streamed if exchange.body.get("stream") else whole)(exchange)

    return reply


@pytest.mark.parametrize("way", ["socketio"])
def test_other_dialects_have_no_such_promise(server, upstream, connect, way):
    upstream.reply = only_whole(refuse("500 Oops"))
    assert WAYS[way](server, connect, "go").code == "upstream_error"
    assert len(upstream.exchanges) == 1


def test_stop_closes_the_connection_of_the_whole_reply(server, upstream):
    upstream.reply = only_whole(refuse("500 Oops"), silent)
    stream = SseStream(server, "POST", "/chat", PROMPT)
    waiting = upstream.wait_for(2)
    receipt = server.post(f"/api/runs/{stream.run_id}/stop").json
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    assert waiting.closed.wait(20)


# --- a provider that is not to stream -----------------------------------------------------------


@pytest.fixture(scope="module")
def unstreamed(start_one):
    return start_one(OPENAI_API_KEY=PLANTED_KEY, OPENAI_STREAM=0, STREAM_CHUNK_WORDS=2)


@pytest.mark.parametrize("way", ["socketio"])
def test_whole_reply_is_streamed_in_pieces(unstreamed, upstream, connect, way):
    upstream.reply = completion(TEXT, USAGE)
    seen = WAYS[way](unstreamed, connect, "go")
    assert (seen.text, seen.code) == (TEXT, None)
    assert "stream" not in upstream.exchanges[0].body
    record = unstreamed.get(f"/api/runs/{seen.run_id}").json
    assert record["usage"]["source"] == "reported"
    assert seen.end["seq"] == 6


def test_silent_upstream_of_a_whole_reply_has_the_deadline_of_the_first_piece(
    start_server, upstream, connect
):
    server = start_server(OPENAI_STREAM=0, FIRST_DELTA_TIMEOUT_S=0.3)
    upstream.reply = silent
    assert WAYS["sse"](server, connect, "go").code == "upstream_timeout"
    assert upstream.exchanges[0].closed.wait(20)
