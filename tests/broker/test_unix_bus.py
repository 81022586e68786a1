"""Datagrams between processes of one host."""

from __future__ import annotations

import os
import queue
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.broker.buses.unix import MOST_OF_A_NAME, UnixBus, default_folder
from app.runtimes.threads import ThreadRuntime

WAIT_S = 30.0
GROUP = "0" * 16
IDS = ["a" * 32, "b" * 32, "c" * 32]


class End:
    """A bus, and what has come."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self.came: queue.Queue[bytes] = queue.Queue()
        self.bus = UnixBus(folder, GROUP, ThreadRuntime())
        self.bus.open(self.came.put)
        self.bus.be(worker_id)

    def next(self) -> bytes:
        """Return the next that comes."""
        return self.came.get(timeout=WAIT_S)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bus") as name:
        yield Path(name) / "ends"


@pytest.fixture
def ends(folder: Path) -> Iterator[list[End]]:
    made = [End(folder, worker_id) for worker_id in IDS]
    yield made
    for end in made:
        end.bus.close()


def test_message_comes_to_one(ends: list[End]) -> None:
    for number in range(3):
        ends[0].bus.send(IDS[1], b"%d" % number)

    assert [ends[1].next() for _ in range(3)] == [b"0", b"1", b"2"]
    assert ends[2].came.empty()


def test_message_comes_to_all_others(ends: list[End]) -> None:
    ends[0].bus.send_all(b"x")

    assert [end.next() for end in ends[1:]] == [b"x", b"x"]
    assert ends[0].came.empty()


def test_as_much_as_is_said_comes(ends: list[End]) -> None:
    message = b"x" * ends[0].bus.most_bytes
    ends[0].bus.send(IDS[1], message)

    assert ends[1].next() == message


def test_nobody_waits_for_one_who_does_not_read(folder: Path) -> None:
    sender, deaf = End(folder, IDS[0]), UnixBus(folder, GROUP, Unspawned())
    deaf.be(IDS[1])
    for _ in range(2000):
        sender.bus.send(IDS[1], b"x" * 1000)
    deaf.close()
    sender.bus.close()


class Unspawned(ThreadRuntime):
    """Starts nothing."""

    def spawn(self, function, *args):  # type: ignore[no-untyped-def]
        """Start nothing."""
        return super().spawn(lambda: None)


def test_socket_of_one_who_died_is_taken_away(ends: list[End], folder: Path) -> None:
    left = folder / f"{GROUP}.{'d' * 32}"
    os.mknod(left, 0o600 | 0o140000)  # a socket that nobody has open
    ends[0].bus.send_all(b"x")

    assert ends[1].next() == b"x"
    assert not left.exists()


def test_one_who_becomes_another_is_reached_as_that(ends: list[End], folder: Path) -> None:
    ends[1].bus.be("e" * 32)
    ends[0].bus.send("e" * 32, b"x")
    ends[0].bus.send(IDS[1], b"y")

    assert ends[1].next() == b"x"
    assert not (folder / f"{GROUP}.{IDS[1]}").exists()


def test_end_leaves_nothing(ends: list[End], folder: Path) -> None:
    for end in ends:
        end.bus.close()

    assert not folder.exists()


def test_folder_is_this_users_alone(ends: list[End], folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folder_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.symlink_to(tmp_path)
    with pytest.raises(OSError):
        UnixBus(folder, GROUP, ThreadRuntime())


def test_other_groups_hear_nothing(ends: list[End], folder: Path) -> None:
    other = UnixBus(folder, "1" * 16, ThreadRuntime())
    other.send_all(b"x")
    other.send(IDS[1], b"y")
    ends[0].bus.send(IDS[1], b"z")

    assert ends[1].next() == b"z"


def test_a_name_has_room_in_a_sockets_path() -> None:
    longest = default_folder() / f"{GROUP}.{IDS[0]}"
    assert len(str(longest)) <= MOST_OF_A_NAME
