"""Engine.IO beneath Socket.IO: its classes, and the way to one of its clients.

Three things here are not promised by the libraries: the table of classes that Engine.IO makes its
clients of, the queue of a client, and how ids are made. They are checked once, when the server is
made; where they are not as expected the libraries' own way serves, and a line in the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

from engineio.socket import Socket
from socketio.packet import EVENT

from app.dialects.dialect import MERGE_ABOVE
from app.transports.services import Connections
from app.transports.socketio.packets import OrJson

log = logging.getLogger(__name__)


class Room(NamedTuple):
    """How much a client may have unsent, in packets, and of how many entries a read is joined."""

    unsent: int
    most: int


WEBSOCKET_ROOM = Room(64, MERGE_ABOVE)
# A poll is answered with all that waits, and python-socketio's client refuses more than 16 packets.
POLLING_ROOM = Room(6, 4)


class Outlet(Protocol):
    """The way to one client of the default namespace, which may go away."""

    @property
    def unsent(self) -> int:
        """How many packets wait for the client, 0 where nobody can tell."""

    @property
    def room(self) -> Room:
        """What the client's transport has room for; a client may change to a websocket."""

    def emit(self, name: str, payload: Mapping[str, Any]) -> None:
        """Send an event; nothing if the client is gone."""


OutletTo = Callable[[Any, str], Outlet]  # of a Socket.IO server, to the client of that sid


class QueueOutlet:
    """Implements `Outlet` by the client's own queue, which is looked up once."""

    def __init__(self, server: Any, sid: str) -> None:
        self._engine = server.eio
        self._engine_sid = server.manager.eio_sid_from_sid(sid, "/")
        self._client = server.eio.sockets.get(self._engine_sid)

    @property
    def unsent(self) -> int:
        return 0 if self._client is None else int(self._client.queue.qsize())

    @property
    def room(self) -> Room:
        return WEBSOCKET_ROOM if self._client is None or self._client.upgraded else POLLING_ROOM

    def emit(self, name: str, payload: Mapping[str, Any]) -> None:
        self._engine.send(self._engine_sid, event_packet(name, payload))


class LibraryOutlet:
    """Implements `Outlet` by what python-socketio promises, which does not say what is unsent."""

    unsent = 0

    def __init__(self, server: Any, sid: str) -> None:
        self._server = server
        self._sid = sid

    @property
    def room(self) -> Room:
        try:
            polls = self._server.transport(self._sid) == "polling"
        except KeyError:  # it is gone
            polls = False
        return Room(0, 1) if polls else WEBSOCKET_ROOM

    def emit(self, name: str, payload: Mapping[str, Any]) -> None:
        self._server.emit(name, payload, to=self._sid)


def event_packet(name: str, payload: Mapping[str, Any]) -> str:
    """Return the Socket.IO packet of an event of the default namespace."""
    return f"{EVENT}{OrJson.dumps([name, payload])}"


def outlet_of(server: Any) -> OutletTo:
    """Return how this server's clients are reached."""
    try:
        client = Socket(server.eio, "probe")
        server.eio.sockets.get(server.manager.eio_sid_from_sid("probe", "/"))
        if client.queue.qsize() == 0 and not client.upgraded and callable(server.eio.send):
            return QueueOutlet
        fault = "a client is of another shape"
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    warn("its queue", fault, "what a slow one has not taken is not bounded")
    return LibraryOutlet


def use_classes(engine: Any, connections: Connections) -> None:
    """Let Engine.IO make its clients of what the runtime has for it.

    The library lets one choose among async modes only; its classes are the table of one.
    """
    classes = getattr(engine, "_async", None)
    if isinstance(classes, dict) and {"queue", "websocket"} <= classes.keys():
        engine._async = connections.engine_classes(classes)
    else:
        warn("its table of classes", "no _async", "clients are made of its own")


def begin_ids_with(engine: Any, prefix: str) -> None:
    """Let each session's id say whose it is: a request that has it may come to another process."""
    made = getattr(engine, "generate_id", None)
    if callable(made) and isinstance(made(), str):
        engine.generate_id = lambda: prefix + made()
    else:
        warn("its way to make ids", "no generate_id", "who polls may find another process")


def warn(trick: str, fault: str, instead: str) -> None:
    """Log that something is not as expected, and what is done instead."""
    line = "python-engineio %s: %s is not as expected (%s); %s"
    log.warning(line, version("python-engineio"), trick, fault, instead)
