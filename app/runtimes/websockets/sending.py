"""What a server sends over a websocket: frames, each of them whole."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

FINAL_TEXT = 0x81
FINAL_BINARY = 0x82


def frame_of(message: str | bytes) -> bytes:
    """Return a server's frame of text or bytes, as RFC 6455 has it: a tenth of what wsproto's
    costs."""
    kind = FINAL_TEXT if isinstance(message, str) else FINAL_BINARY
    data = message.encode() if isinstance(message, str) else message
    size = len(data)
    if size < 126:
        return bytes((kind, size)) + data
    if size < 65536:
        return struct.pack("!BBH", kind, 126, size) + data
    return struct.pack("!BBQ", kind, 127, size) + data


class DirectSocket:
    """A websocket's connection that can also send without waiting.

    A frame of which only a part could go is finished before anything else is sent.
    """

    def __init__(self, connection: Any, plain: socket.socket) -> None:
        self._connection = connection
        self._plain = plain
        self._lock = threading.Lock()  # several tasks may wait to send
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
        with self._lock:
            self._begin()
            if frame == self._begun:
                self._begun = frame = b""
            rest, self._left = self._left, b""
            self._connection.sendall(rest + frame)
            self._sending = False

    def finish(self, frame: bytes) -> None:
        """Send a frame that is the last: what is given to `sendall` later fails. Raises
        OSError."""
        with self._lock:
            self._begin()
            self._connection.sendall(self._left + frame)
            self._connection.shutdown(socket.SHUT_WR)

    def _begin(self) -> None:
        if self._sending:
            raise BrokenPipeError("the last frame has gone, or half of one")
        self._sending = True  # for good, if this fails: nothing may follow half a frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
