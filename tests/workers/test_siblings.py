"""What processes of one server say to each other: here two in one process, with threads."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator

import pytest

from app.runtimes.threads import ThreadRuntime
from app.settings.place import Place
from app.workers.siblings import HANDED, KIND, MAX_RECEIVED, Siblings

SID = "AAAAbbbbCCCCdddd0000"


class Member:
    """One of them; `taken` are the connections that it was given."""

    def __init__(self, folder: str, number: int, generation: int) -> None:
        self.parent, theirs = socket.socketpair()
        place = Place(number, generation, 0, theirs.detach(), folder)
        self.siblings = Siblings(place, ThreadRuntime())
        self.taken: list[tuple[int, bytes]] = []
        self.came = threading.Condition()
        self.siblings.figures = lambda: {"number": number}
        self.siblings.serve(self.take, None)

    def take(self, descriptor: int, received: bytes) -> None:
        with self.came:
            self.taken.append((descriptor, received))
            self.came.notify_all()

    def next(self) -> tuple[socket.socket, bytes]:
        with self.came:
            assert self.came.wait_for(lambda: self.taken, 10)
            descriptor, received = self.taken.pop()
        return socket.socket(fileno=descriptor), received


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="w-") as path:
        yield path


@pytest.fixture
def one(folder: str) -> Member:
    return Member(folder, 1, 1)


@pytest.fixture
def two(folder: str) -> Member:
    return Member(folder, 2, 2)


@pytest.mark.parametrize(
    "path, owner",
    [
        (f"/socket.io/?EIO=4&sid=2g2-{SID}", "2g2"),
        (f"/socket.io/?EIO=4&sid=a.2g2-{SID}&transport=polling", "2g2"),
        (f"/socket.io/?EIO=4&sid=1g1-{SID}", ""),
        (f"/socket.io/?EIO=4&sid={SID}", ""),
        (f"/socket.io/?EIO=4&sid=../x-{SID}", ""),
        (f"/socket.io/?EIO=4&sid=2g2%2f..-{SID}", ""),
        (f"/api/chat?sid=2g2-{SID}", ""),
        ("/socket.io/?EIO=4&transport=polling", ""),
    ],
)
def test_a_request_is_of_the_process_that_its_session_names(
    one: Member, path: str, owner: str
) -> None:
    assert one.siblings.owner_of(path) == owner


def test_a_connection_goes_with_what_was_read_of_it(one: Member, two: Member) -> None:
    client, server = socket.socketpair()
    received = b"GET / HTTP/1.1\r\n" * 20_000
    with client, server:
        assert one.siblings.hand("2g2", server.fileno(), received)
        taken, had = two.next()
        with taken:
            assert had == received
            assert not os.get_inheritable(taken.fileno())
            taken.sendall(b"hello")
            assert client.recv(10) == b"hello"


def test_who_is_not_there_takes_nothing(one: Member) -> None:
    client, server = socket.socketpair()
    with client, server:
        assert not one.siblings.hand("7g7", server.fileno(), b"x")
        server.sendall(b"still")
        assert client.recv(10) == b"still"


@pytest.mark.parametrize(
    "said",
    [
        KIND.pack(HANDED, 10) + b"short",
        KIND.pack(HANDED, MAX_RECEIVED + 1),
        KIND.pack(HANDED, 0)[:2],
        KIND.pack(b"!", 0),
    ],
)
def test_what_is_not_whole_is_dropped_with_its_descriptors(
    folder: str, two: Member, said: bytes
) -> None:
    client, server = socket.socketpair()
    with client:
        with server, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.connect(f"{folder}/2g2")
            socket.send_fds(link, [said], [server.fileno()])
        client.settimeout(10)
        assert client.recv(1) == b""  # nobody has the other end any more
    assert two.taken == []


def test_figures_of_all_are_asked_and_the_silent_are_named(
    folder: str, one: Member, two: Member
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(f"{folder}/3g3")
        silent.listen()
        assert one.siblings.ask_all() == [(2, {"number": 2}), (3, None)]


def test_one_that_leaves_hands_over_all_that_is_not_its_own(folder: str) -> None:
    members = [Member(folder, *name) for name in ((1, 1), (1, 3), (2, 2))]
    leaving = members[0].siblings
    leaving.leaving = True

    assert {leaving.owner_of("/api/chat") for _ in range(50)} == {"1g3", "2g2"}
    assert leaving.owner_of(f"/socket.io/?sid=1g1-{SID}") == ""
    members[1].siblings.leaving = True
    assert {members[1].siblings.owner_of("/health") for _ in range(50)} == {"2g2"}


def test_the_last_one_takes_the_folder_away(folder: str, one: Member, two: Member) -> None:
    one.siblings.end()
    assert os.path.exists(folder)
    two.siblings.end()
    assert not os.path.exists(folder)
    os.mkdir(folder)
