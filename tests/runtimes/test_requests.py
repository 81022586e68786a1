"""The strict parser on its own, by the table of framings and beside h11."""

from __future__ import annotations

import io
import os
import random

import h11
import pytest

from app.runtimes.chunks import BadChunks, Chunks
from app.runtimes.requests import Head, Refused, read_head
from tests.support.framings import FRAMINGS, MARKER, get

CASES = int(os.environ.get("TEST_FRAMINGS", "5000"))
SPLICES = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b";", b",", b"0", b"1", b"_", b"+", b"-"),
    *(b"\x0b", b"\x7f", b"\x80", b"\xff", b"#", b"//", b"http://x", b"HTTP/1.0", b"\r\n\r\n"),
    *(b"\r\nContent-Length: 5", b"\r\nTransfer-Encoding: chunked", b"\r\nHost: x", b"chunked"),
    *(
        b"\r\n a",
        b"\r\nX",
        b"0\r\n\r\n",
        b"Transfer-Encoding",
        b"\r\nConnection: close",
        b"e",
        b"f",
    ),
]


class Pieces(io.RawIOBase):
    """A connection that brings at most so many bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        part = self._data.read(min(self._size, len(buffer)))
        buffer[: len(part)] = part
        return len(part)


def stream_of(data: bytes, size: int = 65536) -> io.BufferedReader:
    """What a server reads a connection by."""
    return io.BufferedReader(Pieces(data, size))


def is_chunked(head: Head) -> bool:
    return any(name.lower() == "transfer-encoding" for name, _ in head.headers)


def read_one(data: bytes, size: int = 65536) -> tuple[Head, bytes, bytes] | int | None:
    """Read one request: its head, its body and what is behind it, the status of its refusal, or
    None where it does not come to its end."""
    stream = stream_of(data, size)
    try:
        head = read_head(stream)
        if head is None:
            return None
        body = Chunks(stream).read() if is_chunked(head) else stream.read(head.length or 0)
        return None if len(body) < (head.length or 0) else (head, body, stream.read())
    except Refused as refusal:
        return refusal.status.value
    except BadChunks:
        return 400
    except OSError:
        return None


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.name)
def test_a_framing(framing, size):
    read = read_one(framing.data + MARKER, size if len(framing.data) < 9000 else 65536)
    if framing.goes_on:
        assert isinstance(read, tuple) and read[0].keep_alive
        assert read[2].lstrip(b"\r\n") == MARKER
    elif framing.is_refused:
        # Where nobody has the path, that is said before the body is looked at.
        assert read in (framing.status - {404} or {400})


def test_a_refusal_is_an_error_of_tandems():
    with pytest.raises(Refused) as refused:
        read_head(stream_of(get(b"X-Secret planted\r\n")))
    answer = refused.value.answer()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"planted" not in answer
    assert b'{"error":{"code":"invalid_request","message":"' in answer


def test_a_refusal_of_head_has_no_body():
    with pytest.raises(Refused) as refused:
        read_head(stream_of(b"HEAD /health HTTP/1.1\r\n\r\n"))
    assert refused.value.answer().endswith(b"\r\n\r\n")


def test_a_head_takes_nothing_of_what_is_behind_it():
    stream = stream_of(get(b"Content-Length: 5\r\n") + b"hello" + MARKER)
    head = read_head(stream)
    assert head is not None and (head.method, head.path, head.length) == ("GET", "/health", 5)
    assert stream.read() == b"hello" + MARKER


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_head_that_is_cut_off_is_none(cut):
    assert read_head(stream_of(get()[:-cut])) is None


def test_the_host_of_a_target_counts_and_not_the_header():
    head = read_head(stream_of(b"GET http://a:1/b?c HTTP/1.1\r\nHost: d\r\n\r\n"))
    assert head is not None and head.path == "/b?c" and head.headers == [("Host", "a:1")]


def test_lines_of_a_chunked_body():
    chunks = Chunks(stream_of(b"4\r\na\nbc\r\n3\r\nd\ne\r\n0\r\n\r\nrest"))
    assert [chunks.readline() for _ in range(4)] == [b"a\n", b"bcd\n", b"e", b""]


def test_chunks_that_went_wrong_stay_wrong():
    chunks = Chunks(stream_of(b"1\r\nab1\r\nc\r\n0\r\n\r\n"))
    for _ in range(2):
        with pytest.raises(BadChunks):
            chunks.read(1)


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Return a request with a few things changed."""
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data))
        to = min(len(data), at + chance.choice([0, 0, 1, 1, 2, 9]))
        what = chance.random()
        if what < 0.6:
            data = data[:at] + chance.choice(SPLICES) + data[to:]
        elif what < 0.75:
            data = data[:at] + bytes([chance.randrange(256)]) + data[to:]
        elif what < 0.85:
            data = data[:at] + data[to:]
        else:
            lines = data.split(b"\r\n")
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            data = b"\r\n".join(lines)
        data = data or b"x"
    return data


def read_by_h11(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a request's method, its body and what is behind it. Raises RemoteProtocolError."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
    connection.receive_data(data)
    request, body = connection.next_event(), b""
    assert isinstance(request, h11.Request), request
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), event
        body += event.data
    return request.method, body, connection.trailing_data[0]


def test_what_is_taken_is_what_the_reference_takes():
    seed = int(os.environ.get("TEST_SEED") or random.randrange(2**32))
    print(f"\nseed {seed}")
    chance = random.Random(seed)
    seeds = [framing.data for framing in FRAMINGS if framing.goes_on and len(framing.data) < 9000]
    taken = 0
    for _ in range(CASES):
        data = mutated(chance, seeds) + MARKER
        read = read_one(data, chance.choice([1, 3, 65536]))
        if isinstance(read, tuple):
            taken += 1
            while data.startswith(b"\r\n"):  # RFC 9112, 2.2, which h11 does not follow
                data = data[2:]
            try:
                reference = read_by_h11(data)
            except (h11.RemoteProtocolError, AssertionError) as error:
                pytest.fail(f"seed {seed}: {data!r} is taken; h11: {error}")
            assert reference == (read[0].method.encode(), *read[1:]), (seed, data)
    print(f"{CASES} requests, {taken} of them taken")
    assert 0 < taken < CASES
