"""The chunked coding: any chunks, any reads, the same body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.http.chunked import MAX_LINE_BYTES, MAX_TRAILERS, ChunkedBody


def coded(*chunks: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + last


def read(data: bytes, size: int) -> tuple[bytes, ChunkedBody]:
    """Return what reads of that size make of it."""
    body = ChunkedBody()
    return b"".join(body.feed(data[at : at + size]) for at in range(0, len(data), size)), body


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50))
def test_any_chunks_in_any_reads_are_the_body(chunks: list[bytes], size: int) -> None:
    found, body = read(coded(*chunks), size)

    assert (found, body.done, body.surplus) == (b"".join(chunks), True, False)


def test_one_read_of_many_chunks_is_one_piece() -> None:
    assert ChunkedBody().feed(coded(b"a", b"b", b"c")) == b"abc"


@pytest.mark.parametrize(
    "data,found",
    [
        (b"3;name=value\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3 \r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"3\nabc\n0\n\n", b"abc"),
        (b"3\r\nabc\r\n3\ndef\n3\r\nghi\r\n0\r\n\r\n", b"abcdefghi"),
        (b"3\r\na\r\n\r\n0\r\n\r\n", b"a\r\n"),
        (b"1\r\na\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n", b"a"),
    ],
)
def test_what_the_coding_allows(data: bytes, found: bytes) -> None:
    for size in (1, 2, 3, 100):
        said, body = read(data, size)
        assert (said, body.done) == (found, True)


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"0x3\r\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\r\n3\r\nabcd\r\n",
        b"f" * 16 + b"\r\n",
        b"1" * (MAX_LINE_BYTES + 1),
        b"0\r\n" + b"a: b\r\n" * (MAX_TRAILERS + 1),
    ],
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        ChunkedBody().feed(data)


@pytest.mark.parametrize("size", range(1, 15))
def test_a_body_that_is_cut_is_not_done(size: int) -> None:
    body = ChunkedBody()
    body.feed(coded(b"abc", b"d")[:size])

    assert not body.done


def test_bytes_after_the_end_are_told_and_not_taken() -> None:
    body = ChunkedBody()

    assert body.feed(coded(b"abc") + b"HTTP/1.1 200 OK") == b"abc"
    assert (body.done, body.surplus) == (True, True)


def test_a_chunk_that_claims_to_be_huge_asks_for_no_memory() -> None:
    body = ChunkedBody()

    assert body.feed(b"fffffffffffffff\r\nabc") == b"abc"
