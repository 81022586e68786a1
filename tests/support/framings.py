"""Requests whose framing is right, wrong, or meant to deceive, each with what it must be answered.

Behind each stands MARKER, a request of its own. A refusal ends the connection: nobody ever answers
what is behind it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

MARKER = b"GET /health?smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
BODY = b'{"message": "hi"}'
MARKER_LENGTH = b"Content-Length: %d\r\n" % len(MARKER)
LENGTH = b"Content-Length: 17\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b'5\r\n{"mes\r\nc\r\nsage": "hi"}\r\n0\r\n\r\n'
BAD = frozenset({400})
BIG = frozenset({400, 413, 414, 431})
UNKNOWN = frozenset({400, 501})


def exchanged(connection: socket.socket, data: bytes) -> bytes:
    """Send it all; return what is answered until the other side hangs up."""
    with suppress(ConnectionError):  # it has been refused before all of it has gone
        connection.sendall(data)
    received = bytearray()
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            received += more
    return bytes(received)


@dataclass(frozen=True, slots=True)
class Framing:
    """One case."""

    name: str
    data: bytes
    status: frozenset[int]  # one of these
    goes_on: bool  # the marker is answered too
    section: str

    @property
    def is_refused(self) -> bool:
        """Whether it is the framing that is answered, and not what was asked."""
        return not self.goes_on and min(self.status) >= 400 and 403 not in self.status


def get(headers: bytes = b"", target: bytes = b"/health", version: bytes = b"HTTP/1.1") -> bytes:
    """A GET with these headers besides Host."""
    return b"GET %s %s\r\nHost: localhost\r\n%s\r\n" % (target, version, headers)


def post(headers: bytes, body: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    """A message with these headers besides Host."""
    return b"POST /api/chat %s\r\nHost: localhost\r\n%s\r\n%s" % (version, headers, body)


def line(first: bytes) -> bytes:
    """A request with this line, its end included."""
    return first + b"Host: localhost\r\n\r\n"


def _lines() -> Iterator[tuple[str, bytes, frozenset[int], str]]:
    section = "9112 3"
    for name, first in {
        "no version": b"GET /health\r\n",
        "no target": b"GET HTTP/1.1\r\n",
        "two spaces": b"GET  /health HTTP/1.1\r\n",
        "two spaces before the version": b"GET /health  HTTP/1.1\r\n",
        "a tab for a space": b"GET\t/health HTTP/1.1\r\n",
        "a tab before the version": b"GET /health\tHTTP/1.1\r\n",
        "a form feed": b"GET /health\x0cHTTP/1.1\r\n",
        "a space at the end": b"GET /health HTTP/1.1 \r\n",
        "a space at the start": b" GET /health HTTP/1.1\r\n",
        "a tab at the start": b"\tGET /health HTTP/1.1\r\n",
        "a space in the target": b"GET /hea lth HTTP/1.1\r\n",
        "four words": b"GET /health HTTP/1.1 HTTP/1.1\r\n",
        "bare LF": b"GET /health HTTP/1.1\n",
        "bare CR": b"GET /health HTTP/1.1\r",
        "CR CR LF": b"GET /health HTTP/1.1\r\r\n",
        "CR in the target": b"GET /hea\rlth HTTP/1.1\r\n",
        "NUL in the target": b"GET /hea\0lth HTTP/1.1\r\n",
        "DEL in the target": b"GET /hea\x7flth HTTP/1.1\r\n",
        "raw UTF-8 in the target": "GET /h\u00e9 HTTP/1.1\r\n".encode(),
        "a fragment": b"GET /health#x HTTP/1.1\r\n",
        "a target without a slash": b"GET health HTTP/1.1\r\n",
        "an asterisk for GET": b"GET * HTTP/1.1\r\n",
        "another scheme": b"GET ftp://localhost/health HTTP/1.1\r\n",
        "a user in the target": b"GET http://me@localhost/health HTTP/1.1\r\n",
        "no host in the target": b"GET http:///health HTTP/1.1\r\n",
        "a colon in the method": b"GET: /health HTTP/1.1\r\n",
        "NUL in the method": b"G\0T /health HTTP/1.1\r\n",
        "an empty line of bare LF": b"\nGET /health HTTP/1.1\r\n",
        "an empty line of bare CR": b"\rGET /health HTTP/1.1\r\n",
        "too many empty lines": b"\r\n" * 20 + b"GET /health HTTP/1.1\r\n",
        "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
        "a proxy's line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /health HTTP/1.1\r\n",
        "RTSP": b"OPTIONS rtsp://localhost/ RTSP/1.0\r\n",
        "an answer": b"HTTP/1.1 200 OK\r\n",
    }.items():
        yield name, line(first), UNKNOWN, section
    yield "HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD, "9113 3.4"
    versions = b"HTTP/2.0 HTTP/3.0 HTTP/1.2 HTTP/0.9 HTTP/1.10 HTTP/1 HTTP/1. HTTP/.1 HTTP/01.1 "
    for version in (versions + b"HTTP/1.1x HTTP/1,1 http/1.1 Http/1.1 HTTP/-1.1 HTTP/+1.1").split():
        name = f"version {version.decode()}"
        yield name, get(version=version), frozenset({400, 505}), "9112 2.3"
    for method in (b"get", b"Get", b"BREW", b"GETS", b"G", b"x-y"):
        yield f"method {method.decode()}", line(method + b" /health HTTP/1.1\r\n"), (
            frozenset({400, 405, 501})
        ), "9110 9.1"
    connect = b"CONNECT localhost:80 HTTP/1.1\r\n"
    yield "CONNECT", line(connect), frozenset({400, 405, 501}), "9110 9.3.6"
    yield "a long line", get(target=b"/" + b"x" * 70_000), BIG, "9112 3"
    yield "a long line's beginning", b"GET /" + b"x" * 70_000, BIG, "9112 3"


def _hosts() -> Iterator[tuple[str, bytes, frozenset[int], str]]:
    section, first = "9112 3.2", b"GET /health HTTP/1.1\r\n"
    yield "no Host", first + b"\r\n", BAD, section
    yield "no Host elsewhere", b"GET /api/chat/sessions HTTP/1.1\r\n\r\n", BAD, section
    yield "no Host, of a page", b"GET / HTTP/1.1\r\n\r\n", BAD, section
    yield "no Host, of Socket.IO", b"GET /socket.io/?EIO=4 HTTP/1.1\r\n\r\n", BAD, section
    yield "no Host, absolute", b"GET http://localhost/health HTTP/1.1\r\n\r\n", BAD, section
    yield "two Hosts", get(b"Host: localhost\r\n"), BAD, section
    yield "two different Hosts", get(b"HOST: evil.example\r\n"), BAD, section
    yield "two Hosts, HTTP/1.0", get(b"Host: a\r\n", version=b"HTTP/1.0"), BAD, section
    for host in (b"a b", b"a/b", b"a,b:c", b"me@a", b"a:b", b"[::1", b"a?b", b"a#b", b"\xff"):
        yield f"Host {host!r}", first + b"Host: %s\r\n\r\n" % host, BAD, section


def _headers() -> Iterator[tuple[str, bytes, frozenset[int], str]]:
    for name, header in {
        "a space before the colon": b"X-A : b\r\n",
        "a tab before the colon": b"X-A\t: b\r\n",
        "a space in the name": b"X A: b\r\n",
        "no colon": b"X-A\r\n",
        "no colon, empty": b" \r\n",
        "no name": b": b\r\n",
        "a folded line": b"X-A: b\r\n c\r\n",
        "a folded line of a tab": b"X-A: b\r\n\tc\r\n",
        "a folded line of nothing": b"X-A: b\r\n \r\n",
        "a folded line with a length": b"X-A: b\r\n Content-Length: 5\r\n",
        "bare LF": b"X-A: b\nX-B: c\r\n",
        "bare LF hides a length": b"X-A: b\nContent-Length: 71\r\n",
        "bare CR": b"X-A: b\rX-B: c\r\n",
        "bare CR hides a length": b"X-A: b\rContent-Length: 71\r\n",
        "CR CR LF": b"X-A: b\r\r\n",
        "LF CR": b"X-A: b\n\r\n",
        "an end of bare LFs": b"X-A: b\n\n",
        "an end of CR LF LF": b"X-A: b\r\n\n",
        "an end of bare CRs": b"X-A: b\r\r",
        "a name of quotes": b'"X-A": b\r\n',
        "a name with a slash": b"X/A: b\r\n",
        "a name with parentheses": b"X(A): b\r\n",
        "a name of UTF-8": "X-\u00e9: b\r\n".encode(),
        "a name with NUL": b"X\0A: b\r\n",
        "no header, and a length behind it": b"X-A\r\nContent-Length: 71\r\n",
        "a name with a backslash": b"X\\A: b\r\n",
        "a name in brackets": b"[X-A]: b\r\n",
        "a name with an at": b"X@A: b\r\n",
    }.items():
        yield f"header: {name}", get(header), BAD, "9112 5"
    for byte in (*range(1, 9), 11, 12, *range(14, 32), 127, 0):
        yield f"header: byte {byte} in a value", get(b"X-A: b%cc\r\n" % byte), BAD, "9110 5.5"
    first = b"GET /health HTTP/1.1\r\n"
    yield "a space before the first header", first + b" Host: localhost\r\n\r\n", BAD, "9112 2.2"
    many = b"".join(b"X-%d: y\r\n" % number for number in range(101))
    yield "101 headers and Host", get(many), BIG, "9110 5.4"
    yield "a thousand headers", get(many * 10), BIG, "9110 5.4"
    yield "a long header", get(b"X-A: " + b"b" * 70_000 + b"\r\n"), BIG, "9110 5.4"
    yield "a long name", get(b"X" * 70_000 + b": b\r\n"), BIG, "9110 5.4"
    yield "long headers together", get((b"X-A: " + b"b" * 60_000 + b"\r\n") * 4), BIG, "9110 5.4"
    yield "a long header's beginning", first + b"X-A: " + b"b" * 70_000, BIG, "9110 5.4"
    expect = post(LENGTH + b"Expect: tea\r\n", BODY)
    yield "an expectation nobody knows", expect, frozenset({400, 417}), "9110 10.1.1"


def _lengths() -> Iterator[tuple[str, bytes, frozenset[int], str]]:
    for value in (
        *(b"+17", b"-17", b"-0", b"1 7", b"1_7", b"0x11", b"17.0", b"17,", b"17, 17", b"17;", b""),
        *(b"17a", b"a", b"1\x0b7", b"\xb21", "\u0661\u0667".encode(), b"1\t7", b"1e1", b"0b1"),
        *(b'"17"', b"17\x0c", b"\x0b17", b"9" * 20, b"9" * 5000, b"17 18", b"+0", b"NaN", b"17\0"),
    ):
        name = f"length {value[:21]!r}"
        yield name, post(b"Content-Length: %s\r\n" % value, BODY), BIG, "9110 8.6"
    yield "two lengths", post(LENGTH + b"Content-Length: 18\r\n", BODY), BAD, "9112 6.3"
    yield "two equal lengths", post(LENGTH * 2, BODY), BAD, "9112 6.3"
    yield "a length of none and one", post(b"Content-Length: 0\r\n" + LENGTH, BODY), BAD, "9112 6.3"
    yield "a length before the colon's space", post(
        b"Content-Length : 17\r\n", BODY
    ), BAD, "9112 5.1"
    yield "length and chunked", post(LENGTH + CHUNKED, CHUNKS), BAD, "9112 6.3"
    yield "chunked and length", post(CHUNKED + LENGTH, CHUNKS), BAD, "9112 6.3"
    yield "length and identity", post(
        LENGTH + b"Transfer-Encoding: x\r\n", BODY
    ), UNKNOWN, "9112 6.3"
    for value in (
        *(
            b"identity",
            b"gzip",
            b"gzip, chunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"xchunked",
        ),
        *(b"chunkedx", b"chunked,", b",chunked", b"chunked;a=b", b'"chunked"', b"chun ked", b""),
        *(b"chunked identity", b"\x0bchunked", b"chunked\0", b"x", b"chunked\xa0", b"deflate"),
        *(b"identity, chunked", b"chunked, identity", b"chunke", b"c\thunked", b"cow, chunked"),
    ):
        name = f"coding {value!r}"
        coded = post(b"Transfer-Encoding: %s\r\n" % value, CHUNKS)
        yield name, coded, UNKNOWN, "9112 6.1"
    yield "two codings", post(CHUNKED * 2, CHUNKS), BAD, "9112 6.1"
    two = CHUNKED + b"Transfer-Encoding: identity\r\n"
    yield "two codings in two lines", post(two, CHUNKS), UNKNOWN, "9112 6.1"
    yield "a coding before the colon's space", post(
        b"Transfer-Encoding : chunked\r\n", CHUNKS
    ), BAD, "9112 5.1"
    yield "a folded coding", post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS), BAD, "9112 5.2"
    yield "HTTP/1.0 in chunks", post(CHUNKED, CHUNKS, b"HTTP/1.0"), BAD, "9112 6.1"
    yield "HTTP/1.0 in chunks, kept", post(
        CHUNKED + b"Connection: keep-alive\r\n", CHUNKS, b"HTTP/1.0"
    ), BAD, "9112 6.1"


def _chunks() -> Iterator[tuple[str, bytes, frozenset[int], str]]:
    rest = b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    for size in (
        *(
            b"",
            b"g",
            b"0x11",
            b"+11",
            b"-11",
            b"1_1",
            b"1 1",
            b" 11",
            b"11 ",
            b"\t11",
            b"11\t",
            b"11\0",
        ),
        *(
            b"1" * 17,
            b"f" * 5000,
            b"11:a",
            b"11,",
            b"11.0",
            b"\xb9\xb9",
            b"11;a\0",
            b"11;a\rb",
            b"11;a\nb",
        ),
        *(
            b"11\r",
            b"11\n",
            b"\n11",
            b"\r\n11",
            b"11;a\x7f",
            b"h11",
            b"11h",
            b"11;" + b"x" * 70_000,
        ),
    ):
        yield f"chunk size {size[:20]!r}", post(CHUNKED, size + rest), BIG, "9112 7.1"
    for name, body in {
        "bare LF after the size": b"11\n" + BODY + b"\r\n0\r\n\r\n",
        "bare CR after the size": b"11\r" + BODY + b"\r\n0\r\n\r\n",
        "bytes before the CRLF": b"11\r\n" + BODY + b"xx\r\n0\r\n\r\n",
        "a byte before the CRLF": b"11\r\n" + BODY + b"x\r\n0\r\n\r\n",
        "no CRLF": b"11\r\n" + BODY + b"0\r\n\r\n",
        "bare LF after the data": b"11\r\n" + BODY + b"\n0\r\n\r\n",
        "bare CR after the data": b"11\r\n" + BODY + b"\r0\r\n\r\n",
        "LF CR after the data": b"11\r\n" + BODY + b"\n\r0\r\n\r\n",
        "too short a size": b"10\r\n" + BODY + b"\r\n0\r\n\r\n",
        "bare LF at the end": b"11\r\n" + BODY + b"\r\n0\r\n\n",
        "bare LFs at the end": b"11\r\n" + BODY + b"\r\n0\n\n",
        "bare CR at the end": b"11\r\n" + BODY + b"\r\n0\r\n\r",
        "a trailer without a colon": b"11\r\n" + BODY + b"\r\n0\r\nX-A\r\n\r\n",
        "a trailer with a space": b"11\r\n" + BODY + b"\r\n0\r\nX-A : b\r\n\r\n",
        "a folded trailer": b"11\r\n" + BODY + b"\r\n0\r\nX-A: b\r\n c\r\n\r\n",
        "a trailer of bare LF": b"11\r\n" + BODY + b"\r\n0\r\nX-A: b\n\r\n",
        "a trailer with NUL": b"11\r\n" + BODY + b"\r\n0\r\nX-A: \0\r\n\r\n",
        "no end": b"11\r\n" + BODY + b"\r\n",
        "a trailer of a request": b"11\r\n" + BODY + b"\r\n0\r\n",
        "a length as a trailer": b"11\r\n" + BODY + b"\r\n0\r\nContent-Length: 71\r\n\r\n",
        "a coding as a trailer": b"11\r\n" + BODY + b"\r\n0\r\nTransfer-Encoding: x\r\n\r\n",
        "a thousand trailers": b"11\r\n" + BODY + b"\r\n0\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
        "a long trailer": b"11\r\n" + BODY + b"\r\n0\r\nX-A: " + b"b" * 70_000 + b"\r\n\r\n",
        "1 MB of extensions": (b"1;%s\r\n \r\n" % (b"x" * 4000)) * 250 + b"11" + rest,
    }.items():
        yield f"chunks: {name}", post(CHUNKED, body), BIG, "9112 7.1"
    for asked in (
        b"GET /health",
        b"HEAD /health",
        b"GET /",
        b"GET /no/such/path",
        b"GET /api/chat/sessions",
        b"GET /socket.io/?EIO=4&transport=polling",
        b"DELETE /api/chat/sessions/none",
        b"OPTIONS /api/chat",
        b"POST /api/runs/none/stop",
        b"POST /no/such/path",
    ):
        head = asked + b" HTTP/1.1\r\nHost: localhost\r\n" + CHUNKED + b"\r\n"
        for name, body in {
            "broken": b"zz\r\n",
            "broken at the end": CHUNKS.removesuffix(b"\r\n") + b"\n",
            "short": b"10\r\n" + BODY + b"\r\n0\r\n\r\n",
            "cut": b"5\r\n{",
        }.items():
            status = frozenset({404}) if asked == b"POST /no/such/path" else BAD
            yield f"nobody reads {asked.decode()}, {name}", head + body, status, "9112 7.1"


def _answered() -> Iterator[tuple[str, bytes, int, str]]:
    yield "plain", get(), 200, "9112 3"
    yield "two in a row", get(), 200, "9112 9.3.2"
    yield "a query", get(target=b"/health?a=%20&b"), 200, "9112 3.2.1"
    yield "two slashes", get(target=b"//health"), 200, "9112 3.2.1"
    yield "absolute", get(target=b"http://localhost/health"), 200, "9112 3.2.2"
    yield "absolute, a capital scheme", get(target=b"HTTP://localhost/health?a"), 200, "9112 3.2.2"
    absolute = b"GET http://localhost/health HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    yield "absolute, another Host", absolute, 200, "9112 3.2.2"
    foreign = b"GET http://evil.example/api/chat/sessions HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield "absolute, a foreign target", foreign, 403, "9112 3.2.2"
    yield "OPTIONS of a path", line(b"OPTIONS /health HTTP/1.1\r\n"), 200, "9110 9.3.7"
    yield "OPTIONS of all", line(b"OPTIONS * HTTP/1.1\r\n"), 404, "9110 9.3.7"
    yield "TRACE", line(b"TRACE /health HTTP/1.1\r\n"), 405, "9110 9.3.8"
    yield "DELETE", line(b"DELETE /health HTTP/1.1\r\n"), 405, "9110 9.3.5"
    yield "HEAD", line(b"HEAD /health HTTP/1.1\r\n"), 200, "9110 9.3.2"
    yield "HEAD of Socket.IO", line(b"HEAD /socket.io/?EIO=4 HTTP/1.1\r\n"), 400, "9110 9.3.2"
    yield "HEAD of a stream", line(b"HEAD /api/chat/stream HTTP/1.1\r\n"), 405, "9110 9.3.2"
    for count in (1, 2, 15):
        yield f"{count} empty lines before", b"\r\n" * count + get(), 200, "9112 2.2"
    yield "an empty line behind a body", post(LENGTH, BODY) + b"\r\n", 200, "9112 2.2"
    for name, header in {
        "no space": b"X-A:b\r\n",
        "many spaces": b"X-A: \t b \t \r\n",
        "no value": b"X-A:\r\n",
        "obs-text": b"X-A: \xe9\xff\r\n",
        "a tab": b"X-A: b\tc\r\n",
        "all of a token": b"!#$%&'*+-.^_`|~09Az: b\r\n",
        "an underscore": b"Content_Length: 71\r\n",
        "99 headers": b"".join(b"X-%d: y\r\n" % number for number in range(99)),
        "a long header": b"X-A: " + b"b" * 60_000 + b"\r\n",
        "a length of none": b"Content-Length: 0\r\n",
        "an Upgrade": b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "an Upgrade to one of several": b"Upgrade: h2c, foo/2\r\nConnection: Upgrade\r\n",
        "an Upgrade without Connection": b"Upgrade: websocket\r\n",
        "an empty Connection": b"Connection:\r\n",
        "keep-alive": b"Connection: Keep-Alive\r\n",
        "an expectation of nothing": b"Expect: 100-continue\r\n",
    }.items():
        yield f"header: {name}", get(header), 200, "9110 5.5"
    yield "a length", post(LENGTH, BODY), 200, "9110 8.6"
    yield "zeros before a length", post(b"Content-Length: 0017\r\n", BODY), 200, "9110 8.6"
    yield "spaces about a length", post(b"Content-Length: \t17 \r\n", BODY), 200, "9110 8.6"
    yield "a body that nobody reads", get(LENGTH) + BODY, 200, "9112 6.3"
    yield "chunks that nobody reads", get(CHUNKED) + CHUNKS, 200, "9112 6.3"
    yield "a request as a body", get(MARKER_LENGTH) + MARKER, 200, "9112 6.3"
    for name in (b"h2c", b"TLS/1.0", b"foo", b"WebSocket", b"websocket, h2c", b""):
        asked = b"Upgrade: %s\r\nConnection: Upgrade\r\n" % name
        yield f"an Upgrade to {name!r} and a body", post(asked + LENGTH, BODY), 200, "9110 7.8"
    upgrade = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: \r\n"
    yield "an Upgrade and a body", post(upgrade + LENGTH, BODY), 200, "9110 7.8"
    yield "an Upgrade and chunks", post(upgrade + CHUNKED, CHUNKS), 200, "9110 7.8"
    websocket = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    yield "a websocket by POST", post(websocket + LENGTH, BODY), 200, "6455 4.1"
    chunked = post(CHUNKED, CHUNKS)
    yield "chunks", chunked, 200, "9112 7.1"
    yield "chunks, capital", post(b"TRANSFER-ENCODING: Chunked\r\n", CHUNKS), 200, "9112 7.1"
    for name, body in {
        "capital size": CHUNKS.replace(b"c\r", b"C\r"),
        "zeros before a size": CHUNKS.replace(b"c\r", b"00000000000000c\r"),
        "zeros at the end": CHUNKS.replace(b"0\r\n\r\n", b"0000\r\n\r\n"),
        "an extension": CHUNKS.replace(b"c\r", b'c;a=b;c="d e"\r'),
        "an extension at the end": CHUNKS.replace(b"0\r\n\r\n", b"0;a\r\n\r\n"),
        "trailers": CHUNKS.replace(b"0\r\n\r\n", b"0\r\nX-A: b\r\nX-B:\r\n\r\n"),
        "one byte each": b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
    }.items():
        yield f"chunks: {name}", post(CHUNKED, body), 200, "9112 7.1"
    yield "HTTP/1.0, kept", (
        b"GET /health HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    ), 200, "9112 9.3"


def _last() -> Iterator[tuple[str, bytes, int, str]]:
    """Answered, and then the connection ends, since it was said so or cannot be known."""
    yield "HTTP/1.0", get(version=b"HTTP/1.0"), 200, "9112 9.3"
    yield "HTTP/1.0 without Host", b"GET /health HTTP/1.0\r\n\r\n", 200, "9112 3.2"
    yield "HTTP/1.0 without Host elsewhere", b"GET / HTTP/1.0\r\n\r\n", 403, "9112 3.2"
    for options in (b"close", b"Close", b"keep-alive, close", b"x,close", b"close, x"):
        name = f"Connection: {options.decode()}"
        yield name, get(b"Connection: %s\r\n" % options), 200, "9112 9.6"
    yield "Connection twice", get(b"Connection: x\r\nConnection: close\r\n"), 200, "9112 9.6"
    nobody = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    yield "a body that is not waited for", (
        nobody + LENGTH + b"Expect: 100-continue\r\n\r\n"
    ), 200, "9110 10.1.1"
    yield "HTTP/1.0 waits for no 100", post(
        LENGTH + b"Expect: 100-continue\r\n", BODY, b"HTTP/1.0"
    ), 200, "9110 10.1.1"
    yield "chunks that nobody waits for", (
        nobody + CHUNKED + b"Expect: 100-continue\r\n\r\n"
    ), 200, "9110 10.1.1"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    yield "the key of a handshake that is none", get(key), 200, "6455 4.2.1"


def framings() -> list[Framing]:
    """Return all cases."""
    refused = [*_lines(), *_hosts(), *_headers(), *_lengths(), *_chunks()]
    return [
        *(Framing(name, data, status, False, at) for name, data, status, at in refused),
        *(Framing(name, data, frozenset({s}), True, at) for name, data, s, at in _answered()),
        *(Framing(name, data, frozenset({s}), False, at) for name, data, s, at in _last()),
    ]


FRAMINGS = framings()
