"""A reply that was recorded is the same text in every dialect when it is played."""

from __future__ import annotations

import pytest

from tests.support.sse import stream_chat
from tests.support.upstream import PLANTED_KEY, delta
from tests.support.ways import WAYS

PIECES = ["Hel", "lo\n\n", "\U0001f600 \u2028", " data: x", "\\ end"]
TEXT = "".join(PIECES)
THOUGHT = "Hm, let me see."


def thinking_reply(exchange):
    exchange.start()
    thought = delta("")
    thought["choices"][0]["delta"] = {"reasoning_content": THOUGHT}
    exchange.event(thought)
    for piece in PIECES:
        exchange.delta(piece)
    exchange.finish("stop", {"prompt_tokens": 7, "completion_tokens": 5})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def player(start_one, shared_upstream, folder):
    """A server that has recorded one reply, and plays it unless told otherwise."""
    server = start_one(
        OPENAI_API_KEY=PLANTED_KEY,
        RECORD_DIR=folder,
        REPLAY_DIR=folder,
        REPLAY_SPEED=0,
        DEFAULT_PROVIDER="replay",
    )
    shared_upstream.reply, shared_upstream.replies = thinking_reply, {}
    recorded = server.post("/api/chat", {"message": "record me", "provider": "openai"}).json
    assert recorded["response"] == TEXT
    return server


def test_socketio_plays_the_same(player, upstream, connect):
    assert WAYS["socketio"](player, connect, "play").text == TEXT


@pytest.fixture
def recorder(start_server, tmp_path):
    folder = tmp_path / "recorded"
    server = start_server(
        OPENAI_API_KEY=PLANTED_KEY, RECORD_DIR=folder, REPLAY_DIR=folder, REPLAY_SPEED=0
    )
    return server, folder


def test_reply_that_was_stopped_is_recorded_as_far_as_it_came(recorder, upstream):
    server, folder = recorder
    upstream.reply = lambda e: (e.start(), e.delta("so far"), e.wait_closed(20))
    stream = stream_chat(server, "go")
    stream.take(1)
    server.post(f"/api/runs/{stream.run_id}/stop")
    assert server.wait_until(lambda: '"closed"' in read_all(folder))
    assert "so far" in read_all(folder) and PLANTED_KEY not in read_all(folder)


def read_all(folder):
    return "".join(path.read_text() for path in folder.glob("*"))
