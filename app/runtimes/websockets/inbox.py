"""What a client sends over a websocket, from bytes to messages, within bounds; no I/O.

wsproto reads the frames, strictly. What it leaves open is here: how large a message may be, and of
how many fragments; what a Close frame may say; and what each is answered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    MessageDecoder,
    Opcode,
    ParseFailed,
)

CONTROL_WEIGHT = 40  # a client pings once in some seconds; of a long message there are many frames
MAX_FRAGMENTS = 10_000  # of a message; empty ones count
# RFC 6455, 7.4.1, and what IANA has registered since.
CLOSE_CODES = {*range(1000, 1004), *range(1007, 1015)}
OWN_CLOSE_CODES = range(3000, 5000)  # 7.4.2


def control_frame(opcode: Opcode, data: bytes = b"") -> bytes:
    """Return a server's Close, Ping or Pong."""
    return bytes((0x80 | opcode, len(data))) + data


def close_frame(code: int = CloseReason.NORMAL_CLOSURE) -> bytes:
    """Return a server's Close, with that code."""
    return control_frame(Opcode.CLOSE, struct.pack("!H", code))


class Inbox:
    """One connection's. Nothing is kept of what is wrong, nor taken after it."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` is the size of a message, over all its fragments."""
        self._max_bytes = max_bytes
        self.owed = b""  # what is to be sent to the client: pongs, a Close
        self.is_over = False  # a Close is among it, and it is the last
        self.weight = 1  # of the frame that the last step has read: how many it counts for
        self._begin()

    def _begin(self) -> None:
        self._frames = FrameDecoder(client=False)
        self._fragments = MessageDecoder()
        self._begin_message()

    def _begin_message(self) -> None:
        self._parts: list[Any] = []  # texts, or bytes
        self._size = 0
        self._count = 0
        self._message: str | bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes, which `step` is to read."""
        if not self.is_over:
            self._frames.receive_bytes(data)

    def step(self) -> bool:
        """Read a frame, or what is there of one; False if there is nothing to read."""
        if self.is_over:
            return False
        try:
            frame = self._frames.process_buffer()
            self._check_size(frame)
            if frame is not None:
                self._take(frame)
        except ParseFailed as error:
            self._end(close_frame(error.code))
            return False
        return frame is not None

    def end(self, code: CloseReason) -> None:
        """Take nothing more; a Close is owed that says why."""
        if not self.is_over:
            self._end(close_frame(code))

    def take_message(self) -> str | bytes | None:
        """Return the message that the last step has ended, if it has."""
        message = self._message
        if message is not None:
            self._begin_message()
        return message

    def _check_size(self, frame: Frame | None) -> None:
        """Refuse a message as soon as a frame's header says that it is too big."""
        if frame is not None and not frame.opcode.iscontrol():
            self._size += len(frame.payload)
            self._count += frame.frame_finished
        header, to_come = self._frames.header, 0
        if header is not None and not header.opcode.iscontrol():
            to_come = header.payload_len - self._frames.payload_consumed
        if self._size + to_come > self._max_bytes or self._count > MAX_FRAGMENTS:
            raise ParseFailed("the message is too big", CloseReason.MESSAGE_TOO_BIG)

    def _take(self, frame: Frame) -> None:
        """Take a frame: each one that comes passes through here, a large one in parts."""
        payload: Any = frame.payload
        self.weight = CONTROL_WEIGHT if frame.opcode.iscontrol() else 1
        if not frame.opcode.iscontrol():
            self._add(self._fragments.process_frame(frame))
        elif frame.opcode is Opcode.PING:
            self.owed += control_frame(Opcode.PONG, payload)
        elif frame.opcode is Opcode.CLOSE:
            _check_close(payload)
            self._end(control_frame(Opcode.CLOSE, payload))

    def _add(self, part: Frame) -> None:
        self._parts.append(part.payload)
        if part.message_finished:
            self._message = _joined(self._parts, is_text=part.opcode is Opcode.TEXT)

    def _end(self, last: bytes) -> None:
        self.owed += last
        self.is_over = True
        self._begin()


def _joined(parts: Iterable[Any], is_text: bool) -> str | bytes:
    return "".join(parts) if is_text else b"".join(parts)


def _check_close(payload: bytes) -> None:
    """Refuse a Close that is none (RFC 6455, 5.5.1 and 7.4). Raises ParseFailed."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 0
    if code not in CLOSE_CODES and code not in OWN_CLOSE_CODES:
        raise ParseFailed("there is no such close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        invalid = CloseReason.INVALID_FRAME_PAYLOAD_DATA
        raise ParseFailed("the reason is not UTF-8", invalid) from None
