"""What goes over a websocket: every packet once, whole and in order, however it is taken."""

from __future__ import annotations

import json
import threading

import pytest

from tests.support.raw_socket import RawSocket
from tests.support.sse import follow_run
from tests.support.upstream import Steps, say

ASK = '420["chat_stream",{"message":"go","partial":%s}]'
END = '42["chat_complete"'


def events_of(packets):
    """Return the events among Engine.IO packets, as (name, data)."""
    return [tuple(json.loads(packet[2:])) for packet in packets if packet.startswith("42")]


def tokens_of(packets):
    return [data for name, data in events_of(packets) if name == "chat_token"]


def assert_whole(packets, text):
    """Check that the pieces, joined or not, are the reply: each once, in order."""
    tokens = tokens_of(packets)
    seqs = [token["seq"] for token in tokens]
    assert seqs == sorted(set(seqs))
    assert "".join(token["token"] for token in tokens) == text
    assert events_of(packets)[-1][1]["full_response"] == text


def test_a_client_that_stops_reading_gets_every_frame_whole(server, upstream):
    """The connection fills up in the middle of a frame; answers to pings come between frames."""
    pieces = [f"{number:03} " + "é" * 200 for number in range(400)]
    reply = upstream.reply = Steps(*pieces)
    raw = RawSocket(server, receive_buffer=4096)
    raw.send(ASK % "true")
    run_id = json.loads(raw.receive()[3:])[0]["run_id"]
    reply.go()
    first = raw.receive_until('42["chat_token"')  # by itself: the rest may come joined
    reply.finish()
    follow_run(server, run_id).rest()  # meanwhile nobody reads the websocket
    for _ in range(3):
        raw.websocket.ping(b"are you there?")
    raw.send('421["no_such_event",{}]')

    packets = first + raw.receive_until(END)

    assert_whole(packets, "".join(pieces))
    sizes = {len(token["partial"].encode()) for token in tokens_of(packets)}
    assert min(sizes) < 1000 and max(sizes) > 65536
    if not any(packet.startswith("431") for packet in packets):
        raw.receive_until("431[")
    raw.close()


@pytest.mark.parametrize("size", [1, 20, 300, 70_000])
def test_frames_of_every_size(server, upstream, size):
    upstream.reply = say(["x" * size, "é", "\U0001f30d"])
    raw = RawSocket(server)
    raw.send(ASK % "false")
    assert_whole(raw.receive_until(END), "x" * size + "é\U0001f30d")
    raw.close()


def test_several_viewers_of_one_client_keep_their_order(server, upstream):
    upstream.reply = say([f"{number} " for number in range(200)])
    raw = RawSocket(server)
    for _ in range(3):
        raw.send(ASK % "false")
    packets = [packet for _ in range(3) for packet in raw.receive_until(END)]
    ends = [data for name, data in events_of(packets) if name == "chat_complete"]
    assert len({end["run_id"] for end in ends}) == 3
    for end in ends:
        own = [p for p in packets if end["run_id"] in p]
        assert own[0].startswith("430") and own[-1].startswith(END)  # the ack is first
        assert_whole(own, end["full_response"])
    raw.close()


class Polling:
    """An Engine.IO session by polling, of which every request is a test's own."""

    def __init__(self, server):
        self.server = server
        self.path = "/socket.io/?EIO=4&transport=polling"
        self.sid = json.loads(self.poll()[0][1:])["sid"]
        self.path += f"&sid={self.sid}"
        self.post("40")
        self.poll()

    def poll(self):
        return self.server.get(self.path).body.decode().split("\x1e")

    def post(self, packet):
        headers = {"Content-Type": "text/plain"}
        assert self.server.request("POST", self.path, packet.encode(), headers).status == 200


def test_an_upgrade_in_the_middle_of_a_reply(server, upstream):
    """What waits during the upgrade comes first, then what is new."""
    probed, upgraded = threading.Event(), threading.Event()

    def reply(exchange):
        exchange.start()
        for number in range(30):
            if number == 10:
                probed.wait(10)
            if number == 20:
                upgraded.wait(10)
            exchange.delta(f"{number} ")
        exchange.finish()

    upstream.reply = reply
    polling = Polling(server)
    polling.post(ASK % "false")
    packets = polling.poll()
    run_id = json.loads(packets[0][3:])[0]["run_id"]
    raw = RawSocket(server, polling.sid)
    raw.send("2probe")
    assert raw.receive() == "3probe"
    probed.set()
    follow_run(server, run_id).take(20)  # they are there, and wait for the websocket
    raw.send("5")
    packets += raw.receive_until('19 "')
    upgraded.set()
    packets += raw.receive_until(END)
    assert_whole(packets, "".join(f"{number} " for number in range(30)))
    raw.close()
