"""Handshakes of websockets that are right, wrong, or older than RFC 6455."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
BAD = frozenset({400})
VERSIONS = frozenset({426})
METHODS = frozenset({400, 405, 501})
UPGRADE = ("Upgrade", "websocket")
CONNECTION = ("Connection", "Upgrade")
KEYED = ("Sec-WebSocket-Key", KEY)
VERSION = ("Sec-WebSocket-Version", "13")
PATH = "/engine.io/?EIO=4&transport=websocket"


@dataclass(frozen=True, slots=True)
class Handshake:
    """One case."""

    name: str
    data: bytes
    status: frozenset[int]  # one of these
    section: str
    has_body: bool = True


def handshake(
    *headers: tuple[str, str],
    less: str = "",
    method: str = "GET",
    path: str = PATH,
    version: str = "HTTP/1.1",
    behind: bytes = b"",
) -> bytes:
    """A handshake, with headers more, or instead of those of the same name, or `less` one."""
    given = {name.lower() for name, _ in headers}
    usual = (("Host", "localhost"), UPGRADE, CONNECTION, KEYED, VERSION)
    kept = [pair for pair in usual if pair[0].lower() not in {*given, less.lower()}]
    lines = [
        f"{method} {path} {version}",
        *(f"{name}: {value}" for name, value in [*kept, *headers]),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + behind


def _keys() -> Iterator[Handshake]:
    at = "6455 4.2.1, 5"
    yield Handshake("no key", handshake(less="Sec-WebSocket-Key"), BAD, at)
    for key in (
        *("", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", KEY + "=", KEY * 2),
        *("dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBs ZSBub25jZQ=="),
        *("dGhlIHNhbXBsZSBub25-ZQ==", "dGhlIHNhbXBsZSBub25_ZQ==", "====", f'"{KEY}"', f"{KEY},"),
        *("the sample nonce", "\xe9" * 22 + "==", "AAAAAAAAAAAAAAAAAAAAAA==;x"),
    ):
        data = handshake(("Sec-WebSocket-Key", key))
        yield Handshake(f"key {key[:30]!r}", data, BAD, at)
    yield Handshake("two keys", handshake(KEYED, KEYED), BAD, "6455 11.3.1")
    other = ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
    yield Handshake("two different keys", handshake(KEYED, other), BAD, "6455 11.3.1")


def _versions() -> Iterator[Handshake]:
    at = "6455 4.2.2, 4.4"
    yield Handshake("no version", handshake(less="Sec-WebSocket-Version"), VERSIONS, at)
    for version in (
        *("0", "4", "6", "7", "8", "12", "14", "25", "113", "130", "256", "-13", "+13", "013"),
        *("13.0", "0xd", "13, 8", "8, 13", "thirteen", "", "13;", '"13"', "1 3", "\xb913"),
    ):
        data = handshake(("Sec-WebSocket-Version", version))
        yield Handshake(f"version {version!r}", data, VERSIONS, at)
    yield Handshake("two versions", handshake(VERSION, VERSION), BAD, "6455 11.3.5")
    both = handshake(VERSION, ("Sec-WebSocket-Version", "8"))
    yield Handshake("two different versions", both, BAD, "6455 11.3.5")
    hixie = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        "Origin: http://localhost\r\n"
    ).encode()
    keys = b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
    yield Handshake("Hixie-76", hixie + keys + b"\r\n^n:ds[4U", VERSIONS, "6455 4.4")
    yield Handshake("Hixie-75", hixie + b"\r\n", VERSIONS, "6455 4.4")


def _requests() -> Iterator[Handshake]:
    at = "6455 4.2.1"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        data = handshake(method=method)
        yield Handshake(f"method {method}", data, METHODS, f"{at}, 1")
    yield Handshake("method HEAD", handshake(method="HEAD"), METHODS, f"{at}, 1", has_body=False)
    yield Handshake("method get", handshake(method="get"), METHODS, f"{at}, 1")
    yield Handshake("HTTP/1.0", handshake(version="HTTP/1.0"), BAD, f"{at}, 1")
    kept = handshake(("Connection", "Upgrade, keep-alive"), version="HTTP/1.0")
    yield Handshake("HTTP/1.0, kept", kept, BAD, f"{at}, 1")
    yield Handshake("HTTP/2.0", handshake(version="HTTP/2.0"), frozenset({400, 505}), f"{at}, 1")
    yield Handshake("no Host", handshake(less="Host"), BAD, f"{at}, 2")
    yield Handshake("two Hosts", handshake(("Host", "a"), ("Host", "b")), BAD, f"{at}, 2")
    yield Handshake("no Upgrade", handshake(less="Upgrade"), BAD, f"{at}, 3")
    for upgrade in ("", "h2c", "websockets", "web socket", "websocket/13", "WebSocket;", "socket"):
        data = handshake(("Upgrade", upgrade))
        yield Handshake(f"Upgrade {upgrade!r}", data, BAD, f"{at}, 3")
    yield Handshake("no Connection", handshake(less="Connection"), BAD, f"{at}, 4")
    for connection in (
        "",
        "keep-alive",
        "close",
        "upgraded",
        "Up grade",
        "Upgrade; x",
        "x-upgrade",
    ):
        data = handshake(("Connection", connection))
        yield Handshake(f"Connection {connection!r}", data, BAD, f"{at}, 4")
    body = handshake(("Content-Length", "5"), behind=b"hello")
    yield Handshake("a body", body, BAD, "6455 4.1")
    chunks = handshake(("Transfer-Encoding", "chunked"), behind=b"5\r\nhello\r\n0\r\n\r\n")
    yield Handshake("a body in chunks", chunks, BAD, "6455 4.1")
    polling = handshake(path="/engine.io/?EIO=4&transport=polling")
    yield Handshake("for polling", polling, BAD, "Engine.IO, Upgrade")
    for name, line in {
        "a bare LF": b"X: y\nZ: a\r\n",
        "a space before the colon": b"X : y\r\n",
        "a folded line": b"X: y\r\n z\r\n",
        "NUL": b"X: \0\r\n",
        "no colon": b"X\r\n",
    }.items():
        data = handshake()[:-2] + line + b"\r\n"
        yield Handshake(f"a header with {name}", data, BAD, "9112 5")


REFUSED = [*_keys(), *_versions(), *_requests()]

AGREED: dict[str, bytes] = {
    "as usual": handshake(),
    "Upgrade in capitals": handshake(("Upgrade", "WEBSOCKET")),
    "Upgrade as browsers once wrote it": handshake(("Upgrade", "WebSocket")),
    "Connection in small letters": handshake(("Connection", "upgrade")),
    "Connection with more": handshake(("Connection", "keep-alive, Upgrade")),
    "Connection with more, without a space": handshake(("Connection", "keep-alive,upgrade")),
    "Connection twice": handshake(("Connection", "keep-alive"), CONNECTION),
    "names in small letters": handshake().replace(b"Sec-WebSocket-", b"sec-websocket-"),
    "spaces about a value": handshake(("Sec-WebSocket-Key", f" \t{KEY}\t ")),
    "no space before a value": handshake().replace(b": ", b":"),
    "a length of none": handshake(("Content-Length", "0")),
    "subprotocols": handshake(("Sec-WebSocket-Protocol", "chat, superchat")),
    "compression": handshake(
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
    ),
    "extensions that nobody knows": handshake(("Sec-WebSocket-Extensions", 'x; y="z", u')),
    "an absolute target": handshake(path=f"http://localhost{PATH}"),
    "empty lines before it": b"\r\n\r\n" + handshake(),
}
