"""One process of the server, as its parent sees it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from app.settings.place import Place

LEAVE = b"leave\n"  # what the parent says to one whose successor is there
READY_BYTES = 10_000


class Child:
    """A process that was started; `ready` is what it said of itself once it served."""

    def __init__(self, place: Place, process: subprocess.Popen[bytes], link: socket.socket) -> None:
        self.place = place
        self.process = process
        self.link = link
        self.ready: dict[str, str] | None = None
        self._said = b""

    @property
    def number(self) -> int:
        """Which it is."""
        return self.place.number

    def hear(self) -> None:
        """Read what it says; call when there is something to read."""
        more = b""
        with suppress(OSError):
            more = self.link.recv(READY_BYTES)
        if not more:
            self.link.close()
            return
        self._said += more
        if self._said.endswith(b"\n") and self.ready is None:
            self.ready = json.loads(self._said)

    def leave(self) -> None:
        """Let it end when its replies have: it takes no more connections."""
        with suppress(OSError):
            self.link.sendall(LEAVE)

    def send(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self.process.send_signal(number)

    def forget(self) -> None:
        """Take away what one that has ended leaves behind."""
        self.link.close()
        Path(self.place.folder, self.place.name).unlink(missing_ok=True)


class Starter:
    """Starts processes: by default by this one's command, with a place in the environment."""

    def __init__(
        self,
        listener: socket.socket,
        folder: str,
        environ: Mapping[str, str],
        command: Sequence[str] = (sys.executable, *sys.orig_argv[1:]),
    ) -> None:
        self._command = command
        self._listener = listener
        self._folder = folder
        self._environ = environ
        self._started = 0

    def __call__(self, number: int) -> Child:
        """Start the process of that number. Raises OSError."""
        self._started += 1
        ours, theirs = socket.socketpair()
        with theirs:
            listener = self._listener.fileno()
            place = Place(number, self._started, listener, theirs.fileno(), self._folder)
            process = subprocess.Popen(
                self._command,
                env={**self._environ, **place.variables()},
                pass_fds=(listener, theirs.fileno()),
            )
        return Child(place, process, ours)


def how_it_ended(code: int) -> str:
    """Return in words how a process ended, by subprocess's exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
