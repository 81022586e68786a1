"""From the bytes of an event stream to batches of pieces, whatever the wire.

A stream counts as complete only with a finish reason; one that is cut, empty, or not a stream at
all is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Protocol

from app.core.run_errors import RunError, UpstreamIncomplete, UpstreamTooLarge
from app.providers.wire.sse import EventTooLarge, SseReader
from app.runs.ports import Piece, PieceStream


class Chunks(Protocol):
    """One wire's chunks; the state of one stream."""

    finished: bool  # a finish reason came
    done: bool  # nothing after this counts

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add` does."""

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of these events, those before a fault too. Raises UpstreamMalformed,
        UpstreamError."""


def read_whole(received: Iterable[bytes], chunks: Chunks, max_bytes: int) -> PieceStream:
    """Yield the pieces of an answer that is one JSON object. Raises UpstreamIncomplete,
    UpstreamTooLarge, what `received` and `chunks` raise."""
    body = bytearray()
    for data in received:
        body += data
        if len(body) > max_bytes:
            raise UpstreamTooLarge()
    pieces = chunks.pieces([bytes(body)])
    if not chunks.finished:
        raise UpstreamIncomplete()
    yield pieces


def read_pieces(
    content_type: str, received: Iterable[bytes], chunks: Chunks, max_event_bytes: int
) -> PieceStream:
    """Yield what each read brought. Raises UpstreamIncomplete, UpstreamTooLarge, what `received`
    and `chunks` raise."""
    if "text/event-stream" not in content_type.lower():
        raise UpstreamIncomplete()
    reader = SseReader(max_event_bytes)
    for data in chain(received, (None,)):  # None: at the end
        found, fault = _read(reader, data, chunks)
        if found:
            yield found
        if fault is not None:
            raise fault
        if chunks.done:
            break
    if not chunks.finished:
        raise UpstreamIncomplete()


def _read(
    reader: SseReader, data: bytes | None, chunks: Chunks
) -> tuple[list[Piece], RunError | None]:
    """Return what one read brought, and the fault in it: what came before that was said, and is
    kept."""
    found: list[Piece] = []
    try:
        chunks.add(reader.close() if data is None else reader.feed(data), found)
    except EventTooLarge as error:
        chunks.add(error.events, found)
        return found, UpstreamTooLarge()
    except RunError as error:
        return found, error
    return found, None
