"""What the tests of reading the web ask: pages, whole or as a hostile server sends them, and a
resolver of their own."""

from __future__ import annotations

import socket

from tests.support.upstream import Exchange, Reply


class Names:
    """A resolver; each look-up of a name gives its next answer, the last for good. A `_` in a
    name's keyword stands for a dot."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        """Return the addresses. Raises OSError."""
        self.asked.append((host, port))
        left = self.answers.get(host)
        if not left:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return left.pop(0) if len(left) > 1 else left[0]


def head(status: str, *headers: str) -> bytes:
    """Return the head of an answer; headers as `Name: value`."""
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("latin-1")


def page(body: bytes | str, content_type: str = "text/html", *headers: str) -> Reply:
    """Return a reply that is this page."""
    raw = body.encode() if isinstance(body, str) else body
    kind = (f"Content-Type: {content_type}",) if content_type else ()
    return once(head("200 OK", *kind, f"Content-Length: {len(raw)}", *headers) + raw)


def redirect(location: str, status: int = 302) -> Reply:
    """Return a reply that leads elsewhere."""
    return once(head(f"{status} Found", f"Location: {location}", "Content-Length: 0"))


def once(data: bytes) -> Reply:
    """Return a reply of these bytes, after which the connection is closed."""

    def reply(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.cut()

    return reply


def endless(start: bytes, piece: bytes) -> Reply:
    """Return a reply that goes on until the client has closed the connection."""

    def reply(exchange: Exchange) -> None:
        exchange.raw(start)
        while True:
            exchange.raw(piece)

    return reply


def by_path(**replies: Reply) -> Reply:
    """Return a reply that is chosen by the first word of the path; others are 404."""

    def reply(exchange: Exchange) -> None:
        word = exchange.head.split(" ")[1].strip("/").partition("/")[0].partition("?")[0]
        chosen = replies.get(word or "root", once(head("404 Not Found", "Content-Length: 0")))
        chosen(exchange)

    return reply


def asked_for(exchange: Exchange) -> tuple[str, dict[str, str]]:
    """Return the target of a request, and its headers by their names in lower case."""
    first, *lines = exchange.head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return first.split(" ")[1], {name.lower(): value for name, value in headers.items()}
