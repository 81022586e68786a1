"""A websocket: messages in, messages out, and how it ends; what Engine.IO has of one."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from wsproto.frame_protocol import CloseReason

from app.runtimes.server import LINGER_S, drop
from app.runtimes.websockets.handshake import handshake_answer
from app.runtimes.websockets.inbox import Inbox, close_frame
from app.runtimes.websockets.sending import DirectSocket, frame_of

log = logging.getLogger(__name__)
GIVE_UP_TURN = "give_up_turn"  # among the classes: how a reader lets others work
LINK = "tandem.link"  # in the environ of a handshake that is one
READ_BYTES = 65_536
TURN_S = 0.002  # for which a client's frames may be read on end


def _always(weight: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Link:
    """The connection that a handshake came on."""

    key: str
    connection: Any  # of the library, which can wait
    plain: socket.socket  # the one in it, which cannot
    behind: bytes  # what came behind the handshake
    timeout: Any  # the library's
    opened: Callable[[], None]  # tells the HTTP server to write nothing more


class WebSocket:
    """One websocket; one task reads it, any may send."""

    def __init__(self, link: Link, classes: Any, max_bytes: int) -> None:
        """`classes` are Engine.IO's, `max_bytes` the size of a message."""
        self.socket = DirectSocket(link.connection, link.plain)
        self._connection = link.connection
        self._timeout = link.timeout
        # Whether a frame that has come is to be read, which counts for so many.
        self.admit: Callable[[int], bool] = _always
        self._give_up_turn = classes.get(GIVE_UP_TURN) or partial(classes["sleep"], 0)
        self._inbox = Inbox(max_bytes)
        self._inbox.feed(link.behind)
        self._reads = False
        self._is_over = False  # in one direction at least
        self._was_read = classes["event"]()  # to its end
        self._turn_began = time.monotonic()

    # --- Messages ---

    def send(self, message: str | bytes) -> None:
        """Send a message; may wait. Raises OSError."""
        self.socket.sendall(frame_of(message))

    def wait(self) -> str | bytes | None:
        """Return the next message, waiting for it; None once there will be none."""
        try:
            while not self._is_over:
                self._take_turn()
                if not self._inbox.step():
                    self._receive()
                elif not self.admit(self._inbox.weight):
                    self._inbox.end(CloseReason.POLICY_VIOLATION)
                elif (message := self._inbox.take_message()) is not None:
                    self._send_owed()
                    return message
        except OSError as error:
            log.debug("a websocket is gone: %s", type(error).__name__)
        self._was_read.set()
        return None

    def _receive(self) -> None:
        """Answer what was read so far, and wait for more. Raises OSError."""
        self._send_owed()
        if self._is_over:
            return
        self._reads, began = True, time.monotonic()
        try:
            data = self._connection.recv(READ_BYTES)
        finally:
            self._reads = False
        self._is_over = self._is_over or not data
        self._inbox.feed(data)
        if time.monotonic() - began > TURN_S:
            self._turn_began = time.monotonic()  # it has waited, and others had their turn

    def _send_owed(self) -> None:
        owed, self._inbox.owed = self._inbox.owed, b""
        if self._inbox.is_over and not self._is_over:
            self._is_over = True
            self.socket.finish(owed)
        elif owed:
            self.socket.sendall(owed)

    def _take_turn(self) -> None:
        """Let others run, if this task has gone on for long: pings, too, come without an end."""
        if time.monotonic() - self._turn_began > TURN_S:
            self._give_up_turn()
            self._turn_began = time.monotonic()

    # --- Its end ---

    def close(self) -> None:
        """Close it, and give the client some time to do so too; may wait for that."""
        with suppress(OSError):
            self._say_goodbye()
        if self._reads and not self._was_read.wait(LINGER_S):
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Close it; what the client still sends is dropped for some time."""
        with suppress(OSError), self._timeout(LINGER_S, False):
            self._say_goodbye()
            drop(self._connection)

    def _say_goodbye(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.socket.finish(close_frame())


def count_frames(ws: WebSocket, client: Any) -> None:
    """Have the client say whether each frame of its websocket is to be read, if it can."""
    ws.admit = getattr(client, "admit", ws.admit)


def websocket_app(classes: Any) -> Callable[[Any, Any], Callable[..., Iterable[bytes]]]:
    """Return what Engine.IO makes the WSGI application of a websocket with: of a function that is
    called with the websocket, and of its server."""

    def make(handler: Callable[[WebSocket], Any], server: Any) -> Callable[..., Iterable[bytes]]:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            _serve(environ[LINK], classes, int(server.max_http_buffer_size), handler)
            return []

        return app

    return make


def _serve(link: Link, classes: Any, max_bytes: int, handler: Callable[[WebSocket], Any]) -> None:
    ws = WebSocket(link, classes, max_bytes)
    count_frames(ws, getattr(handler, "__self__", None))  # the handler is a method of its client
    link.opened()
    try:
        link.connection.sendall(handshake_answer(link.key))
        handler(ws)
    except OSError as error:
        log.debug("a websocket is gone: %s", type(error).__name__)
    except Exception:
        log.exception("a websocket failed")  # an answer would be no frame
    ws.end()
