"""Websockets under eventlet: a message that nothing is in front of goes out at once.

Engine.IO gives each client a queue and a task that writes what is in it: a timer, two turns of the
hub and two switches for each packet. Here the queue writes a message itself, if the task sleeps and
the connection takes it. What does not go at once is queued as ever. Nobody waits in here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from engineio.packet import MESSAGE

RFC_6455 = (8, 13)  # versions of the protocol; eventlet also speaks what came before it
FINAL_TEXT = 0x81
FINAL_BINARY = 0x82


class DirectSocket:
    """A websocket's connection that can also send without waiting.

    A frame of which only a part could go is finished before anything else is sent.
    """

    def __init__(self, connection: Any, plain: socket.socket) -> None:
        self._connection = connection
        self._plain = plain
        self._sending = False
        self._begun = b""  # the frame of which a part has gone
        self._left = b""  # what has not

    def send_now(self, frame: bytes) -> bool:
        """Send a frame, if all of it goes at once; otherwise it is to be given to `sendall`."""
        if self._sending or self._begun:
            return False
        try:
            sent = self._plain.send(frame, socket.MSG_DONTWAIT)
        except OSError:  # full, or closed: `sendall` will tell
            return False
        if sent == len(frame):
            return True
        self._begun, self._left = frame, frame[sent:]
        return False

    def sendall(self, frame: bytes) -> None:
        """Send all of a frame, of the one that was begun the rest; may wait. Raises OSError."""
        self._sending = True  # for good, if this fails: nothing may follow half a frame
        if frame == self._begun:
            self._begun = frame = b""
        rest, self._left = self._left, b""
        self._connection.sendall(rest + frame)
        self._sending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Wire:
    """Where an Engine.IO client's messages go once it has a websocket."""

    def __init__(self, client: Any, connection: DirectSocket) -> None:
        self._client = client
        self._connection = connection

    def takes(self, packet: Any) -> bool:
        """Send a message, if all of it goes at once.

        Pings take the queue: by them the task that writes knows that the client is there.
        """
        if packet is None or packet.packet_type != MESSAGE or not self._client.upgraded:
            return False
        return self._connection.send_now(frame_of(packet.encode()))


def frame_of(message: str | bytes) -> bytes:
    """Return a server's websocket frame of text or bytes, as RFC 6455 has it."""
    kind = FINAL_TEXT if isinstance(message, str) else FINAL_BINARY
    data = message.encode() if isinstance(message, str) else message
    size = len(data)
    if size < 126:
        return bytes((kind, size)) + data
    if size < 65536:
        return struct.pack("!BBH", kind, 126, size) + data
    return struct.pack("!BBQ", kind, 127, size) + data


def direct_classes(classes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the classes that Engine.IO has, with ours for its queue and its websocket."""
    queue = _direct_queue(classes["queue"])
    return {
        **classes,
        "queue": queue,
        "websocket": _direct_websocket(classes["websocket"], queue),
    }


def _direct_queue(queue: Any) -> type:
    class DirectQueue(queue):  # type: ignore[misc]
        wire: Wire | None = None

        def put(self, item: Any, *args: Any, **options: Any) -> None:
            wire = self.wire
            # Who waits to get has written what it got before.
            is_next = self.getting() and not self.qsize()
            if wire is None or not is_next or not wire.takes(item):
                super().put(item, *args, **options)

    return DirectQueue


def _direct_websocket(websocket: Any, direct_queue: type) -> Callable[..., Any]:
    def direct_websocket(handler: Any, server: Any) -> Any:
        client = getattr(handler, "__self__", None)  # the handler is a method of its client
        queue = getattr(client, "queue", None)
        if not isinstance(queue, direct_queue):
            return websocket(handler, server)
        direct: Any = queue

        def handle(ws: Any) -> Any:
            if ws.version in RFC_6455:
                ws.socket = DirectSocket(ws.socket, ws.socket.fd)
                direct.wire = Wire(client, ws.socket)
            try:
                return handler(ws)
            finally:
                direct.wire = None

        return websocket(handle, server)

    return direct_websocket
