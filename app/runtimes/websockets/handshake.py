"""The handshake of a websocket, the server's side (RFC 6455, 4.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from http import HTTPStatus

VERSION = "13"
KEY_BYTES = 16
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3
ANSWER = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: %s\r\n\r\n"
)
# What goes with a 426: RFC 6455, 4.4, and RFC 9110, 15.5.22.
UPGRADE_HEADERS = f"Upgrade: websocket\r\nSec-WebSocket-Version: {VERSION}\r\n"


def handshake_fault(named: Mapping[str, list[str]]) -> tuple[HTTPStatus, str] | None:
    """Return with what a request that asks for a websocket is to be refused, if it is; `named` are
    its headers by name, in lower case."""
    versions, keys = named.get("sec-websocket-version", []), named.get("sec-websocket-key", [])
    if len(versions) > 1 or len(keys) > 1:
        return HTTPStatus.BAD_REQUEST, "A handshake has one Sec-WebSocket-Key and -Version."
    if versions != [VERSION]:
        return HTTPStatus.UPGRADE_REQUIRED, f"The Sec-WebSocket-Version must be {VERSION}."
    if not keys or not _is_key(keys[0]):
        message = f"The Sec-WebSocket-Key must be {KEY_BYTES} bytes in base64."
        return HTTPStatus.BAD_REQUEST, message
    return None


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except (ValueError, binascii.Error):
        return False


def handshake_answer(key: str) -> bytes:
    """Return the whole answer; no extension and no subprotocol is agreed to."""
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest())
    return (ANSWER % accept.decode()).encode()
