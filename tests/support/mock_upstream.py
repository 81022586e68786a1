"""A model server that this project did not write: @copilotkit/aimock, from npm, exactly pinned.

It says what tests/mock_upstream/fixtures has for it, in the shapes of OpenAI, Gemini and Ollama.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "mock_upstream"
PACKAGE = "@copilotkit/aimock"
OLDEST_NODE = (20, 15)  # the package's own
INSTALL_S = 120.0
START_S = 30.0


class Unavailable(Exception):
    """It cannot run here; the text says why."""


class MockUpstream:
    """The running server; everything it prints is in `output`."""

    def __init__(self, folder: Path) -> None:
        node = find_node()
        install()
        self._output = folder / "mock.txt"
        cli = FOLDER / "node_modules" / PACKAGE / "dist" / "cli.js"
        with open(self._output, "w") as output:
            self._process = subprocess.Popen(
                [node, str(cli), "-p", "0", "-f", str(FOLDER / "fixtures"), "--validate-on-load"],
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


def find_node() -> str:
    """Return the path of a node that is new enough. Raises Unavailable."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise Unavailable("needs node and npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)\.(\d+)\.", version)
    if not found or (int(found[1]), int(found[2])) < OLDEST_NODE:
        raise Unavailable(f"needs node {'.'.join(map(str, OLDEST_NODE))}, found {version.strip()}")
    return node


def install() -> None:
    """Install what the lock says, if it is not there. Raises Unavailable."""
    FOLDER.joinpath("node_modules").mkdir(exist_ok=True)
    with open(FOLDER / "node_modules" / ".installing", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if _installed() == _wanted():
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_S
            )
        except subprocess.TimeoutExpired:
            raise Unavailable("npm ci took too long") from None
    if done.returncode != 0 or _installed() != _wanted():
        raise Unavailable(f"npm ci failed: {done.stderr[-500:]}")


def _installed() -> str | None:
    try:
        path = FOLDER / "node_modules" / PACKAGE / "package.json"
        return str(json.loads(path.read_text())["version"])
    except (OSError, ValueError):
        return None


def _wanted() -> str:
    return str(json.loads((FOLDER / "package.json").read_text())["dependencies"][PACKAGE])


def must_run() -> bool:
    """Whether not being able to run is a failure: in continuous integration nothing is skipped."""
    return bool(os.environ.get("CI"))
