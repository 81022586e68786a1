"""Tandem's JavaScript client in Node, as a process of its own: tests/client/drive.mjs."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.node import find_node, install

FOLDER = Path(__file__).parent.parent / "client"


def need_node() -> None:
    """Install the packages of tests/client; where that cannot be, skip the test, or fail it if
    they are required."""
    install(FOLDER)


class NodeClient:
    """One send, follow or watch; `lines` are what the process has printed."""

    def __init__(self, **asked: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [str(find_node()), str(FOLDER / "drive.mjs"), json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def tell(self, line: str) -> None:
        """Give it a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_for(self, enough: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until what it has printed satisfies a condition."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.lines), 20), self.lines[-3:]

    def wait_for_text(self, text: str) -> None:
        """Wait until this much has come."""
        self.wait_for(lambda lines: self.text == text)

    def rest(self) -> dict[str, Any]:
        """Wait for the process to end by itself; return the last thing it said."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, 40), self.lines[-3:]
        assert self.process.wait(20) == 0
        return self.lines[-1]

    @property
    def text(self) -> str:
        """The pieces so far."""
        return "".join(line["text"] for line in self.of("text"))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a type."""
        return [line for line in self.lines if line.get("type") == kind]

    def said(self, key: str) -> dict[str, Any]:
        """Return {whole}, {thrown} or {receipt}, waiting for it."""
        self.wait_for(lambda lines: any(key in line for line in lines))
        found: dict[str, Any] = next(line[key] for line in self.lines if key in line)
        return found

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
