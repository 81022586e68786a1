"""A bus of Unix datagram sockets, for the processes of one host: one socket each, in a folder that
is this user's alone, named by the database and the worker."""

from __future__ import annotations

import _socket
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.broker.bus import Take
from app.runs.ports import Runtime, Task

MOST_BYTES = 60_000  # systems take more or less; Linux about 200,000
MOST_OF_A_NAME = 100  # bytes; Linux takes 108, macOS 104
LOOK_S = 1.0  # how old the list of the others may be
AT_ONCE = 20  # messages taken before others have their turn


class UnixBus:
    """Implements `Bus`. What finds no room in a process's queue is lost."""

    name = "unix"
    most_bytes = MOST_BYTES

    def __init__(
        self,
        folder: Path,
        group: str,
        runtime: Runtime,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Processes of one `group` reach each other. Raises OSError where the folder cannot be
        made, or is somebody else's."""
        self._folder = folder
        self._group = group
        _own(folder)
        self._runtime = runtime
        self._monotonic = monotonic
        # The system's own class, which neither eventlet nor gevent replaces: it never waits.
        self._out = _socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)
        self._take: Take | None = None
        self._ours: tuple[str, socket.socket, Task] | None = None
        self._others: list[str] = []
        self._looked_at = 0.0

    def open(self, take: Take) -> None:
        self._take = take

    def be(self, worker_id: str) -> None:
        before = self._ours
        path = self._path(worker_id)
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with suppress(FileNotFoundError):
            path.unlink()
        try:
            ours.bind(str(path))
        except FileNotFoundError:  # the last of some others has just taken the folder away
            _own(self._folder)
            ours.bind(str(path))
        self._ours = (worker_id, ours, self._runtime.spawn(self._receive, ours))
        if before is not None:
            self._let_go(before)

    def _receive(self, ours: socket.socket) -> None:
        taken = 0
        while True:
            try:
                message = ours.recv(MOST_BYTES + 1)
            except OSError:
                return  # it was closed
            if not message:
                return
            if self._take is not None:
                self._take(message)
            taken += 1
            if taken % AT_ONCE == 0:
                self._runtime.sleep(0)

    def send(self, worker_id: str, message: bytes) -> None:
        try:
            self._out.sendto(message, str(self._path(worker_id)))
        except (ConnectionRefusedError, FileNotFoundError):
            with suppress(OSError):  # nobody has it open: its process has died
                self._path(worker_id).unlink()
        except OSError:
            return  # its queue is full, or the message too large

    def send_all(self, message: bytes) -> None:
        now = self._monotonic()
        if now - self._looked_at >= LOOK_S or not self._looked_at:
            self._looked_at = now
            with suppress(OSError):
                self._others = self._look()
        for worker_id in self._others:
            self.send(worker_id, message)

    def _look(self) -> list[str]:
        ours = self._ours[0] if self._ours else ""
        names = [name.partition(".") for name in os.listdir(self._folder)]
        return [name for group, _, name in names if group == self._group and name != ours]

    def _path(self, worker_id: str) -> Path:
        return self._folder / f"{self._group}.{worker_id}"

    def close(self) -> None:
        if self._ours is not None:
            self._let_go(self._ours)
            self._ours = None
        self._out.close()
        with suppress(OSError):
            self._folder.rmdir()  # only if it is empty

    def _let_go(self, ours: tuple[str, socket.socket, Task]) -> None:
        worker_id, bound, task = ours
        with suppress(OSError):
            self._path(worker_id).unlink()
        task.kill()
        bound.close()


def default_folder() -> Path:
    """Return the folder of this user's sockets."""
    name = f"tandem-{os.getuid()}"
    folder = Path(tempfile.gettempdir()) / name
    longest = folder / ("0" * 16 + "." + "0" * 32)
    return folder if len(str(longest)) <= MOST_OF_A_NAME else Path("/tmp") / name


def _own(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user's")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
