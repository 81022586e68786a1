"""Requests that carry another one, which a proxy and the server behind it may tell apart
differently. Each `-000` stands for the number of the try; what it becomes is as long.

The sources are RFC 9112 (sections 5, 6, 7, 9.3, 11.2), RFC 9110 (7.6.1, 7.8, 8.6, 10.1.1), RFC 6455
(4.1) and what is known of proxies that have got one of them wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.framings import CHUNKED, FRAMINGS

CASE, HIDDEN_PATH = b"/case-000", b"/smuggled-000"
HIDDEN = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % HIDDEN_PATH
SIZE = len(HIDDEN)
END = b"0\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (SIZE, HIDDEN) + END
# A route that reads bodies, one that does not, and none.
TARGETS = {"read": b"/api/chat", "unread": b"/api/runs/case-000/stop", "unknown": CASE}
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
HANDSHAKE = (
    WEBSOCKET + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SOCKETS = b"/socket.io/?EIO=4&transport=websocket"
H2C = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def ask(
    headers: bytes,
    body: bytes = HIDDEN,
    method: bytes = b"POST",
    target: bytes = CASE,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A request with these headers besides Host and Content-Type."""
    usual = b"Host: localhost\r\nContent-Type: application/json\r\n"
    return b"%s %s %s\r\n%s%s\r\n%s" % (method, target, version, usual, headers, body)


def sized(size: int | bytes) -> bytes:
    """A Content-Length."""
    return b"Content-Length: %s\r\n" % (str(size).encode() if isinstance(size, int) else size)


def _both() -> Iterator[tuple[str, bytes]]:
    """A length and a coding (9112, 6.3), to each kind of route."""
    short = CHUNK.index(b"\r\n") + 2
    for name, target in TARGETS.items():
        yield f"CL.TE, {name}", ask(sized(len(END) + SIZE) + CHUNKED, END + HIDDEN, target=target)
        yield f"TE.CL, {name}", ask(CHUNKED + sized(short), CHUNK, target=target)
        yield f"CL.TE of no length, {name}", ask(sized(0) + CHUNKED, CHUNK, target=target)
        yield f"CL.0, {name}", ask(sized(SIZE), target=target)
        yield f"CL.0 by GET, {name}", ask(sized(SIZE), method=b"GET", target=target)
        yield f"0.CL, {name}", ask(sized(0), target=target)
        yield f"TE.0, {name}", ask(CHUNKED, CHUNK, target=target)
        yield f"no length, {name}", ask(b"", target=target)


