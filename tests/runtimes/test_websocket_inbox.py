"""The reader of frames on its own: the table of cases, another library beside it, its bounds."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol

from app.runtimes.requests import Refused, read_head
from app.runtimes.websockets.handshake import handshake_answer
from app.runtimes.websockets.inbox import MAX_FRAGMENTS, Inbox
from tests.runtimes.test_requests import stream_of
from tests.support.websocket_cases import (
    BAD_UTF8,
    BINARY,
    CASES,
    CLOSE,
    CONT,
    GOOD_UTF8,
    MAX_BYTES,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    close,
    frame,
)
from tests.support.websocket_handshakes import ACCEPT, AGREED, KEY, REFUSED

COUNT = int(os.environ.get("TEST_WEBSOCKET_FRAMES", "2000"))


@dataclass
class Read:
    """What was made of bytes."""

    messages: list[str | bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None
    is_refused: bool = False


def frames_in(data):
    """Return opcode and data of a server's frames, which are small."""
    while data:
        size = data[1]
        yield data[0] & 15, data[2 : 2 + size]
        data = data[2 + size :]


def code_in(data):
    return int.from_bytes(data[:2], "big") if data else NO_CODE


def read(data, piece=65536, max_bytes=MAX_BYTES):
    """Read by our own."""
    inbox, found, owed = Inbox(max_bytes), Read(), b""
    for at in range(0, len(data), piece):
        if inbox.is_over:
            break
        inbox.feed(data[at : at + piece])
        while inbox.step():
            if (message := inbox.take_message()) is not None:
                found.messages.append(message)
            if inbox.is_over:
                break
        else:
            found.is_refused = inbox.is_over  # by what is no frame, and no Close
        owed, inbox.owed = owed + inbox.owed, b""
    for opcode, said in frames_in(owed):
        if opcode == PONG:
            found.pongs.append(said)
        else:
            assert opcode == CLOSE and found.close is None
            found.close = code_in(said)
    assert inbox.is_over == (found.close is not None)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_however_it_is_cut(case):
    expected = list(case.messages), list(case.pongs), case.close
    sizes = (1, 2, 3, 7, 65536) if len(case.data) < 1000 else (1000, 4096, 65536, 1 << 30)
    for piece in sizes:
        found = read(case.data, piece)
        assert (found.messages, found.pongs, found.close) == expected, (piece, case.section)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_handshake_that_is_none(case):
    try:
        head = read_head(stream_of(case.data))
    except Refused as refusal:
        assert refusal.status in case.status
        answer = refusal.answer()
        is_version = refusal.status is HTTPStatus.UPGRADE_REQUIRED
        assert (b"\r\nSec-WebSocket-Version: 13\r\n" in answer) == is_version
    else:
        assert head is not None and not head.keep_alive
        assert not head.is_websocket or "transport=polling" in head.path


