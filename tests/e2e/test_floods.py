"""Clients that send without an end: who asks once is answered before they are through."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import closing, suppress

import pytest
import websocket

from tests.support.raw_socket import RawSocket
from tests.support.sse import stream_chat, text_of

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
PIPELINED = 20_000
CHUNKS = 400_000
EVENTS = 5000
LIMITED = '"code":"rate_limited"'


class Flood:
    """A connection that sends all it is given while another task reads and counts the answers."""

    def __init__(self, server, data, answer):
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self._data = data
        self._answer = answer
        self.answers = 0
        self.has_begun = threading.Event()
        self.tasks = [
            threading.Thread(target=task, daemon=True) for task in (self._send, self._read)
        ]
        for task in self.tasks:
            task.start()

    def _send(self):
        with suppress(OSError):
            self.connection.sendall(self._data)

    def _read(self):
        rest = b""
        with suppress(OSError):
            while data := self.connection.recv(65_536):
                rest += data
                self.answers += rest.count(self._answer)
                rest = rest[-len(self._answer) + 1 :]
                self.has_begun.set()

    def close(self):
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        for task in self.tasks:
            task.join()
        self.connection.close()


def assert_others_go_on(server):
    """Ask for something short, and for a whole reply."""
    assert server.get("/health").status == 200
    assert text_of(stream_chat(server, "other").rest()) == "Hello there"


@pytest.mark.parametrize("per_s", [100_000, 200])
def test_pipelined_requests_hold_nobody_up(start_server, per_s):
    server = start_server(HTTP_REQUESTS_PER_S_PER_CONNECTION=per_s)
    with closing(Flood(server, HEALTH * PIPELINED, b"HTTP/1.1 200")) as flood:
        assert flood.has_begun.wait(60)
        assert_others_go_on(server)
        assert flood.answers < PIPELINED


def test_a_body_in_the_smallest_chunks_holds_nobody_up(start_server):
    server = start_server()
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"1\r\n \r\n" * CHUNKS + b"2\r\n{}\r\n0\r\n\r\n"
    with closing(Flood(server, HEALTH + head + body + HEALTH, b"HTTP/1.1 ")) as flood:
        assert flood.has_begun.wait(60)
        assert_others_go_on(server)
        assert flood.answers == 1  # of the first /health: the body is read still


def test_a_connection_goes_on_after_its_flood(start_server):
    """What is held back comes later: nothing is lost."""
    server = start_server(HTTP_REQUESTS_PER_S_PER_CONNECTION=1000)
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    flood = Flood(server, HEALTH * 1999 + last, b"HTTP/1.1 200")
    flood.tasks[1].join(60)
    assert flood.answers == 2000
    flood.close()


def received(raw):
    """Return all packets up to the end of the connection."""
    packets = []
    with suppress(OSError, websocket.WebSocketException):
        while packet := raw.receive():
            packets.append(packet)
    return packets


def send_many(raw, packets):
    """Send packets, more than a server that has hung up takes."""
    with suppress(OSError, websocket.WebSocketException):
        for packet in packets:
            raw.send(packet)


def refused_lines(server):
    return [line for line in server.output.splitlines() if "events refused" in line]


def test_events_over_the_limit_end_the_connection(start_server):
    server = start_server(SOCKET_EVENTS_PER_S=1)
    raw = RawSocket(server)
    events = (f'42{number}["chat_stop",{{"run_id":"none"}}]' for number in range(EVENTS))
    sender = threading.Thread(target=send_many, args=(raw, events), daemon=True)
    sender.start()
    packets = received(raw)
    sender.join()
    assert len(packets) < EVENTS
    assert any(LIMITED in packet for packet in packets)
    assert server.wait_until(lambda: refused_lines(server))
    [line] = refused_lines(server)
    told = sum(LIMITED in packet for packet in packets)  # the last may be lost with the connection
    assert int(re.search(r"count=(\d+)", line)[1]) >= told and "reason=" in line
    assert LIMITED.split('"')[3] not in server.output.replace(line, "")
    assert_others_go_on(server)


def test_who_was_cut_off_cannot_connect_again_on_the_session(start_server):
    server = start_server()
    path = "/socket.io/?EIO=4&transport=polling"
    opened = server.get(path).body.decode()
    path += f"&sid={json.loads(opened[1:])['sid']}"
    headers = {"Content-Type": "text/plain"}

    def post(*packets):
        return server.request("POST", path, "\x1e".join(packets).encode(), headers).status

    assert post("40") == 200
    assert post(*['42["chat_stop",{"run_id":"none"}]'] * 300) == 400
    assert [post("40"), post("40"), post("3"), server.get(path).status] == [400] * 4
    assert len(refused_lines(server)) == 1


@pytest.mark.parametrize("packet", ["3", '42["chat_stop",{}]', "40"])
def test_a_flood_before_any_connect_ends_the_connection(start_server, packet):
    server = start_server()
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    raw = RawSocket.__new__(RawSocket)
    raw.websocket = websocket.create_connection(url, timeout=60)
    sender = threading.Thread(target=send_many, args=(raw, [packet] * 5000), daemon=True)
    sender.start()
    assert len(received(raw)) <= 3  # the handshake, a CONNECT, that it is over
    sender.join()
    assert_others_go_on(server)
