"""Both servers where the libraries are not as expected: slower, and as right."""

from __future__ import annotations

import random
import re
import threading

import pytest

from tests.support import topology
from tests.support.raw_socket import RawSocket
from tests.support.server import ROOT, Server
from tests.support.sockets import SocketClient
from tests.support.sse import stream_chat, text_of
from tests.support.upstream import Steps, say

pytestmark = topology.in_one_process

PIECES = [f"{number:02} \U0001f600 " for number in range(40)]
REFUSED = {
    "eventlet": {
        "its way to switch",
        "its hub",
        "its socket",
        "its TLS socket",
        "its server",
        "its request handler",
        "its request body",
        "its header limit",
        "its queue",
        "its protocol",
    },
    "gevent": {
        "its error handler",
        "its request handler",
        "its request body",
        "its queue",
        "its protocol",
    },
}
WARNING = re.compile(r"(?:eventlet|gevent|python-engineio) \d[\d.]*: (.+?) is not")


class BareServer(Server):
    """A server of which every trick is refused."""

    script = ROOT / "tests" / "support" / "bare_start.py"


@pytest.fixture(scope="module", params=["eventlet", "gevent"])
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def bare(mode, tmp_path_factory, shared_upstream):
    server = BareServer(
        tmp_path_factory.mktemp("bare"), ASYNC_MODE=mode, OPENAI_BASE_URL=shared_upstream.url
    )
    yield server
    assert server.stop() == 0, server.output


def test_the_log_names_each_trick_once(bare, mode):
    assert sorted(WARNING.findall(bare.output)) == sorted(REFUSED[mode])


def test_each_piece_leaves_at_once_over_sse(bare, upstream):
    reply = upstream.reply = Steps(*PIECES[:5])
    stream = stream_chat(bare, "go")
    for piece in PIECES[:5]:
        reply.go()
        assert stream.next().data["token"] == piece
    reply.finish()
    assert stream.next().data["full_response"] == "".join(PIECES[:5])


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_each_piece_leaves_at_once_over_socketio(bare, upstream, transport):
    reply = upstream.reply = Steps(*PIECES[:5])
    client = SocketClient(bare, transport)
    client.call("chat_stream", {"message": "go"})
    for count in range(1, 6):
        reply.go()
        client.wait_for(lambda seen, count=count: len(tokens_in(seen)) == count)
    reply.finish()
    assert client.wait_for_end()["full_response"] == "".join(PIECES[:5]) == client.text()
    client.close()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_fast_reply_is_whole_over_socketio(bare, upstream, transport):
    upstream.reply = say(PIECES)
    client = SocketClient(bare, transport)
    client.call("chat_stream", {"message": "go"})
    assert client.wait_for_end()["full_response"] == "".join(PIECES) == client.text()
    client.close()


def test_many_at_once_over_sse(bare, upstream):
    upstream.reply = say(PIECES)
    texts = []

    def ask():
        texts.append(text_of(stream_chat(bare, f"go {random.random()}").rest()))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert texts == ["".join(PIECES)] * 20


def test_a_stop_closes_upstream(bare, upstream):
    reply = upstream.reply = Steps(*PIECES)
    stream = stream_chat(bare, "go")
    reply.go()
    stream.next()
    receipt = bare.post(f"/api/runs/{stream.run_id}/stop").json
    assert receipt["upstream_closed"] is True


def test_a_websocket_gets_frames_of_every_size(bare, upstream):
    upstream.reply = say(["x" * 70_000, "é"])
    raw = RawSocket(bare)
    raw.send('420["chat_stream",{"message":"go"}]')
    assert "x" * 70_000 + "é" in raw.receive_until('42["chat_complete"')[-1]
    raw.close()


def tokens_in(events):
    return [data for name, data in events if name == "chat_token"]


def test_several_processes_serve_websockets(mode, tmp_path, upstream):
    server = BareServer(tmp_path, ASYNC_MODE=mode, OPENAI_BASE_URL=upstream.url, WORKERS=2)
    try:
        for _ in range(6):
            client = SocketClient(server, "websocket")
            client.call("chat_stream", {"message": "hi"})
            client.wait_for_end()
            assert client.text() == "Hello there"
            client.close()
        assert text_of(stream_chat(server, "hi").rest()) == "Hello there"
        assert len(server.status()["processes"]) == 2
    finally:
        assert server.stop() == 0, server.output
    assert "Socket.IO needs websockets" in server.output
