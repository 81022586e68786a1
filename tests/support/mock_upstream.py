"""A model server that this project did not write: @copilotkit/aimock, from npm, exactly pinned.

It says what tests/mock_upstream/fixtures has for it, in the shapes of OpenAI, Gemini and Ollama.
"""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.support.node import install

FOLDER = Path(__file__).parent.parent / "mock_upstream"
PACKAGE = "@copilotkit/aimock"
START_S = 30.0


class MockUpstream:
    """The running server; everything it prints is in `output`."""

    def __init__(self, folder: Path) -> None:
        node = install(FOLDER)
        self._output = folder / "mock.txt"
        cli = FOLDER / "node_modules" / PACKAGE / "dist" / "cli.js"
        with open(self._output, "w") as output:
            self._process = subprocess.Popen(
                [
                    str(node),
                    str(cli),
                    "-p",
                    "0",
                    "-f",
                    str(FOLDER / "fixtures"),
                    "--validate-on-load",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.port = self._read_port()

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    def _read_port(self) -> int:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.output)
            if found:
                return int(found[1])
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                break
        self.close()
        raise AssertionError(f"the mock did not start:\n{self.output}")

    def connections(self) -> set[str]:
        """Return the connections to it that both ends have open (Linux: proc(5), net/tcp)."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        port = f":{self.port:04X}"
        return {row[1] for row in rows if row[2].endswith(port) and row[3] == "01"}

    def wait_until_gone(self, connections: set[str], timeout_s: float = 5) -> bool:
        """Wait until none of these is open; False if they stay."""
        deadline = time.monotonic() + timeout_s
        while connections & self.connections():
            if time.monotonic() > deadline:
                return False
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        return True

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