@pytest.mark.parametrize("name", AGREED)
@pytest.mark.parametrize("piece", [1, 50, 65536])
def test_what_comes_behind_a_handshake_is_still_there(name, piece):
    stream = stream_of(AGREED[name] + b"frames", piece)
    head = read_head(stream)
    assert head is not None and head.is_websocket and not head.keep_alive
    behind = stream.read(head.behind)  # without waiting
    assert b"frames".startswith(behind) and behind + stream.read() == b"frames"
    assert handshake_answer(KEY).endswith(f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n".encode())


def test_nothing_is_kept_beyond_the_bound():
    inbox, sent = Inbox(MAX_BYTES), 0
    inbox.feed(frame(BINARY, fin=False))
    part = frame(CONT, b"x" * 50_000, fin=False)
    while not inbox.is_over:
        inbox.feed(part)
        while inbox.step():
            pass
        sent += 50_000
        assert len(inbox._frames.buffer) <= len(part) and sent <= MAX_BYTES + 50_000
    inbox.feed(part)
    assert not inbox.step() and len(inbox._frames.buffer) == 0 and not inbox._parts


def test_empty_fragments_are_counted():
    inbox, steps = Inbox(MAX_BYTES), 0
    inbox.feed(frame(BINARY, fin=False) + frame(CONT, fin=False) * (MAX_FRAGMENTS + 5))
    while inbox.step():
        steps += 1
    assert steps == MAX_FRAGMENTS and inbox.is_over


def test_the_bounds_are_a_messages():
    whole = frame(BINARY, b"x" * 600, fin=False) + frame(CONT, b"y" * 400)
    assert len(read(whole * 3, max_bytes=1000).messages) == 3
    assert read(whole + frame(BINARY, b"x" * 1001), max_bytes=1000).close == 1009


# --- Beside another library ---

PAYLOADS = [
    *(b"", b"4", b"4hello", b"x" * 125, b"y" * 126, b"z" * 700),
    *(text.encode() for text in GOOD_UTF8),
    *BAD_UTF8,
]
OPCODES = [TEXT, TEXT, BINARY, CONT, CONT, PING, PONG, CLOSE]
CODES = [1000, 1001, 1003, 1007, 1011, 3000, 4999, 1005, 1006, 2000, 0, 65535]


def random_frame(chance):
    """Return a frame, most often one that may be."""
    opcode = chance.choice(OPCODES) if chance.random() < 0.97 else chance.randrange(16)
    data = chance.choice(PAYLOADS) if chance.random() < 0.5 else b"4" + chance.randbytes(3)
    if opcode == TEXT and chance.random() < 0.7:
        data = b"4text"
    if opcode == CLOSE:
        if chance.random() < 0.5:
            return frame(PING, data[:125])
        return close(chance.choice(CODES), chance.choice([b"", b"bye", chance.choice(BAD_UTF8)]))
    options = {"fin": opcode > 7 or chance.random() < 0.6}
    what = chance.random()
    if what < 0.02:
        options["rsv"] = chance.randrange(1, 8)
    elif what < 0.04:
        options["is_masked"] = False
    elif what < 0.06:
        options["width"] = chance.choice([2, 8])
    elif what < 0.07:
        options["fin"] = False
    elif what < 0.08:
        options |= {"width": 8, "size": chance.choice([1 << 63, MAX_BYTES + 1, 1 << 40])}
    return frame(opcode, data, **options)


def random_bytes(chance):
    """Return some frames, at times with a byte changed, added or left out."""
    data = b"".join(random_frame(chance) for _ in range(chance.randint(1, 8)))
    if chance.random() < 0.3:
        at = chance.randrange(len(data))
        to = at + chance.choice([0, 1])
        data = data[:at] + chance.choice([b"", chance.randbytes(1)]) + data[to:]
    return data + close(1000) * 2  # no frame's head is left without its end


class Reference(Protocol):
    """`websockets`, which refuses a Close between fragments; RFC 6455, 5.4, does not."""

    def recv_frame(self, frame):
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


def read_by_reference(data):
    """Read by `websockets`, with texts decoded, which it leaves to its user."""
    reference, found = Reference(SERVER, max_size=MAX_BYTES), Read()
    reference.receive_data(data)
    found.is_refused = reference.parser_exc is not None
    for opcode, said in frames_in(b"".join(reference.data_to_send())):
        if opcode == PONG:
            found.pongs.append(said)
        else:
            found.close = code_in(said)
    parts, is_text = [], False
    for event in reference.events_received():
        if event.opcode >= Opcode.CLOSE:
            continue
        if event.opcode is not Opcode.CONT:
            parts, is_text = [], event.opcode is Opcode.TEXT
        parts.append(bytes(event.data))
        if event.fin:
            message = b"".join(parts)
            try:
                found.messages.append(message.decode() if is_text else message)
            except UnicodeDecodeError:
                found.is_refused, found.close = True, 1007
                break
    return found


def test_what_is_taken_is_what_the_reference_takes():
    seed = int(os.environ.get("TEST_SEED") or random.randrange(2**32))
    print(f"\nseed {seed}")
    chance = random.Random(seed)
    taken = refused = 0
    for _ in range(COUNT):
        data = random_bytes(chance)
        ours = read(data, chance.choice([1, 5, 65536]))
        reference = read_by_reference(data)
        if ours.is_refused:  # if it alone: a length is not the shortest, or text goes wrong early
            refused += 1
            assert ours.messages == reference.messages[: len(ours.messages)], (seed, data)
            assert ours.pongs == reference.pongs[: len(ours.pongs)], (seed, data)
        else:
            taken += 1
            assert ours == reference, (seed, data)
    print(f"{COUNT} of them, {taken} taken, {refused} refused")
    assert 0 < taken < COUNT
