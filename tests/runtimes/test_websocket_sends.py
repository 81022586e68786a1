"""What goes over a websocket at once, and what is queued behind it. The connections are real."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from engineio.packet import MESSAGE, PING, Packet
from wsproto.frame_protocol import FrameProtocol

from app.runtimes.websockets.direct import websocket_classes
from app.runtimes.websockets.sending import DirectSocket, frame_of
from app.runtimes.websockets.websocket import LINK, Link

SIZES = [0, 1, 125, 126, 65535, 65536, 200_000]
LARGE = frame_of("x" * 10_000_000)
PONG = b"\x8a\x00"
MESSAGE_OF_OURS = Packet(MESSAGE, "2[]")


CLASSES = {
    "queue": queue.Queue,
    "websocket": None,
    "event": threading.Event,
    "sleep": lambda seconds: None,
}


class Client:
    """What Engine.IO has of a client, with a websocket made of the classes that it is given."""

    def __init__(self, pair):
        classes = websocket_classes(CLASSES)
        self.queue = classes["queue"]()
        self.queue.is_awaited = True  # as if its task slept
        self.upgraded = True
        near, self.far = pair
        link = Link("", near, near.fd, b"", lambda *args: nullcontext(), lambda: None)
        server = SimpleNamespace(max_http_buffer_size=100)
        self._serve = classes["websocket"](self.handle, server), {LINK: link}

    def serve(self):
        app, environ = self._serve
        app(environ, None)

    def handle(self, ws):
        assert waiting(self.far).startswith(b"HTTP/1.1 101 ")
        self.while_open()
        self.far.shutdown(socket.SHUT_WR)


@pytest.fixture
def pair():
    """A connection, as eventlet has one: with the plain socket in it."""
    near, far = socket.socketpair()
    green = SimpleNamespace(fd=near, sendall=near.sendall, name="near")
    green.recv, green.shutdown = near.recv, near.shutdown
    yield green, far
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
    for frame in (b"frame", b"next"):
        with pytest.raises(OSError):
            direct.sendall(frame)
    assert not direct.send_now(b"next")


def test_the_rest_of_the_connection_is_as_it_was(pair):
    assert DirectSocket(pair[0], pair[0].fd).name == "near"


@pytest.mark.parametrize("data", ["2[]", b"\x00\xff", b""])
def test_a_message_goes_at_once(pair, data):
    client, packet = Client(pair), Packet(MESSAGE, data)

    def send():
        client.queue.put(packet)
        assert waiting(pair[1]) == frame_of(packet.encode())
        assert client.queue.empty()

    client.while_open = send
    client.serve()


@pytest.mark.parametrize("packet", [Packet(PING), None])
def test_only_messages_go_at_once(pair, packet):
    assert_queued(Client(pair), packet)


def test_messages_wait_for_the_end_of_an_upgrade(pair):
    client = Client(pair)
    client.upgraded = False
    assert_queued(client)


def test_messages_wait_for_the_one_that_is_being_written(pair):
    client = Client(pair)
    client.queue.is_awaited = False
    assert_queued(client)


def test_a_queue_is_awaited_while_somebody_gets(pair):
    waits = Client(pair).queue
    waits.is_awaited = False
    taker = threading.Thread(target=waits.get)
    taker.start()
    while not waits.is_awaited:
        taker.join(0.01)
    waits.put(PING)
    taker.join(10)
    assert not waits.is_awaited


def test_messages_wait_behind_what_is_queued(pair):
    client = Client(pair)
    client.queue.put(Packet(PING))
    assert_queued(client)


def test_messages_that_do_not_go_are_queued(pair):
    client = Client(pair)

    def send():
        pair[0].shutdown(socket.SHUT_WR)
        client.queue.put(MESSAGE_OF_OURS)
        assert client.queue.qsize() == 1

    client.while_open = send
    client.serve()


def test_nothing_goes_behind_a_close(pair):
    near, far = pair
    direct = DirectSocket(near, near.fd)
    direct.finish(b"close")
    assert not direct.send_now(b"next")
    with pytest.raises(OSError):
        direct.sendall(b"next")
    assert waiting(far) == b"close"


def test_a_close_comes_behind_the_frame_that_was_begun(pair):
    near, far = pair
    direct = DirectSocket(near, near.fd)
    assert not direct.send_now(LARGE)
    reading = Reading(far, len(LARGE) + 5)
    direct.finish(b"close")
    reading.join(10)
    assert reading.data == LARGE + b"close"


def test_nothing_goes_to_a_websocket_that_is_over(pair):
    client = Client(pair)
    client.while_open = lambda: None
    client.serve()
    waiting(pair[1])
    client.queue.put(Packet(MESSAGE, "2[]"))
    assert (waiting(pair[1]), client.queue.qsize()) == (b"", 1)


def assert_queued(client, packet=MESSAGE_OF_OURS):
    """Check that a packet, put while the websocket is open, is queued last and not sent."""
    before = client.queue.qsize()

    def send():
        client.queue.put(packet)
        assert client.queue.qsize() == before + 1
        assert waiting(client.far) == b""
        assert [client.queue.get() for _ in range(before + 1)][-1] is packet

    client.while_open = send
    client.serve()


class OtherQueue(queue.Queue):
    """A queue that is asked otherwise."""

    def get(self):
        return super().get()


@pytest.mark.parametrize("changes", [{"queue": OtherQueue}, {"queue": lambda: None}])
def test_messages_wait_in_a_queue_that_we_do_not_know(changes, caplog):
    classes = {**CLASSES, **changes}
    assert websocket_classes(classes)["queue"] is classes["queue"]
    assert len(caplog.records) == 1


def test_messages_wait_for_a_writer_that_we_do_not_know(caplog):
    assert websocket_classes(CLASSES, client=object)["queue"] is CLASSES["queue"]
    assert len(caplog.records) == 1


def test_engine_io_keeps_its_classes_where_ours_would_not_fit():
    less = {name: CLASSES[name] for name in ("queue", "websocket")}
    assert websocket_classes(less) is less
