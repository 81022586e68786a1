"""What goes at once, and what is queued behind it. The connections are real ones."""

from __future__ import annotations

import queue
import socket
import threading
from types import SimpleNamespace

import pytest
from engineio.packet import MESSAGE, PING, Packet
from wsproto.frame_protocol import FrameProtocol

from app.runtimes.eventlet.websockets import DirectSocket, direct_classes, frame_of

SIZES = [0, 1, 125, 126, 65535, 65536, 200_000]
LARGE = frame_of("x" * 10_000_000)
PONG = b"\x8a\x00"
MESSAGE_OF_OURS = Packet(MESSAGE, "2[]")


class GreenQueue(queue.Queue):
    """A queue that can say how many wait to get, as eventlet's can."""

    waiting = 1

    def getting(self):
        return self.waiting


class Client:
    """What Engine.IO has of a client, with a websocket made of the classes that it is given."""

    def __init__(self, near, version=13):
        classes = direct_classes({"queue": GreenQueue, "websocket": lambda app, server: app})
        self.queue = classes["queue"]()
        self.upgraded = True
        self.ws = SimpleNamespace(socket=near, version=version)
        self.serve = classes["websocket"](self.handle, None)

    def handle(self, ws):
        self.while_open()


@pytest.fixture
def pair():
    """A connection, as eventlet has one: with the plain socket in it."""
    near, far = socket.socketpair()
    yield SimpleNamespace(fd=near, sendall=near.sendall, name="near"), far
    near.close()
    far.close()


def waiting(far):
    """Return what has arrived, without waiting."""
    try:
        return far.recv(1 << 16, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


class Reading(threading.Thread):
    """Takes what arrives, up to a size."""

    def __init__(self, far, size):
        super().__init__(daemon=True)
        self.far, self.size, self.data = far, size, b""
        self.start()

    def run(self):
        while len(self.data) < self.size:
            self.data += self.far.recv(1 << 20)


@pytest.mark.parametrize("size", SIZES)
def test_frames_are_what_other_libraries_read(size):
    text = "é" * (size // 2) + "x" * (size % 2)
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(frame_of(text))
    frames = list(protocol.received_frames())
    assert "".join(frame.payload for frame in frames) == text
    assert frames[-1].message_finished


def test_what_goes_at_once_is_sent(pair):
    near, far = pair
    assert DirectSocket(near, near.fd).send_now(b"frame")
    assert waiting(far) == b"frame"


@pytest.mark.parametrize("between", [(), (PONG,), (PONG, PONG)])
def test_a_frame_that_was_begun_is_finished_first(pair, between):
    near, far = pair
    direct = DirectSocket(near, near.fd)
    assert not direct.send_now(LARGE)
    assert not direct.send_now(b"next")
    expected = LARGE + b"".join(between) + b"next"
    reading = Reading(far, len(expected))
    for frame in (*between, LARGE):
        direct.sendall(frame)
    direct.sendall(b"")
    assert direct.send_now(b"next")
    reading.join(10)
    assert reading.data == expected


def test_nothing_goes_at_once_beside_a_frame_that_waits_for_its_client(pair):
    near, far = pair
    direct = DirectSocket(near, near.fd)
    sending = threading.Thread(target=direct.sendall, args=(LARGE,))
    sending.start()
    begun = far.recv(1)
    assert not direct.send_now(b"next")
    reading = Reading(far, len(LARGE) - 1)
    sending.join(10)
    reading.join(10)
    assert begun + reading.data == LARGE
    assert direct.send_now(b"next")


def test_nothing_follows_a_frame_that_failed(pair):
    near, far = pair
    direct = DirectSocket(near, near.fd)
    far.close()
    with pytest.raises(OSError):
        direct.sendall(b"frame")
    assert not direct.send_now(b"next")


def test_the_rest_of_the_connection_is_as_it_was(pair):
    assert DirectSocket(pair[0], pair[0].fd).name == "near"


def test_a_message_goes_at_once(pair):
    near, far = pair
    client = Client(near)

    def send():
        client.queue.put(Packet(MESSAGE, "2[]"))
        assert waiting(far) == frame_of("42[]")
        assert client.queue.empty()

    client.while_open = send
    client.serve(client.ws)


@pytest.mark.parametrize("packet", [Packet(PING), None])
def test_only_messages_go_at_once(pair, packet):
    assert_queued(Client(pair[0]), pair[1], packet)


def test_messages_wait_for_the_end_of_an_upgrade(pair):
    client = Client(pair[0])
    client.upgraded = False
    assert_queued(client, pair[1])


def test_messages_wait_for_the_one_that_is_being_written(pair):
    client = Client(pair[0])
    client.queue.waiting = 0
    assert_queued(client, pair[1])


def test_messages_wait_behind_what_is_queued(pair):
    client = Client(pair[0])
    client.queue.put(Packet(PING))
    assert_queued(client, pair[1])


def test_messages_that_do_not_go_are_queued(pair):
    client = Client(pair[0])
    pair[1].close()
    assert_queued(client, None)


def test_older_websockets_have_other_frames(pair):
    assert_queued(Client(pair[0], version=76), pair[1])


def test_nothing_goes_to_a_websocket_that_is_over(pair):
    client = Client(pair[0])
    client.while_open = lambda: None
    client.serve(client.ws)
    client.queue.put(Packet(MESSAGE, "2[]"))
    assert (waiting(pair[1]), client.queue.qsize()) == (b"", 1)


def assert_queued(client, far, packet=MESSAGE_OF_OURS):
    """Check that a packet, put while the websocket is open, is queued last and not sent."""
    before = client.queue.qsize()

    def send():
        client.queue.put(packet)
        assert client.queue.qsize() == before + 1
        assert far is None or waiting(far) == b""
        assert [client.queue.get() for _ in range(before + 1)][-1] is packet

    client.while_open = send
    client.serve(client.ws)
