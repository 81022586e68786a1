"""A Socket.IO client as its viewers see it: what it has unsent, and the way for events.

The library's `emit` looks for the client in rooms, each time; here it is found once. Before it
emits, a viewer looks at how much its client has unsent, because the library's queue for a client
has no bound: one that is behind waits, and then gets larger pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from socketio.packet import EVENT

from app.dialects.base import MERGE_ABOVE
from app.transports.socket_guard import OrJson


class Room(NamedTuple):
    """How much a client may have unsent, in packets, and of how many entries a read is joined."""

    unsent: int
    most: int


WEBSOCKET_ROOM = Room(64, MERGE_ABOVE)
# A poll is answered with all that waits, and python-socketio's client refuses more than 16 packets.
POLLING_ROOM = Room(6, 4)


class SocketOutlet:
    """The way to one client of the default namespace, which may go away."""

    def __init__(self, server: Any, sid: str) -> None:
        self._engine = server.eio
        self._engine_sid = server.manager.eio_sid_from_sid(sid, "/")
        self._client = server.eio.sockets.get(self._engine_sid)

    @property
    def unsent(self) -> int:
        """How many packets wait for the client."""
        return 0 if self._client is None else int(self._client.queue.qsize())

    @property
    def room(self) -> Room:
        """What the client's transport has room for; a client may change to a websocket."""
        return WEBSOCKET_ROOM if self._client is None or self._client.upgraded else POLLING_ROOM

    def emit(self, name: str, payload: Mapping[str, Any]) -> None:
        """Send an event, as `emit` of the library would; nothing if the client is gone."""
        self._engine.send(self._engine_sid, event_packet(name, payload))


def event_packet(name: str, payload: Mapping[str, Any]) -> str:
    """Return the Socket.IO packet of an event of the default namespace."""
    return f"{EVENT}{OrJson.dumps([name, payload])}"
