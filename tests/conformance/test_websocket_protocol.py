"""RFC 6455 over real sockets: a case a rule, with the section it is in; nothing that comes behind a
refusal or a Close is ever answered."""

from __future__ import annotations

import json
import re
import socket
import struct
from contextlib import suppress

import pytest

from tests.support.framings import MARKER
from tests.support.websocket_cases import (
    BINARY,
    CASES,
    CLOSE,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    masked,
)
from tests.support.websocket_handshakes import ACCEPT, AGREED, REFUSED, handshake

STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d) ")


class Peer:
    """A client of bytes."""

    def __init__(self, server, data=b""):
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.received = b""
        self.send(data)

    def send(self, data):
        with suppress(ConnectionError):  # it has been refused before all of it has gone
            self.connection.sendall(data)

    def read(self, size):
        """Return so many bytes; fewer at the end."""
        with suppress(ConnectionError):
            while len(self.received) < size and (data := self.connection.recv(1 << 20)):
                self.received += data
        read, self.received = self.received[:size], self.received[size:]
        return read

    def read_head(self):
        """Return an answer's head."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1) or b"the end\r\n\r\n"
        return head

    def read_frame(self):
        """Return a frame's opcode and its data; None at the end."""
        head = self.read(2)
        if not head:
            return None
        assert len(head) == 2 and head[0] & 0xF0 == 0x80 and head[1] < 128, head
        size = head[1]
        if size > 125:
            size = int.from_bytes(self.read(2 if size == 126 else 8), "big")
        data = self.read(size)
        assert len(data) == size
        return head[0] & 15, data

    def read_until(self, done):
        """Return the frames up to where it is done, or to the end."""
        frames = []
        while not done(frames) and (found := self.read_frame()) is not None:
            frames.append(found)
        return frames

    def end(self):
        self.connection.close()


@pytest.fixture
def peer(server):
    peers = []

    def connect(data=b""):
        peers.append(Peer(server, data))
        return peers[-1]

    yield connect
    for opened in peers:
        opened.end()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_handshake_that_is_none(peer, case):
    answer = peer(case.data + frame(PING, b"x") + MARKER).read(1 << 30)
    statuses = [int(status) for status in STATUS.findall(answer)]
    assert len(statuses) == 1 and statuses[0] in case.status, answer[:500]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    if statuses[0] == 426:
        assert b"\r\nSec-WebSocket-Version: 13\r\n" in head and b"\r\nUpgrade: websocket" in head
    if case.has_body:
        assert b"application/json" in head
        assert {"code", "message", "error_id", "retryable"} <= set(json.loads(body)["error"])
    else:
        assert body == b""


@pytest.mark.parametrize("name", AGREED)
def test_a_handshake(peer, name):
    client = peer(AGREED[name] + frame(TEXT, b"4hello") + close(1000) + MARKER)
    head = client.read_head()
    assert head.startswith(b"HTTP/1.1 101 ")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
    assert headers == {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": ACCEPT,  # neither extensions nor a subprotocol
    }
    frames = client.read_until(lambda found: False)
    assert frames[0][1].startswith(b"0{")
    assert frames[1:] == [(TEXT, b"4hello"), (CLOSE, b"\x03\xe8")]


def sent_in(frames):
    """Return what messages and what pongs are among frames."""
    messages = [
        data.decode() if opcode == TEXT else data
        for opcode, data in frames
        if opcode in {TEXT, BINARY}
    ]
    return messages[1:], [data for opcode, data in frames if opcode == PONG]


def code_of(data):
    return struct.unpack("!H", data[:2])[0] if data else NO_CODE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frames(peer, case):
    client = peer(handshake() + case.data + (MARKER if case.close else b""))
    assert client.read_head().startswith(b"HTTP/1.1 101 ")
    frames = []
    if case.close is None:
        wanted = 1 + len(case.messages) + len(case.pongs)
        frames = client.read_until(lambda found: len(found) == wanted)
        client.send(close(1000) + MARKER)
    frames += client.read_until(lambda found: False)
    assert sent_in(frames) == (list(case.messages), list(case.pongs)), case.section
    opcode, data = frames[-1]
    assert (opcode, code_of(data)) == (CLOSE, case.close or 1000), case.section
    assert sum(opcode == CLOSE for opcode, _ in frames) == 1


PIECES = [case for case in CASES if len(case.data) < 400 and case.close is None]


@pytest.mark.parametrize("case", PIECES[::4], ids=lambda case: case.name)
def test_frames_that_come_byte_by_byte(peer, case):
    client = peer()
    client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = handshake() + case.data
    for at in range(len(data)):
        client.send(data[at : at + 1])
    assert client.read_head().startswith(b"HTTP/1.1 101 ")
    wanted = 1 + len(case.messages) + len(case.pongs)
    frames = client.read_until(lambda found: len(found) == wanted)
    assert sent_in(frames) == (list(case.messages), list(case.pongs))


def test_a_client_that_does_not_answer_a_close_is_let_go(peer):
    """What is no packet ends the session, and with it the websocket."""
    client = peer(handshake() + frame(TEXT, b"x") + frame(PING, b"late"))
    client.read_head()
    frames = client.read_until(lambda found: False)
    assert frames[-1] == (CLOSE, b"\x03\xe8")


def test_a_message_is_read_while_its_client_sends_nothing_but_pings(peer):
    """Whoever floods does not keep others from being served."""
    flood, other = peer(handshake()), peer(handshake())
    for client in (flood, other):
        client.read_head()
        assert client.read_frame()[1].startswith(b"0{")
    flood.connection.settimeout(0.1)
    with suppress(TimeoutError):
        flood.connection.sendall(frame(PING, b"x" * 125) * 20_000)
    other.send(frame(TEXT, b"4served"))
    assert other.read_frame() == (TEXT, b"4served")


def test_what_is_kept_of_endless_fragments_is_bounded(server, peer):
    before = server.rss_bytes()
    clients = [peer(handshake() + frame(BINARY, fin=False)) for _ in range(20)]
    for client in clients:
        client.send(frame(0, fin=False) * 30_000)
    for client in clients:
        client.send(frame(0, b"x" * 60_000, fin=False) * 30)
        client.read(1 << 30)
    assert server.rss_bytes() - before < 30_000_000


def test_nothing_was_printed(server):
    """Runs behind those."""
    # The library's own lines are about what other tests ask the same server.
    printed = [line for line in server.output.splitlines() if "further occurrences" not in line]
    assert len(printed) == 1, server.output


def test_masks_are_undone():
    assert masked(masked(b"hello")) == b"hello"
