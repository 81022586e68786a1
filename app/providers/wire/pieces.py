"""From the bytes of an answer to batches of pieces, whatever the wire and whatever it is labelled.

An answer is what it begins with: an object of JSON is a reply in one, or the error that it holds;
`<` is a page, and no model server's; anything else is an event stream. A stream is complete with a
finish reason, or with text and the mark of its end. Once it has its reason, what comes after cannot
harm it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from app.core.run_errors import (
    RunError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamTooLarge,
)
from app.providers.wire.chunks import StreamChunks, is_done, loads, objects_in
from app.providers.wire.refusals import no_model_server, refusal_in
from app.providers.wire.sse import EventTooLarge, SseReader
from app.runs.ports import ALIVE, Piece, PieceStream

log = logging.getLogger(__name__)
WHITE = b"\xef\xbb\xbf \t\r\n"
_COMMENTS = re.compile(rb"\A(?:\s*:[^\r\n]*[\r\n]+)+")  # whole lines of an event stream


def read_pieces(received: Iterable[bytes], chunks: StreamChunks, max_bytes: int) -> PieceStream:
    """Yield what each read brought; of one object, all at once. `max_bytes` is for an event, and
    for an answer that is one object. Raises UpstreamIncomplete, UpstreamTooLarge, UpstreamNotFound,
    what `received` and `chunks` raise."""
    reads = iter(received)
    start = begins = next(reads, b"")
    while begins[:1] != b"d":  # of `data`, as a rule
        begins = _COMMENTS.sub(b"", start).lstrip(WHITE)
        if begins and begins[:1] != b":":
            break
        if (data := next(reads, None)) is None or len(start) > max_bytes:
            break
        start = _COMMENTS.sub(b"", start) + data
    if begins[:1] == b"<":
        raise no_model_server()
    if begins[:1] in (b"{", b"[") and not begins.startswith(b"[DONE"):
        yield from _one(chain((begins,), reads), chunks, max_bytes)
    else:
        yield from _events(chain((start,), reads), chunks, max_bytes)


def _one(reads: Iterator[bytes], chunks: StreamChunks, max_bytes: int) -> PieceStream:
    body = bytearray()
    fault: RunError | None = None
    try:
        for data in reads:
            body += data
            if len(body) > max_bytes:
                raise UpstreamTooLarge()
    except RunError as error:
        fault = error
    parsed, left = loads(bytes(body)), ""
    values = parsed if isinstance(parsed, list) else [parsed]
    if parsed is None:  # a line each, or with an event stream's end behind it
        values, left = objects_in(body.decode("utf-8", "replace"))
    if not values:
        raise fault or UpstreamMalformed()
    found: list[Piece] = []
    fault = _add_objects(values, chunks, found) or fault
    # Of lines each may be the last that came before a cut.
    ended = len(values) == 1 and not left or is_done(left.removeprefix("data:").encode())
    chunks.end(found, complete=fault is None and ended)
    if found:
        yield found
    if not chunks.finished:
        raise fault or UpstreamIncomplete()


def _events(reads: Iterator[bytes], chunks: StreamChunks, max_bytes: int) -> PieceStream:
    reader = SseReader(max_bytes)
    fault: RunError | None = None
    found: list[Piece]
    data: bytes | None = b""
    while data is not None and fault is None and not chunks.done:
        heard = chunks.heard
        found = []
        try:
            data = next(reads, None)
        except RunError as error:
            fault = error
            break
        fault = _read(reader, data, chunks, found)
        if found:
            yield found
        elif chunks.heard > heard:
            yield [(ALIVE, None)]
    found = []
    if fault is None and not (chunks.done or chunks.finished):
        fault = _left_over(reader.stray, chunks, found)
    chunks.end(found, complete=fault is None and chunks.done)
    if found:
        yield found
    if not chunks.finished:
        raise fault or UpstreamIncomplete()
    if fault is not None:
        if not (chunks.ends_with_reason or isinstance(fault, UpstreamMalformed)):
            raise fault
        log.debug("what came after a whole reply could not be read: %s", fault.code)


def _read(
    reader: SseReader, data: bytes | None, chunks: StreamChunks, found: list[Piece]
) -> RunError | None:
    """Add what one read brought, None being the end; return the fault in it. What came before that
    was said, and is kept."""
    try:
        chunks.add(reader.close() if data is None else reader.feed(data), found)
    except EventTooLarge as error:
        chunks.add(error.events, found)
        return UpstreamTooLarge()
    except UpstreamMalformed as error:
        return error if data is not None else UpstreamIncomplete()  # cut inside an event
    except RunError as error:
        return error
    return None


def _left_over(stray: list[bytes], chunks: StreamChunks, found: list[Piece]) -> RunError | None:
    """Add what objects there are among the lines that are no event stream's: an error, mostly.
    Return the fault in it."""
    text = b"\n".join(stray).decode("utf-8", "replace")
    values, _ = objects_in(text)
    fault = _add_objects(values, chunks, found)
    if fault is None and stray and not values and not chunks.heard:  # words, and nothing else
        return refusal_in(None, text.encode()).error()
    return fault


def _add_objects(values: list[Any], chunks: StreamChunks, found: list[Piece]) -> RunError | None:
    try:
        for value in values:
            if isinstance(value, dict):
                chunks.add_chunk(value, found)
    except RunError as error:
        return error
    return None
