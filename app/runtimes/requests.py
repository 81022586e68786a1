"""Requests as they are read from a connection, by both servers: strictly, or not at all.

llhttp (httptools) reads a head byte by byte as it comes and refuses what no client should send.
What it leaves open is here: bounds, the request line's form, Host, what a body's framing may be,
and that nothing behind the head is taken from the connection. The library's own parser sees
nothing of it. Bodies in chunks are read by chunks.py, since llhttp does not say where one ends.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from app.runtimes.handover import Handover
from app.runtimes.server import LINGER_S, NOT_HTTP, HeadTime, drop, log
from app.runtimes.turns import Pipeline
from app.runtimes.websockets.handshake import UPGRADE_HEADERS, handshake_fault

MAX_LINE_BYTES = 65_536  # tokens can be long
MAX_HEAD_BYTES = 131_072
MAX_HEADERS = 100
MAX_EMPTY_LINES = 16  # before a request

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) ([\x21-\x7e]+) (HTTP/[0-9]\.[0-9])\r\n" % TOKEN)
ABSOLUTE = re.compile(r"https?://([^/?]+)(/[^?]*)?(\?.*)?", re.IGNORECASE)
HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
LENGTH = re.compile(r"[0-9]{1,18}")
CODINGS = re.compile(r"[A-Za-z0-9\-]+(?:[ \t]*,[ \t]*[A-Za-z0-9\-]+)*")


class Refused(Exception):
    """What a client sent is no request that can be answered; the connection ends with this."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.has_body = True
        self.error_id = time.strftime("ERR_%Y%m%d_%H%M%S_", time.gmtime()) + secrets.token_hex(4)
        self.code = "too_large" if status in TOO_LARGE else "invalid_request"

    def answer(self) -> bytes:
        """Return the whole answer."""
        error = {
            "code": self.code,
            "message": str(self),
            "error_id": self.error_id,
            "retryable": False,
        }
        body = json.dumps({"error": error}, separators=(",", ":")).encode() + b"\n"
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "X-Content-Type-Options: nosniff\r\n"
        )
        if self.status == HTTPStatus.UPGRADE_REQUIRED:
            head += f"{UPGRADE_HEADERS}Connection: close, upgrade\r\n\r\n"
        else:
            head += "Connection: close\r\n\r\n"
        return head.encode() + (body if self.has_body else b"")


BAD = HTTPStatus.BAD_REQUEST
URI_TOO_LONG = HTTPStatus.REQUEST_URI_TOO_LONG
HEADERS_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
TOO_LARGE = {URI_TOO_LONG, HEADERS_TOO_LARGE}


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, checked."""

    method: str
    path: str  # with the query; `*` for OPTIONS
    version: str  # HTTP/1.0 or HTTP/1.1
    headers: list[tuple[str, str]]  # in Latin-1, without what is to be ignored
    length: int | None  # the body's; None where it has none, and where it is chunked
    keep_alive: bool
    is_websocket: bool  # asks to become one, rightly
    behind: int = 0  # how many bytes of what follows have been read from the connection

    @property
    def line(self) -> str:
        """The request line."""
        return f"{self.method} {self.path} {self.version}"


def next_head(
    stream: Any,
    connection: Any,
    times: HeadTime,
    timeout: Any,
    pipeline: Pipeline,
    handover: Handover | None = None,
) -> Head | None:
    """Wait for the connection's next request and read its head, in its turn and its time; `timeout`
    is the library's. None: the connection is over, or another process's now; a refusal, if that is
    why, has been sent."""
    pipeline.wait_for_turn()
    with suppress(OSError), timeout(times.wait_s, False):
        if not stream.closed and stream.peek(1):
            times.begin()
    if not times.has_begun:
        return None
    try:
        with suppress(OSError), timeout(times.left_s(), False):
            head, raw = _read(stream)
            times.end()
            if head is not None and handover is not None:
                behind = stream.peek(1)[: head.behind] if head.behind else b""
                if handover.passed_on(head.path, bytes(raw), behind, connection):
                    return None
            if head is not None:
                pipeline.took(max(0, head.behind - (head.length or 0)))
            return head
    except Refused as refusal:
        _send_last(connection, refusal, timeout)
    return None


def take_head(handler: Any, head: Head, headers: Any) -> None:
    """Set what a library's handler knows once its own parser has read a head; `headers` is an
    empty message of the class that it uses."""
    handler.command, handler.path, handler.request_version = head.method, head.path, head.version
    handler.requestline = head.line
    for name, value in head.headers:
        headers.set_raw(name, value)
    handler.headers = headers
    handler.content_length = head.length
    handler.close_connection = not head.keep_alive


PROBE = Head("GET", "/path?query", "HTTP/1.1", [("X-Probe", "value")], None, True, False)
PROBED = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/path",
    "QUERY_STRING": "query",
    "HTTP_X_PROBE": "value",
}


def environ_faults(handler: Any, headers: Any) -> list[str]:
    """Return what a library's handler makes wrong of a head that it is given, for its check."""
    handler.server = SimpleNamespace(get_environ=dict)
    take_head(handler, PROBE, headers)
    environ = handler.get_environ()
    return [f"{key} is lost" for key, value in PROBED.items() if environ.get(key) != value]


