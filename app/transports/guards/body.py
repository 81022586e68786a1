"""A request's body as one JSON object, or the error that says what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
from flask import Request

from app.core.errors import (
    BadBody,
    BadJson,
    OverCapacity,
    RequestError,
    TooLarge,
    UnsupportedMediaType,
)
from app.transports.guards.large_bodies import Hold
from app.transports.guards.nesting import is_bounded

FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
PIECE_BYTES = 65536
DRAIN_BYTES = 16_000_000  # of a body too large, so that its sender gets to read the answer
DRAIN_S = 2.0
NO_ROOM = "The server holds as many large requests as it can. Try again shortly."
SLOW_BYTES_A_S = 50_000  # what a long body has time for, on top of REQUEST_BODY_TIMEOUT_S


def read_object(request: Request, max_bytes: int, hold: Hold | None = None) -> dict[str, Any]:
    """Return the body; one that may be large has a hold. Raises TooLarge, UnsupportedMediaType,
    BadJson, OverCapacity.

    A body that parses is taken under any Content-Type but a form's: a bare `fetch` sends
    text/plain.
    """
    with _mapped_errors():
        pieces = _read(request, max_bytes, hold)
    if request.mimetype in FORMS:
        raise UnsupportedMediaType()
    parse = partial(_parse_pieces, pieces)
    return parse() if hold is None else hold.run(parse)


def read_optional_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """Return the body, or an empty object where there is none. Raises as `read_object` does."""
    if not request.content_length and not is_chunked(request.environ):
        return {}
    return read_object(request, max_bytes)


def is_chunked(environ: Mapping[str, Any]) -> bool:
    """Whether the request has a body in chunks."""
    # Not by wsgi.input_terminated: gevent sets it on every request.
    return str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower() == "chunked"


def pieces_of(request: Request, max_bytes: int) -> Iterator[bytes]:
    """Yield the body as it comes, which may take long where it is long. Raises TooLarge,
    BadBody."""
    stream, announced = request.environ["wsgi.input"], request.content_length
    if announced is not None and announced > max_bytes:
        if "Expect" not in request.headers:
            _drain(stream, announced)
        raise _too_large(max_bytes)
    if announced is None and not request.environ.get("wsgi.input_terminated", False):
        return
    give_time(stream, announced if announced is not None else max_bytes)
    size = 0
    while announced is None or size < announced:
        wanted = PIECE_BYTES if announced is None else min(PIECE_BYTES, announced - size)
        with _mapped_errors(BadBody):
            piece = stream.read(wanted)
        if not piece:
            break
        size += len(piece)
        if size > max_bytes:
            _drain(stream, DRAIN_BYTES)
            raise _too_large(max_bytes)
        yield piece
    if announced is not None and size < announced:
        raise BadBody("The body is cut off.")


def give_time(stream: Any, size: int) -> None:
    """Let a body of that size take as long as it does over a slow line."""
    allow = getattr(stream, "allow", None)
    if allow is not None:
        allow(size / SLOW_BYTES_A_S)


def drop_chunks(environ: Mapping[str, Any], max_bytes: int) -> None:
    """Read the body in chunks, if there is one, of a request that needs none: what comes behind
    chunks that are none is no request (RFC 9112, 7.1). Raises BadJson, TooLarge.

    Who waits for a 100 before sending it is not told to.
    """
    if not is_chunked(environ) or "HTTP_EXPECT" in environ:
        return
    size = 0
    with _mapped_errors():
        while piece := environ["wsgi.input"].read(PIECE_BYTES):
            size += len(piece)
            if size > max_bytes:
                raise _too_large(max_bytes)


@contextmanager
def _mapped_errors(error: type[RequestError] = BadJson) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise error("The body took too long to arrive.") from None
    except (OSError, ValueError):
        raise error("The body is cut off, or its chunks are malformed.") from None


def check_weight(hold: Hold, weigh: Callable[[], int], max_bytes: int) -> None:
    """Raise TooLarge where a body that is larger than others may be has more than pictures and
    files to be so."""
    if hold.size > max_bytes and hold.run(weigh) > max_bytes:
        raise TooLarge(f"Besides pictures and files there are more than {max_bytes} bytes.")


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {max_bytes} bytes that are allowed.")


def parse_object(data: bytes | str) -> dict[str, Any]:
    """Return the one JSON object that `data` is. Raises BadJson."""
    if not is_bounded(data):
        raise BadJson()
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise BadJson() from None
    if not isinstance(value, dict):
        raise BadJson()
    return value


def _parse_pieces(pieces: list[bytes]) -> dict[str, Any]:
    data = b"".join(pieces)
    pieces.clear()
    return parse_object(data)


def _read(request: Request, max_bytes: int, hold: Hold | None) -> list[bytes]:
    stream = request.environ["wsgi.input"]
    announced = request.content_length
    chunked = request.environ.get("wsgi.input_terminated", False)
    if announced is None and not chunked:
        return []
    if announced is not None and announced > max_bytes:
        if "Expect" not in request.headers:  # else nothing comes until it is asked for
            _drain(stream, announced)
        raise _too_large(max_bytes)
    if hold is not None:
        if announced is not None and not hold.has_room(announced):
            if "Expect" not in request.headers:
                _drain(stream, announced)
            raise OverCapacity(NO_ROOM)
        give_time(stream, announced if announced is not None else max_bytes)
    pieces, size = [], 0
    while size <= max_bytes:
        wanted = PIECE_BYTES if announced is None else min(PIECE_BYTES, announced - size)
        piece = stream.read(wanted) if wanted else b""
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if hold is not None and not hold.grow_to(size):
            pieces.clear()
            _drain(stream, DRAIN_BYTES)
            raise OverCapacity(NO_ROOM)
    if size > max_bytes:
        _drain(stream, DRAIN_BYTES)
        raise _too_large(max_bytes)
    return pieces


def _drain(stream: Any, size: int) -> None:
    """Read and drop the rest: a server that answers and hangs up breaks the pipe its answer is
    in."""
    deadline = time.monotonic() + DRAIN_S
    left = min(size, DRAIN_BYTES)
    while left > 0 and time.monotonic() < deadline:
        piece = stream.read(min(PIECE_BYTES, left))
        if not piece:
            return
        left -= len(piece)
