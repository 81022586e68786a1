"""The reader of event streams: the same events wherever their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.wire.sse import SseReader

LF = b'data: {"a": 1}\n\ndata:no space\n\n: a comment\nevent: x\nid: 7\ndata: one\ndata: two\n\n'
EVENTS = [b'{"a": 1}', b"no space", b"one\ntwo"]
STREAMS = {
    "lf": LF,
    "crlf": LF.replace(b"\n", b"\r\n"),
    "cr": LF.replace(b"\n", b"\r"),
    "mixed": LF.replace(b"\n\n", b"\r\n\r", 1).replace(b"\ndata: two", b"\rdata: two"),
    "bom": b"\xef\xbb\xbf" + LF,
    "bom and crlf": b"\xef\xbb\xbf" + LF.replace(b"\n", b"\r\n"),
    "unfinished": LF.rstrip(b"\n"),
}


def read(*received: bytes, limit: int = 1000) -> list[bytes]:
    reader = SseReader(limit)
    found = [event for part in received for event in reader.feed(part)]
    return found + reader.close()


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_stream_is_read_whole(stream: bytes) -> None:
    assert read(stream) == EVENTS


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_stream_cut_in_two_anywhere_gives_the_same(stream: bytes) -> None:
    for cut in range(len(stream) + 1):
        assert read(stream[:cut], stream[cut:]) == EVENTS


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_stream_byte_by_byte_gives_the_same(stream: bytes) -> None:
    assert read(*(stream[index : index + 1] for index in range(len(stream)))) == EVENTS


LINES = [
    b"data: x",
    b"data: y\n\n",
    b"data:",
    b"data: ",
    b"data: z",
    b"event: error",
    b":",
    b"\xc3\xa9",
]
ENDS = [b"\r", b"\n", b"\r\n", b"\n\n"]


@given(st.lists(st.sampled_from(LINES + ENDS)))
def test_any_lines_cut_anywhere_give_the_same(parts: list[bytes]) -> None:
    stream = b"".join(parts)

    assert read(*parts) == read(stream)
    assert read(*(stream[index : index + 1] for index in range(len(stream)))) == read(stream)


def test_event_comes_with_its_blank_line() -> None:
    reader = SseReader(1000)

    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n") == [b"a"]


def test_only_the_first_space_goes() -> None:
    assert read(b"data:  a \n\n") == [b" a "]


def test_line_separators_of_unicode_are_text() -> None:
    assert read("data: a\u2028b\u0085c\n\n".encode()) == ["a\u2028b\u0085c".encode()]


def test_bom_counts_at_the_start_only() -> None:
    assert read(b"data: \xef\xbb\xbf\n\n") == [b"\xef\xbb\xbf"]


def test_pending_says_that_an_event_has_begun() -> None:
    reader = SseReader(1000)
    assert not reader.pending

    for received in (b"da", b"ta: a", b"\n"):
        reader.feed(received)
        assert reader.pending
    reader.feed(b"\n")
    assert not reader.pending


@pytest.mark.parametrize("received", [b"data: " + b"x" * 20, b"x" * 20, b"\n" + b"x" * 20])
def test_line_that_does_not_end_is_too_large(received: bytes) -> None:
    with pytest.raises(ValueError, match="too large"):
        SseReader(10).feed(received)


def test_event_of_many_lines_is_too_large() -> None:
    reader = SseReader(20)

    with pytest.raises(ValueError, match="too large"):
        for _ in range(10):
            reader.feed(b"data: 12345\n")


def test_many_small_events_are_never_too_large() -> None:
    assert read(*[b"data: 12345\n\n"] * 1000, limit=20) == [b"12345"] * 1000