def _send_last(connection: Any, refusal: Refused, timeout: Any) -> None:
    extra = {"status": refusal.status.value, "error_id": refusal.error_id}
    log.info(NOT_HTTP, extra=extra)
    with suppress(OSError), timeout(LINGER_S, False):
        connection.sendall(refusal.answer())
        connection.shutdown(socket.SHUT_WR)
        drop(connection)


class _Fields:
    """What llhttp finds in a head."""

    def __init__(self) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def read_head(stream: Any) -> Head | None:
    """Read a request's head and nothing behind it from a buffered stream; None if that ends.

    Raises Refused, as soon as a byte is wrong.
    """
    return _read(stream)[0]


def _read(stream: Any) -> tuple[Head | None, bytearray]:
    """Return the head, and the same as it came."""
    fields, head, line = _Fields(), bytearray(), None
    parser = HttpRequestParser(fields)
    _skip_empty_lines(stream)
    try:
        while data := stream.peek(1):
            begin = len(head)
            head += data
            end = head.find(b"\r\n\r\n", max(0, begin - 3))
            if end >= 0:
                del head[end + 4 :]
            taken = stream.read(len(head) - begin)  # is in the buffer
            line = line or _request_line(head)
            _feed(parser, taken, line is not None)
            _check_bounds(head, fields, line is not None)
            if end >= 0 and line is not None:
                return _checked(line, fields, len(data) - len(taken)), head
    except Refused as refusal:
        refusal.has_body = not head.startswith(b"HEAD ")
        raise
    return None, head


def _skip_empty_lines(stream: Any) -> None:
    for _ in range(MAX_EMPTY_LINES):
        if stream.peek(1)[:1] not in (b"\r", b"\n"):
            return
        if stream.read(1) != b"\r" or stream.read(1) != b"\n":
            raise Refused(BAD, "A line before the request ends in no CRLF.")
    raise Refused(BAD, "There are too many empty lines before the request.")


def _request_line(head: bytearray) -> tuple[str, str, str] | None:
    if b"\r\n" not in head:
        return None
    found = REQUEST_LINE.match(head)
    if found is None or found[1] == b"PRI":
        raise Refused(BAD, "The request line is not valid HTTP/1.1.")
    method, target, version = (part.decode("ascii") for part in found.groups())
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        message = "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, message)
    return method, target, version


def _feed(parser: Any, data: bytes, has_line: bool) -> None:
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        """What an Upgrade means is decided once the head is here."""
    except HttpParserInvalidMethodError:
        if has_line:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "The method is not known.") from None
        raise Refused(BAD, "This is not HTTP/1.1.") from None
    except HttpParserError:
        raise Refused(BAD, "The request's head is not valid HTTP/1.1.") from None


def _check_bounds(head: bytearray, fields: _Fields, has_line: bool) -> None:
    if len(fields.found) > MAX_HEADERS:
        raise Refused(HEADERS_TOO_LARGE, f"There are over {MAX_HEADERS} headers.")
    if len(head) <= MAX_LINE_BYTES:
        return
    first = head.find(b"\r\n")
    if not has_line or first > MAX_LINE_BYTES:
        raise Refused(URI_TOO_LONG, f"The request line is over {MAX_LINE_BYTES} bytes.")
    if len(head) > MAX_HEAD_BYTES or max(map(len, head.split(b"\r\n"))) > MAX_LINE_BYTES:
        raise Refused(HEADERS_TOO_LARGE, "The headers, or one of them, are too large.")


