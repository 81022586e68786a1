"""Whether a client is there, by its socket: one that closed its side may still read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app.runtimes.server import CONTINUE, Presence

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection of TCP: what the system says of a client that has gone is TCP's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    with client, server:
        yield server, client


def test_client_that_says_nothing_is_there(pair: Pair) -> None:
    presence = Presence(pair[0], "HTTP/1.1")

    assert (presence(), presence.is_gone(), presence.is_gone(asks=True)) == (False, False, False)


def test_client_that_says_more_is_there_and_it_stays_to_be_read(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"next")

    assert not Presence(server, "HTTP/1.1").is_gone(asks=True)
    assert server.recv(10) == b"next"


def test_client_that_has_closed_its_side_is_asked_once_and_stays(pair: Pair) -> None:
    server, client = pair
    client.shutdown(socket.SHUT_WR)
    presence = Presence(server, "HTTP/1.1")

    assert presence() and not presence.is_gone()
    assert [presence.is_gone(asks=True) for _ in range(3)] == [False] * 3
    server.close()
    assert client.recv(1000) == CONTINUE


def test_client_of_http_1_0_is_not_asked(pair: Pair) -> None:
    server, client = pair
    client.shutdown(socket.SHUT_WR)

    assert not Presence(server, "HTTP/1.0").is_gone(asks=True)
    server.close()
    assert client.recv(1000) == b""


@pytest.mark.parametrize("asks", [True, False])
def test_client_that_has_closed_both_sides_is_gone_once_it_was_sent_something(
    pair: Pair, asks: bool
) -> None:
    server, client = pair
    client.close()
    presence = Presence(server, "HTTP/1.1")
    if not asks:
        server.sendall(b": ping\n")

    assert any(presence.is_gone(asks) for _ in range(1000))
    assert presence.is_gone()


def test_client_that_was_cut_off_is_gone(pair: Pair) -> None:
    server, client = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()

    assert Presence(server, "HTTP/1.1").is_gone()
