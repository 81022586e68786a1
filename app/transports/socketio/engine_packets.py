"""Engine.IO 4's packets as they come: in the body of a POST, or each in a websocket's message."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from engineio.exceptions import ContentTooLongError
from engineio.packet import CLOSE, MESSAGE, NOOP, OPEN, PING, PONG, UPGRADE, Packet

SEPARATOR = "\x1e"
MAX_PACKETS = 1000  # of one POST; the library's 16 is less than a client sends that was offline
KINDS = {str(kind): kind for kind in (OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP)}


def decoded(encoded: str | bytes) -> Packet:
    """Return a packet with its text as it came: the library takes some for JSON (Packet
    encoding). Raises ValueError."""
    if not isinstance(encoded, str):
        return Packet(MESSAGE, bytes(encoded))
    if encoded[:1] == "b":
        return Packet(MESSAGE, base64.b64decode(encoded[1:], validate=True))
    if encoded[:1] not in KINDS:
        raise ValueError("there is no packet of that type")
    return Packet(KINDS[encoded[:1]], encoded[1:])


def is_upgrade(environ: Mapping[str, Any]) -> bool:
    """Whether a request asks for a websocket."""
    tokens = [token.strip() for token in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    return "upgrade" in tokens and environ.get("HTTP_UPGRADE", "").lower() == "websocket"


def body_of(environ: Mapping[str, Any], limit: int) -> str:
    """Return a request's body, one in chunks too. Raises ContentTooLongError, ValueError and
    OSError."""
    size = limit + 1
    is_chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    if not is_chunked:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if size > limit:
            raise ContentTooLongError()
    body = b""
    while len(body) < size and (part := environ["wsgi.input"].read(size - len(body))):
        body += part
    if len(body) > limit:
        raise ContentTooLongError()
    if not is_chunked and len(body) != size:
        raise ValueError("the body ends too early")
    return body.decode()


def count_of(body: str) -> int:
    """Return how many packets a body has. Raises ContentTooLongError."""
    count = body.count(SEPARATOR) + 1
    if count > MAX_PACKETS:
        raise ContentTooLongError()
    return count


def split(body: str) -> list[Packet]:
    """Return a body's packets (HTTP long-polling, Packet encoding). Raises ValueError."""
    return [decoded(part) for part in body.split(SEPARATOR)]
