"""Framing, read incrementally and cheaply: HTTP chunks, SSE events, websocket, Socket.IO packets.

Sources: RFC 9112 section 7.1; WHATWG HTML, server-sent events; RFC 6455 section 5.2; the Engine.IO
protocol 4 and the Socket.IO protocol 5. Only what the servers under test send is understood.
"""

from __future__ import annotations

import json
from typing import Any

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Dechunker:
    """Takes HTTP's chunk framing off a body."""

    def __init__(self) -> None:
        self._rest = b""
        self._wanted = 0  # bytes of the current chunk's data and its CRLF that are still to come
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes that these bytes complete."""
        data = self._rest + data
        at, found = 0, []
        while not self.done and at < len(data):
            if self._wanted:
                taken = data[at : at + self._wanted]
                found.append(taken[: max(0, self._wanted - 2)])
                at += len(taken)
                self._wanted -= len(taken)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            size = int(data[at:end].split(b";")[0], 16)
            at = end + 2
            self.done = size == 0
            self._wanted = size + 2
        self._rest = data[at:]
        return b"".join(found)


class SseFrames:
    """Cuts an event stream after its last whole event."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the events that these bytes complete, joined as they came."""
        data = self._rest + data
        end = max(_after_last(data, b"\n\n"), _after_last(data, b"\r\n\r\n"))
        self._rest = data[end:]
        return data[:end]


def _after_last(data: bytes, mark: bytes) -> int:
    at = data.rfind(mark)
    return at + len(mark) if at >= 0 else 0


class WebsocketFrames:
    """Reads a server's websocket frames; they are not masked."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (opcode, payload) of the frames that these bytes complete."""
        data = self._rest + data
        at, found = 0, []
        while (frame := _frame(data, at)) is not None:
            opcode, start, at = frame
            found.append((opcode, data[start:at]))
        self._rest = data[at:]
        return found


def _frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return opcode, and where the payload of the frame at `at` starts and ends."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1] & 0x7F, at + 2
    width = {126: 2, 127: 8}.get(size, 0)
    if width:
        size = int.from_bytes(data[start : start + width], "big")
        start += width
    if len(data) < start + size:
        return None
    return data[at] & 0x0F, start, start + size


def websocket_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame; its mask is zero, which changes nothing and is allowed."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


def socketio_event(name: str, data: Any, ack: int) -> bytes:
    """Return an event packet that wants an ack."""
    return b"42%d%s" % (ack, json.dumps([name, data]).encode())


def socketio_name(packet: bytes) -> bytes:
    """Return the name of an event packet, b"" for any other packet."""
    if not packet.startswith(b'42["'):
        return b""
    return packet[4 : packet.index(b'"', 4)]
