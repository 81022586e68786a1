"""What the processes of one server say to each other, and hear of their parent.

Each has a Unix socket in the parent's folder, by its name. A connection to it brings one thing: a
client's connection that belongs there, with what was read of it so far; or a question, which is
answered with JSON. The parent's connection brings `leave`, and its end is the parent's.
"""

from __future__ import annotations

import array
import json
import logging
import os
import re
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from random import choice
from typing import Any, Protocol
from urllib.parse import parse_qs

from app.settings.place import Place
from app.workers.child import LEAVE

log = logging.getLogger(__name__)
KIND = struct.Struct("!cI")  # what it is, and how many bytes follow
HANDED, ASKED = b"h", b"?"
MAX_RECEIVED = 1_000_000  # a head, and a buffer behind it, are a fraction of it
ANSWER_BYTES = 10_000_000
WAIT_S = 10.0  # for one who has begun to say something
ASK_S = 1.0
LEAVE_S = 0.3  # for what has just been read: a reply that begins now is not refused
BACKLOG = 1024
NAME = re.compile(r"(\d{1,9})g(\d{1,9})")
ENGINE_PATH = "/socket.io/"

Take = Callable[[int, bytes], None]
Figures = Callable[[], Mapping[str, Any]]


class Tasks(Protocol):
    """What is needed of a runtime."""

    def spawn(self, function: Callable[..., object], *args: Any) -> object: ...

    def sleep(self, seconds: float) -> None: ...


