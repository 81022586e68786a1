"""The parent, with children that are a few lines each."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.workers.child import Child, Starter, how_it_ended
from app.workers.parent import Parent

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# Notes what happens to it in a file of its number: `how` says what it does beside that.
STUB = """
import json, os, signal, socket, sys
how = dict(json.loads(sys.argv[1]))
place = json.loads(os.environ["TANDEM_PLACE"])
link = socket.socket(fileno=place["parent"])
note = open(f"{place['folder']}/notes", "a")
def say(word):
    print(place["number"], place["generation"], word, file=note, flush=True)
def end(*_):
    say("term")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
what = how.get(str(place["generation"]), "serve")
if what.startswith("exit"):
    sys.exit(int(what[4:]))
if what == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: say("deaf"))
say("ready")
link.sendall(b'{"model": "m", "files": "9"}\\n')
if what == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
while True:
    if link.recv(6) != b"":
        say("leave")
        sys.exit(0)
    end()
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Family:
    """A parent in this process, and what its children noted."""

    def __init__(self, folder: Path, how: str = "{}", count: int = 2) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.folder = folder
        command = [sys.executable, "-S", "-E", "-c", STUB, how]
        start = Starter(self.listener, str(folder), {}, command)
        self.steps: list[Callable[[], None]] = []
        self.when: list[Callable[[], bool]] = []
        self.children: list[Child] = []
        self.parent = Parent(count, self._starting(start), 0.2, self.begin)

    def _starting(self, start: Starter) -> Callable[[int], Child]:
        def one(number: int) -> Child:
            child = start(number)
            self.children.append(child)
            return child

        return one

    def begin(self, children: list[Child]) -> None:
        """Take the first step: all are ready."""
        for step in self.steps:
            step()

    def notes(self) -> list[str]:
        """Return what the children wrote down."""
        return (self.folder / "notes").read_text().splitlines()

    def run(self) -> int:
        """Look after them to the end."""
        with self.listener:
            return self.parent.run()


def tell(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def test_the_first_is_started_alone_and_all_are_ended(tmp_path: Path) -> None:
    family = Family(tmp_path, count=3)
    family.steps = [tell(signal.SIGTERM)]

    assert family.run() == 0
    assert family.notes()[0] == "1 1 ready"
    assert sorted(family.notes()) == sorted(
        f"{number} {number} {word}" for number in (1, 2, 3) for word in ("ready", "term")
    )
    assert [child.process.returncode for child in family.children] == [0, 0, 0]


@pytest.mark.parametrize("how, code", [('{"1": "exit2"}', 2), ('{"2": "exit0"}', 1)])
def test_one_that_never_serves_ends_the_start(tmp_path: Path, how: str, code: int) -> None:
    family = Family(tmp_path, how)

    assert family.run() == code
    assert all(child.process.returncode is not None for child in family.children)


def test_one_that_dies_is_started_again(tmp_path: Path) -> None:
    family = Family(tmp_path)
    family.steps = [lambda: family.children[1].process.kill()]
    again = family.parent._is_ready

    def is_ready(child: Child) -> None:
        again(child)
        if child.place.name == "2g3":
            tell(signal.SIGTERM)()

    family.parent._is_ready = is_ready  # type: ignore[method-assign]

    assert family.run() == 0
    assert [child.place.name for child in family.children] == ["1g1", "2g2", "2g3"]
    assert family.children[1].process.returncode == -signal.SIGKILL


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.workers.parent.KILL_AFTER_S", 0.2)
    family = Family(tmp_path, '{"2": "stubborn"}')
    family.steps = [tell(signal.SIGINT)]

    assert family.run() == 1
    assert "2 2 deaf" in family.notes()


@pytest.mark.parametrize(
    "code, said", [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-200, "signal 200")]
)
def test_how_one_ended_is_said_in_words(code: int, said: str) -> None:
    assert how_it_ended(code) == said