def _checked(line: tuple[str, str, str], fields: _Fields, behind: int) -> Head:
    method, target, version = line
    if not fields.complete:
        raise Refused(BAD, "The request's head is not valid HTTP/1.1.")
    if method == "CONNECT":
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "This is no proxy.")
    headers = []
    named: dict[str, list[str]] = {}
    for raw_name, raw_value in fields.found:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1").strip(" \t")
        headers.append((name, value))
        named.setdefault(name.lower(), []).append(value)
    host, path = _target(method, target)
    _check_host(named.get("host", []), version)
    ignored = {"expect"} if host is None else {"expect", "host"}
    chunked, length = _framing(named, version)
    has_body = chunked or bool(length)
    options = _list(named.get("connection", []))
    waits = _waits(named.get("expect", []), version, has_body)
    is_websocket = (
        method == "GET"
        and version == "HTTP/1.1"
        and not has_body
        and "upgrade" in options
        and [value.lower() for value in named.get("upgrade", [])] == ["websocket"]
    )
    if not is_websocket:
        ignored.add("upgrade")
    elif fault := handshake_fault(named):
        raise Refused(*fault)
    if ignored.intersection(named):
        headers = [header for header in headers if header[0].lower() not in ignored]
    if host is not None:
        headers.append(("Host", host))
    if waits:
        headers.append(("Expect", "100-continue"))  # gevent knows it in lower case alone
    keep_alive = "close" not in options and (version == "HTTP/1.1" or "keep-alive" in options)
    # What is behind a handshake, and be it none, may be frames: no requests.
    keep_alive = keep_alive and not is_websocket and "sec-websocket-key" not in named
    return Head(method, path, version, headers, length, keep_alive, is_websocket, behind)


def _list(values: list[str]) -> set[str]:
    return {part.strip(" \t").lower() for value in values for part in value.split(",")}


def _target(method: str, target: str) -> tuple[str | None, str]:
    """Return the host that a target names, if it does, and its path with the query."""
    if "#" not in target:
        if target.startswith("/"):
            return None, "/" + target.lstrip("/")  # `//x` would be another host's
        if target == "*" and method == "OPTIONS":
            return None, target
        found = ABSOLUTE.fullmatch(target)
        if found and HOST.fullmatch(found[1]):
            return found[1], "/" + (found[2] or "").lstrip("/") + (found[3] or "")
    raise Refused(BAD, "The request's target is not valid.")


def _check_host(hosts: list[str], version: str) -> None:
    if len(hosts) > 1 or (version == "HTTP/1.1" and not hosts):
        raise Refused(BAD, "A request has one Host header.")
    if hosts and not HOST.fullmatch(hosts[0]):
        raise Refused(BAD, "The Host header is not valid.")


def _framing(named: dict[str, list[str]], version: str) -> tuple[bool, int | None]:
    """Return whether the body is chunked, and its length if it is not."""
    codings, lengths = named.get("transfer-encoding", []), named.get("content-length", [])
    if not codings:
        if len(lengths) > 1 or (lengths and not LENGTH.fullmatch(lengths[0])):
            raise Refused(BAD, "The Content-Length is not valid.")
        return False, int(lengths[0]) if lengths else None
    if lengths or version == "HTTP/1.0" or len(codings) > 1:
        raise Refused(BAD, "The Transfer-Encoding cannot stand with what else the request has.")
    coding = codings[0].lower()
    if coding != "chunked":
        if CODINGS.fullmatch(coding) and coding.count("chunked") < 2:
            message = "No Transfer-Encoding but chunked is known."
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, message)
        raise Refused(BAD, "The Transfer-Encoding is not valid.")
    return True, None


def _waits(expected: list[str], version: str, has_body: bool) -> bool:
    """Whether the client waits for a 100 before it sends its body."""
    if not expected or version == "HTTP/1.0":
        return False
    if [value.lower() for value in expected] != ["100-continue"]:
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "Only 100-continue can be expected.")
    return has_body
