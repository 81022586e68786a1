"""Events on their way to a Socket.IO client, and an Engine.IO that is not as expected."""

from __future__ import annotations

import queue
from types import SimpleNamespace

import pytest
import socketio
from socketio.packet import EVENT

from app.dialects.dialect import MERGE_ABOVE
from app.transports.socketio.engine import (
    LibraryOutlet,
    QueueOutlet,
    Room,
    event_packet,
    outlet_of,
    use_classes,
)
from app.transports.socketio.packets import StrictPacket


class Countless:
    """A queue that does not say how many wait."""


class Connections:
    """A runtime's, with a queue of its own."""

    def stop_reading(self, body):
        """Nothing is read."""

    def engine_classes(self, classes):
        return {**classes, "queue": Countless}


@pytest.fixture
def server():
    return socketio.Server(async_mode="threading")


@pytest.mark.parametrize(
    "payload",
    [{}, {"token": 'é\u2028"\\', "count": 1, "none": None}, {"nested": [{"a": 1.5}, True]}],
)
def test_an_event_is_what_the_library_would_send(payload):
    by_library = StrictPacket(EVENT, ["chat_token", payload], namespace="/").encode()
    assert event_packet("chat_token", payload) == by_library


def test_clients_are_reached_by_their_queues(server, caplog):
    assert outlet_of(server) is QueueOutlet
    assert caplog.records == []


def test_clients_whose_queues_do_not_count_are_reached_by_the_library(server, caplog):
    use_classes(server.eio, Connections())
    assert outlet_of(server) is LibraryOutlet
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("python-engineio ")


@pytest.mark.parametrize(
    "server",
    [
        SimpleNamespace(),
        SimpleNamespace(eio=SimpleNamespace(create_queue=queue.Queue, sockets={})),
        SimpleNamespace(
            eio=SimpleNamespace(create_queue=queue.Queue, sockets={}, send=None),
            manager=SimpleNamespace(eio_sid_from_sid=lambda sid, namespace: None),
        ),
    ],
)
def test_a_server_of_another_shape_reaches_its_clients_itself(server):
    assert outlet_of(server) is LibraryOutlet


def test_an_engine_without_a_table_of_classes_makes_clients_of_its_own(server, caplog):
    engine = SimpleNamespace(_async=None)
    use_classes(engine, Connections())
    assert engine._async is None
    assert len(caplog.records) == 1


class Library:
    """What python-socketio promises."""

    def __init__(self, transport):
        self.emitted = []
        self._transport = transport

    def transport(self, sid):
        return {"sid": self._transport}[sid]

    def emit(self, name, payload, to):
        self.emitted.append((name, payload, to))


@pytest.mark.parametrize(
    "sid,transport,room",
    [
        ("sid", "polling", Room(0, 1)),
        ("sid", "websocket", Room(64, MERGE_ABOVE)),
        ("gone", "polling", Room(64, MERGE_ABOVE)),
    ],
)
def test_the_library_emits_and_knows_the_transport(sid, transport, room):
    library = Library(transport)
    outlet = LibraryOutlet(library, sid)
    outlet.emit("chat_token", {"seq": 1})
    assert (outlet.room, outlet.unsent) == (room, 0)
    assert library.emitted == [("chat_token", {"seq": 1}, sid)]