class Siblings:
    """This process among them. Its sockets are green where the runtime's are."""

    def __init__(self, place: Place, tasks: Tasks) -> None:
        self._place = place
        self._tasks = tasks
        self._folder = Path(place.folder)
        self._parent = _inherited(place.parent)
        self._listener: socket.socket | None = None
        self._stop_accepting: Callable[[], None] | None = None
        self.leaving = False
        self.about: dict[str, str] = {}  # told to the parent
        self.figures: Figures = dict  # told to who asks

    @property
    def number(self) -> int:
        """Which this process is."""
        return self._place.number

    @property
    def prefix(self) -> str:
        """What the ids of this process's Engine.IO sessions begin with, behind the node's name."""
        return f"{self._place.name}-"

    # --- Life ---

    def serve(self, take: Take | None, stop_accepting: Callable[[], None] | None) -> None:
        """Hear the others from now on, and tell the parent that connections are accepted.

        `take` is given a client's connection that another hands over, and what it has read of it;
        without one none can come.
        """
        self._stop_accepting = stop_accepting
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._folder / self._place.name))
        listener.listen(BACKLOG)
        self._listener = listener
        self._tasks.spawn(self._hear_parent)
        self._tasks.spawn(self._accept, listener, take)

    def end(self) -> None:
        """Be heard of no more."""
        (self._folder / self._place.name).unlink(missing_ok=True)
        with suppress(OSError):  # the last one without a parent
            self._folder.rmdir()

    def _hear_parent(self) -> None:
        said = b""
        with suppress(OSError):
            self._parent.sendall(json.dumps(self.about).encode() + b"\n")
            said = self._parent.recv(len(LEAVE))
        if said == LEAVE:
            self.leaving = True
            if self._stop_accepting is not None:
                self._stop_accepting()
            self._tasks.sleep(LEAVE_S)
        else:
            log.warning("the parent is gone")
        os.kill(os.getpid(), signal.SIGTERM)

    def _accept(self, listener: socket.socket, take: Take | None) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError as error:  # too many files, say
                log.error("siblings are not heard for a moment: %s", error.strerror)
                self._tasks.sleep(WAIT_S / 100)
                continue
            self._tasks.spawn(self._hear, link, take)

    def _hear(self, link: socket.socket, take: Take | None) -> None:
        with link:
            link.settimeout(WAIT_S)
            descriptors: list[int] = []
            try:
                kind, received = _received(link, descriptors)
                if kind == ASKED:
                    link.sendall(json.dumps(self.figures()).encode())
                elif kind == HANDED and take is not None and descriptors:
                    take(descriptors.pop(), received)
            except OSError as error:
                log.warning("a sibling was not understood: %s", type(error).__name__)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    # --- Handing over ---

    def owner_of(self, path: str) -> str:
        """Return the name of who is to answer a request with this path; empty: this process."""
        owner = _named(path)
        if owner == self._place.name:
            return ""
        if not owner and self.leaving:
            others = self._successors()
            return choice(others) if others else ""
        return owner

    def hand(self, owner: str, fileno: int, received: bytes) -> bool:
        """Hand a client's connection over, with what was read of it; False: nobody takes it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(WAIT_S)
            descriptor = array.array("i", [fileno])
            try:
                link.connect(str(self._folder / owner))
                begin = KIND.pack(HANDED, len(received))
                link.sendmsg([begin], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
                link.sendall(received)  # one who has not got all of it drops it
            except OSError as error:
                log.debug("nobody takes a connection: %s", type(error).__name__)
                return False
            return True

    def _successors(self) -> list[str]:
        """Return the others, without those that have a successor."""
        newest = {self._place.number: self._place.generation}
        for number, generation in self._others():
            newest[number] = max(generation, newest.get(number, 0))
        names = [f"{number}g{generation}" for number, generation in newest.items()]
        return [name for name in names if name != self._place.name]

    def _others(self) -> list[tuple[int, int]]:
        found = []
        with suppress(OSError):
            for name in os.listdir(self._folder):
                named = NAME.fullmatch(name)
                if named and name != self._place.name:
                    found.append((int(named[1]), int(named[2])))
        return sorted(found)

    # --- Figures ---

    def ask_all(self) -> list[tuple[int, dict[str, Any] | None]]:
        """Return the number of each other process and its figures; None of one that is silent."""
        others = self._others()
        answers: dict[tuple[int, int], dict[str, Any] | None] = {}

        def ask(other: tuple[int, int]) -> None:
            answers[other] = self._ask(f"{other[0]}g{other[1]}")

        for other in others:
            self._tasks.spawn(ask, other)
        for _ in range(WAITS := 200):
            if len(answers) == len(others):
                break
            self._tasks.sleep(ASK_S / WAITS)
        return [(other[0], answers.get(other)) for other in others]

    def _ask(self, name: str) -> dict[str, Any] | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(ASK_S)
            try:
                link.connect(str(self._folder / name))
                link.sendall(KIND.pack(ASKED, 0))
                answer = bytearray()
                while (more := link.recv(65_536)) and len(answer) < ANSWER_BYTES:
                    answer += more
                figures: dict[str, Any] = json.loads(answer)
            except (OSError, ValueError):
                return None
            return figures


def inherited_listener(place: Place) -> socket.socket:
    """Return the listening socket that the parent has opened."""
    return _inherited(place.listener)


def _inherited(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)  # no business of what this process starts
    return socket.socket(fileno=descriptor)


def _named(path: str) -> str:
    """Return the process that an Engine.IO session's id in a query names; empty where none is."""
    if "sid=" not in path or not path.startswith(ENGINE_PATH):
        return ""
    sid = parse_qs(path.partition("?")[2]).get("sid", [""])[0]
    name = sid.rpartition(".")[2].partition("-")[0]  # a node's name ends with a dot
    return name if NAME.fullmatch(name) else ""


def _received(link: socket.socket, descriptors: list[int]) -> tuple[bytes, bytes]:
    """Return what comes, and what kind it is; adds to the descriptors that come with it.

    Raises OSError where it is not whole.
    """
    link.recv(1, socket.MSG_PEEK)  # waits: what reads descriptors does not, in eventlet
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    begin, ancillary, _, _ = link.recvmsg(KIND.size, room)
    for level, kind_of, data in ancillary:
        if (level, kind_of) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            come = array.array("i")
            come.frombytes(data[: len(data) - len(data) % come.itemsize])
            descriptors.extend(come)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if len(begin) < KIND.size:
        raise ConnectionError
    kind, size = KIND.unpack(begin)
    if size > MAX_RECEIVED:
        raise ConnectionError
    received = bytearray()
    while len(received) < size:
        more = link.recv(size - len(received))
        if not more:
            raise ConnectionError
        received += more
    return kind, bytes(received)