def _codings() -> Iterator[tuple[str, bytes]]:
    """Codings that one knows and the other does not (9112, 6.1)."""
    behind = b"Transfer-Encoding: %s\r\n"
    names = {
        *(b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding\t: chunked\r\n"),
        *(b"Transfer_Encoding: chunked\r\n", b" Transfer-Encoding: chunked\r\n"),
        *(b"TRANSFER-ENCODING: CHUNKED\r\n", b"Transfer-Encoding\0: chunked\r\n"),
        *(b"Transfer Encoding: chunked\r\n", b"\xefTransfer-Encoding: chunked\r\n"),
        *(b"Transfer-Encoding\x0b: chunked\r\n", b"Transfer-Encoding\xa0: chunked\r\n"),
        *(b"X: y\nTransfer-Encoding: chunked\r\n", b"X: y\rTransfer-Encoding: chunked\r\n"),
        *(b"X: y\r\n Transfer-Encoding: chunked\r\n", b"X: y\r\r\nTransfer-Encoding: chunked\r\n"),
        *(b"X\r\nTransfer-Encoding: chunked\r\n", b":Transfer-Encoding: chunked\r\n"),
        *(b"Transfer-Encoding\r\n: chunked\r\n", b"Transfer-Encoding;: chunked\r\n"),
        *(b"Transfer-Encoding:\r\n chunked\r\n", b"Transfer-Encoding:\n chunked\r\n"),
        *(b"Transfer-Encoding: x\r\n" + CHUNKED, CHUNKED + b"Transfer-Encoding: x\r\n"),
        *(b"Transfer-Encoding: identity\r\n" + CHUNKED, CHUNKED * 2),
        *(b"Transfer-Encoding:\r\n" + CHUNKED, b"Connection: Transfer-Encoding\r\n" + CHUNKED),
    }
    values = (
        *(b"chunked ", b"\tchunked", b"Chunked", b"xchunked", b"chunkedx", b"chunked\0", b"\0"),
        *(b"\x0bchunked", b"\x0cchunked", b"\xa0chunked", b'"chunked"', b"'chunked'", b"chun ked"),
        *(b"chunked;q=1", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b",chunked"),
        *(b"chunked,", b"identity", b"identity, chunked", b"chunked, identity", b"chunked\r", b""),
        *(b"\rchunked", b"chun\xe2\x84\xaaed", b"chunked x", b"cow, chunked", b"trailers"),
    )
    headers = [*sorted(names), *(behind % value for value in values)]
    for header in headers:
        yield f"coding {header!r}, CL", ask(sized(len(END) + SIZE) + header, END + HIDDEN)
        yield f"coding {header!r}, TE", ask(header + sized(4), CHUNK)
        yield f"coding {header!r}, no CL", ask(header, END + HIDDEN)


def _lengths() -> Iterator[tuple[str, bytes]]:
    """Lengths that are none, and that contradict each other (9110, 8.6)."""
    size = str(SIZE).encode()
    for value in (
        *(
            b"+%s",
            b"-%s",
            b"0x%s",
            b"%s_0",
            b"0_%s",
            b"%s 0",
            b"0 %s",
            b"%s,0",
            b"0, %s",
            b"%s, %s",
        ),
        *(b"%s;", b"%s.0", b"%se0", b"00%s", b'"%s"', b"\x0b%s", b"%s\0", b"%s\x0c", b"\xa0%s"),
        *(b"18446744073709551616%s", b"%s\r\n 0", b"\r\n %s", b"%s\r", b"%sx", b"\xb2%s", b"[%s]"),
    ):
        filled = value.replace(b"%s", size)
        yield f"length {filled!r}", ask(sized(filled))
    for bits in (8, 16, 31, 32, 63, 64):
        yield f"a length beyond {bits} bits", ask(sized(2**bits + SIZE))
    yield "a hexadecimal length", ask(sized(b"0x%x" % SIZE))
    for name, header in {
        "none and one": sized(0) + sized(SIZE),
        "one and none": sized(SIZE) + sized(0),
        "one twice": sized(SIZE) * 2,
        "an underscore": b"Content_Length: %s\r\n" % size,
        "a space before the colon": b"Content-Length : %s\r\n" % size,
        "a tab before the colon": b"Content-Length\t: %s\r\n" % size,
        "NUL before the colon": b"Content-Length\0: %s\r\n" % size,
        "a space before the name": b" Content-Length: %s\r\n" % size,
        "behind bare LF": b"X: y\nContent-Length: %s\r\n" % size,
        "behind bare CR": b"X: y\rContent-Length: %s\r\n" % size,
        "in a folded line": b"X: y\r\n Content-Length: %s\r\n" % size,
        "behind a line without a colon": b"X\r\nContent-Length: %s\r\n" % size,
        "named by Connection": b"Connection: Content-Length\r\n" + sized(SIZE),
        "none, with a space, and one": b"Content-Length : 0\r\n" + sized(SIZE),
        "one, and none with a space": sized(SIZE) + b"Content-Length : 0\r\n",
        "without a value": b"Content-Length:\r\n",
    }.items():
        yield f"length: {name}", ask(header)
        yield f"length: {name}, of GET", ask(header, method=b"GET")


def _chunks() -> Iterator[tuple[str, bytes]]:
    """Chunks whose end is told in two ways (9112, 7.1)."""
    data = b"%s\r\n" % HIDDEN + END
    size = b"%x" % SIZE
    for value in (
        *(
            b"%s;a=b",
            b"%s;",
            b"%s ;a",
            b'%s;a="b',
            b'%s;a="\r\n',
            b"%s;\n",
            b"%s\n",
            b"%s\r",
            b"%s ",
        ),
        *(b" %s", b"\t%s", b"+%s", b"-%s", b"0x%s", b"%s_0", b"0_%s", b"%sg", b"g%s", b"%s,1"),
        *(b"1%s" % (b"0" * 16) + b"%s", b"0" * 40 + b"%s", b"%s\0", b"%s\x0b", b"\r\n%s", b"\n%s"),
    ):
        filled = value.replace(b"%s", size)
        yield f"chunk size {filled!r}", ask(CHUNKED, filled + b"\r\n" + data)
    line = b"2\r\nxx"
    for name, body in {
        "no CRLF behind the data": line + b"%x\r\n%s\r\n" % (SIZE, HIDDEN) + END,
        "other bytes for the CRLF": line + b"yy%x\r\n" % (SIZE + 5) + END + HIDDEN + b"\r\n" + END,
        "bare LF behind the data": line + b"\n" + END + HIDDEN,
        "bare CR behind the data": line + b"\r" + END + HIDDEN,
        "LF within an extension": b"2;\nxx\r\n%x\r\n" % SIZE + HIDDEN + b"\r\n" + END,
        "CR within an extension": b"2;a\rxx\r\n%x\r\n" % SIZE + HIDDEN + b"\r\n" + END,
        "an end of LF": b"0\n\n" + HIDDEN,
        "an end of CRLF LF": b"0\r\n\n" + HIDDEN,
        "an end of LF CRLF": b"0\n\r\n" + HIDDEN,
        "an end of CR": b"0\r\r" + HIDDEN,
        "an end of many zeros": b"0000000000000000000\r\n\r\n" + HIDDEN,
        "an end with an extension": b'0;a="\r\n\r\n' + HIDDEN,
        "an end behind the end": END + END + HIDDEN,
        "a negative end": b"-0\r\n\r\n" + HIDDEN,
        "the request as a trailer": b"0\r\n" + HIDDEN,
        "a trailer without a colon": b"0\r\nX\r\n\r\n" + HIDDEN,
        "a trailer of bare LF": b"0\r\nX: y\n\r\n" + HIDDEN,
        "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n" + HIDDEN,
        "a length as a trailer": b"0\r\n" + sized(SIZE) + b"\r\n" + HIDDEN,
        "a coding as a trailer": b"0\r\n" + CHUNKED + b"\r\n" + CHUNK,
        "a chunk of no size": b"\r\n" + HIDDEN,
        "no chunk at all": HIDDEN,
    }.items():
        yield f"chunks: {name}", ask(CHUNKED, body)
        yield f"chunks: {name}, read", ask(CHUNKED, body, target=TARGETS["read"])


def _upgrades() -> Iterator[tuple[str, bytes]]:
    """What is another protocol for one only (9110, 7.8)."""
    for name, upgrade in {
        "h2c": H2C,
        "h2c alone": b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "h2c, not named": b"Upgrade: h2c\r\n",
        "TLS": b"Upgrade: TLS/1.3\r\nConnection: Upgrade\r\n",
        "no name": b"Upgrade:\r\nConnection: Upgrade\r\n",
        "a websocket": HANDSHAKE,
        "a websocket without a key": WEBSOCKET + b"Sec-WebSocket-Version: 13\r\n",
        "a websocket of another version": WEBSOCKET + b"Sec-WebSocket-Version: 99\r\n",
        "a websocket without anything": WEBSOCKET,
        "a websocket with a wrong key": HANDSHAKE.replace(b"==", b""),
        "a websocket and close": HANDSHAKE.replace(b": Upgrade", b": Upgrade, close"),
        "a websocket or h2c": HANDSHAKE.replace(b"websocket\r", b"websocket, h2c\r"),
        "a websocket, capital": HANDSHAKE.replace(b"websocket\r", b"WebSocket\r"),
    }.items():
        for target in (SOCKETS, CASE):
            where = f"{name} at {target[:9].decode()}"
            yield f"upgrade: {where}", ask(upgrade, method=b"GET", target=target)
            yield f"upgrade: {where}, a length", ask(
                upgrade + sized(SIZE), method=b"GET", target=target
            )
            yield f"upgrade: {where}, chunks", ask(
                upgrade + CHUNKED, CHUNK, method=b"GET", target=target
            )
            yield f"upgrade: {where}, by POST", ask(upgrade + sized(0), target=target)
    yield "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN


def _others() -> Iterator[tuple[str, bytes]]:
    """Methods, versions, targets, expectations and headers."""
    for method in (b"HEAD", b"OPTIONS", b"DELETE", b"TRACE", b"PATCH", b"PUT", b"CONNECT", b"BREW"):
        yield f"{method.decode()} with a body", ask(sized(SIZE), method=method)
        yield f"{method.decode()} with chunks", ask(CHUNKED, CHUNK, method=method)
        yield f"{method.decode()} and no body", ask(b"", method=method)
    unchanged = b"If-None-Match: *\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
    script = b"/static/js/chat-client.js"
    yield "a 304 with a body", ask(unchanged + sized(SIZE), method=b"GET", target=script)
    yield "a 204 with a body", ask(
        b"Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n" + sized(SIZE),
        method=b"OPTIONS",
        target=TARGETS["read"],
    )
    connect = b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n"
    yield "CONNECT to a port", connect + HIDDEN
    for name, headers, body in (
        ("kept", b"Connection: keep-alive\r\n", HIDDEN),
        ("kept, a length", b"Connection: keep-alive\r\n" + sized(SIZE), HIDDEN),
        ("kept, chunks", b"Connection: keep-alive\r\n" + CHUNKED, CHUNK),
        ("kept, chunks and a length", b"Connection: keep-alive\r\n" + CHUNKED + sized(3), CHUNK),
        ("chunks", CHUNKED, CHUNK),
    ):
        yield f"HTTP/1.0, {name}", ask(headers, body, version=b"HTTP/1.0")
    for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.1x", b"http/1.1", b""):
        yield f"version {version!r}", ask(sized(SIZE), version=version)
    for target in (
        *(b"http://localhost" + CASE, b"http://evil.example" + CASE, b"https://a@b" + CASE),
        *(CASE + b" HTTP/1.1\r\nX: y", CASE + b"\nX: y", CASE + b"\rX: y", CASE + b"\0", b"*"),
        *(CASE + b"#" + HIDDEN_PATH, CASE + b"\xff", CASE + b" x", b"/../.." + CASE, b"//" + CASE),
        *(
            CASE + b"%0d%0a%0d%0aGET%20" + HIDDEN_PATH,
            CASE + b"%00",
            CASE + b"?a=\x7f",
            b"case-000",
        ),
    ):
        yield f"target {target!r}", ask(sized(SIZE), target=target)
    for value in (b"100-continue", b"100-Continue", b" 100-continue", b"x 100-continue", b"y"):
        expect = b"Expect: %s\r\n" % value
        yield f"Expect {value!r}", ask(expect + sized(SIZE))
        yield f"Expect {value!r}, of GET", ask(expect + sized(SIZE), method=b"GET")
        yield f"Expect {value!r}, chunks", ask(expect + CHUNKED, CHUNK)
        yield f"Expect {value!r}, read", ask(expect + sized(SIZE), target=TARGETS["read"])
        yield f"Expect {value!r}, two", ask(expect * 2 + sized(SIZE))
    for name, header in {
        "two Hosts": b"Host: evil.example\r\n",
        "obs-text": b"X: \xe9\xff\x80\r\n",
        "obs-text in a name": b"X\xe9: y\r\n",
        "NUL": b"X: \0\r\n",
        "a request in a value": b"X: " + HIDDEN[:-2],
        "a request in a folded line": b"X: y\r\n " + HIDDEN[:-2],
        "a request behind bare LFs": b"X: y\n\n" + HIDDEN,
        "a request behind bare CRs": b"X: y\r\r" + HIDDEN,
        "a request behind CR LF LF": b"X: y\r\n\n" + HIDDEN,
        "a request behind LF CR LF": b"X: y\n\r\n" + HIDDEN,
        "a request behind a line of a space": b"X: y\r\n \r\n" + HIDDEN,
        "a request behind VT": b"X: y\x0b\r\n\x0b\r\n" + HIDDEN,
        "no colon": b"X\r\n",
        "no name": b": x\r\n",
        "names to be taken out": b"Connection: Host, Content-Type, Expect\r\n",
    }.items():
        yield f"header: {name}", ask(header + sized(SIZE))
        yield f"header: {name}, of GET", ask(header, method=b"GET")


def _refused() -> Iterator[tuple[str, bytes]]:
    """What stands behind a request that is refused before its body is read."""
    read = TARGETS["read"]
    yield "behind 413", ask(sized(99_999_999), target=read)
    yield "behind 413, chunks", ask(CHUNKED, b"fffffff\r\n" + HIDDEN, target=read)
    yield "behind 415", ask(b"Content-Type: text/x\r\n" + sized(SIZE), target=read)
    yield "behind 403", ask(b"Origin: http://evil.example\r\n" + sized(SIZE), target=read)
    yield "behind 405", ask(sized(SIZE), method=b"PUT", target=read)
    yield "behind 401", ask(b"Authorization: Bearer x\r\n" + sized(SIZE), target=read)
    yield "behind 400 of JSON", ask(sized(3), b"{x}" + HIDDEN, target=read)
    yield "behind 431", ask(b"X: y\r\n" * 120 + sized(SIZE))
    yield "behind 414", ask(sized(SIZE), target=CASE + b"x" * 7000)
    yield "behind 400 of Engine.IO", ask(sized(SIZE), target=b"/socket.io/?EIO=4&sid=none")
    yield "behind a post of Engine.IO", ask(CHUNKED, CHUNK, target=b"/socket.io/?EIO=4")
    yield "behind three that are right", ask(b"", b"", b"GET") * 3 + HIDDEN
    yield "behind a stream", ask(
        sized(17), b'{"message": "hi"}' + HIDDEN, target=b"/api/chat/stream"
    )


def _framings() -> Iterator[tuple[str, bytes]]:
    """What is right or wrong by itself, at a path that can be counted."""
    for framing in FRAMINGS:
        yield framing.name, framing.data.replace(b"/health", CASE)


def shapes() -> dict[str, dict[str, bytes]]:
    """Return all, by kind and name; behind each stands HIDDEN once more."""
    kinds = {
        "length and coding": _both(),
        "codings": _codings(),
        "lengths": _lengths(),
        "chunks": _chunks(),
        "upgrades": _upgrades(),
        "others": _others(),
        "refused": _refused(),
        "framings": _framings(),
    }
    return {kind: {name: data + HIDDEN for name, data in made} for kind, made in kinds.items()}


SHAPES = shapes()
