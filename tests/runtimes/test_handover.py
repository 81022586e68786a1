"""A connection that belongs to another process, as both servers hand it over and take it."""

from __future__ import annotations

import os
import socket

import pytest

from app.runtimes.handover import Handover, stream_of
from app.runtimes.requests import read_head


class Sibling:
    """Takes what is handed over, if it is there."""

    def __init__(self, is_there: bool = True) -> None:
        self.is_there = is_there
        self.given: list[bytes] = []
        self.connection: socket.socket | None = None

    def serve(self, take: object, stop_accepting: object) -> None:
        """Nothing."""

    def owner_of(self, path: str) -> str:
        return "other" if path == "/theirs" else ""

    def hand(self, owner: str, fileno: int, received: bytes) -> bool:
        if self.is_there:
            self.given.append(received)
            self.connection = socket.socket(fileno=os.dup(fileno))
        return self.is_there


def handed(sibling: Sibling, path: str, server: socket.socket) -> bool:
    unwatched: list[int] = []
    passed_on = Handover(sibling, unwatched.append).passed_on(path, b"head", b"behind", server)
    assert unwatched == ([server.fileno()] if passed_on else [])
    return passed_on


def test_the_client_does_not_see_that_its_connection_was_let_go() -> None:
    client, server = socket.socketpair()
    sibling = Sibling()
    with client:
        with server:
            assert handed(sibling, "/theirs", server)
            server.shutdown(socket.SHUT_RDWR)  # as the libraries do
        assert sibling.given == [b"headbehind"] and sibling.connection is not None
        with sibling.connection:
            sibling.connection.sendall(b"answer")
            assert client.recv(10) == b"answer"


@pytest.mark.parametrize("path, is_there", [("/ours", True), ("/theirs", False)])
def test_what_is_ours_or_nobodys_stays(path: str, is_there: bool) -> None:
    client, server = socket.socketpair()
    with client, server:
        assert not handed(Sibling(is_there), path, server)
        server.sendall(b"here")
        assert client.recv(10) == b"here"


class Taken(socket.socket):
    """A connection that was handed over."""

    received = b""


@pytest.mark.parametrize("size", [0, 10, 20_000])
def test_what_was_received_is_read_first_and_all_of_it_at_once(size: int) -> None:
    client, plain = socket.socketpair()
    head = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
    with client, Taken(fileno=plain.detach()) as server:
        server.received = head + b"x" * size
        with stream_of(server, server.makefile("rb")) as stream:
            client.sendall(b"yz")
            client.shutdown(socket.SHUT_WR)
            found = read_head(stream)
            assert found is not None and (found.path, found.behind) == ("/x", size)
            assert stream.read(size) == b"x" * size
            assert stream.read() == b"yz"


def test_a_connection_of_ones_own_is_read_as_ever() -> None:
    client, server = socket.socketpair()
    with client, server, server.makefile("rb") as given:
        assert stream_of(server, given) is given
