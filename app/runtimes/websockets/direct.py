"""Engine.IO's classes, with our websockets: a message that nothing is in front of goes out at once.

Engine.IO gives each client a queue and a task that writes what is in it: a timer, two turns of the
hub and two switches for each packet. Here the queue writes a message itself, if the task sleeps and
the connection takes it. What does not go at once is queued as ever. Nobody waits in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engineio.packet import MESSAGE, Packet
from engineio.socket import Socket as EngineClient

from app.runtimes.tricks import missing, works
from app.runtimes.websockets.sending import DirectSocket, frame_of
from app.runtimes.websockets.websocket import (
    GIVE_UP_TURN,
    WebSocket,
    count_frames,
    websocket_app,
)

QUEUE = {"put": 2, "get": 3, "qsize": 1}  # called with `self`
CLASSES = {"queue", "websocket", "event", "sleep"}


def websocket_classes(
    classes: Mapping[str, Any],
    client: Any = EngineClient,
    give_up_turn: Callable[[], None] | None = None,
) -> Mapping[str, Any]:
    """Return the classes that Engine.IO has, with ours for its websocket and, where its clients
    are as expected, for its queue; logged if they are not."""
    if not CLASSES <= classes.keys():
        return classes
    ours = {**classes, "websocket": websocket_app({**classes, GIVE_UP_TURN: give_up_turn})}
    instead = "messages wait for its writer"
    if works("python-engineio", "its client", instead, lambda: _faults(classes, client)):
        ours["queue"] = _direct_queue(classes["queue"])
        ours["websocket"] = _direct_websocket(ours["websocket"], ours["queue"])
    return ours


def _faults(classes: Mapping[str, Any], client: Any) -> Iterable[str]:
    if not isinstance(classes["queue"], type):
        return ["no queue"]
    if Packet(MESSAGE, "probe").encode() != f"{MESSAGE}probe":
        return ["its packets are others"]
    return missing(classes["queue"], QUEUE) + missing(client, {"_websocket_handler": 2})


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


def _direct_queue(queue: Any) -> type:
    class DirectQueue(queue):  # type: ignore[misc]
        wire: Wire | None = None
        is_awaited = False  # somebody is in `get`

        def put(self, item: Any, *args: Any, **options: Any) -> None:
            wire = self.wire
            # Who waits to get has written what it got before.
            is_next = self.is_awaited and not self.qsize()
            if wire is None or not is_next or not wire.takes(item):
                super().put(item, *args, **options)

        def get(self, *args: Any, **options: Any) -> Any:
            self.is_awaited = True
            try:
                return super().get(*args, **options)
            finally:
                self.is_awaited = False

    return DirectQueue


def _direct_websocket(websocket: Any, direct_queue: type) -> Callable[..., Any]:
    def direct_websocket(handler: Any, server: Any) -> Any:
        client = getattr(handler, "__self__", None)  # the handler is a method of its client
        queue = getattr(client, "queue", None)
        if not isinstance(queue, direct_queue):
            return websocket(handler, server)
        direct: Any = queue

        def handle(ws: WebSocket) -> Any:
            direct.wire = Wire(client, ws.socket)
            count_frames(ws, client)
            try:
                return handler(ws)
            finally:
                direct.wire = None

        return websocket(handle, server)

    return direct_websocket
