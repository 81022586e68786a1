"""Tools for a server under test, which is told of them by TOOLS. Each writes down in its server's
folder that it was called, so that a test can count."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.tools.tool import Result, tool

CALLED = Path("called.txt")
GATE = Path("gate.txt")  # where the port of a Gate is
NAMES = ",".join(f"tests.support.server_tools:{name}" for name in ("note", "send", "wait"))
LOOK_UP = "tests.support.server_tools:look_up"


class Gate:
    """What `wait` waits at, in a server of that folder: who connects waits, since nobody answers.
    Once it is open nobody has to."""

    def __init__(self, folder: Path) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        (folder / GATE).write_text(str(self._listener.getsockname()[1]))

    def open(self) -> None:
        """Let go what waits, and what comes."""
        self._listener.close()


def _write_down(what: str) -> None:
    with CALLED.open("a") as file:
        file.write(f"{what}\n")
        file.flush()
        os.fsync(file.fileno())


@tool()
def note(text: str) -> str:
    """Note a text."""
    _write_down(f"note {text}")
    return f"noted {text}"


@tool(approval="always")
def send(to: str) -> str:
    """Send something to somebody."""
    _write_down(f"send {to}")
    return f"sent to {to}"


@tool()
def wait(name: str) -> Iterator[str]:
    """Wait until it is let go."""
    _write_down(f"wait {name}")
    yield "waiting"
    try:
        with suppress(ConnectionError):
            with socket.create_connection(("127.0.0.1", int(GATE.read_text()))) as gate:
                gate.recv(1)
    except BaseException:
        _write_down(f"ended {name}")
        raise
    yield f"waited for {name}"


@tool()
def look_up(query: str) -> Result:
    """Look something up, in places that are fit to be opened, and in some that are not."""
    good = {"url": "https://example.org/a?b=1", "title": "The <first>"}
    return Result(
        f"Found {query}.",
        sources=[
            good,
            good,
            {"url": "http://example.org/untitled"},
            {"url": "javascript:alert(1)", "title": "script"},
            {"url": "data:text/html,x", "title": "data"},
            {"url": "no address", "title": "none"},
        ],
    )


def called(folder: Path) -> list[str]:
    """Return what was called, by the server of that folder."""
    file = folder / CALLED
    return file.read_text().splitlines() if file.exists() else []
