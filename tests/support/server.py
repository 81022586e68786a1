"""`run.py` as a process of its own, on a free port, with its settings in the environment."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support import topology
from tests.support.forked import Forked, nurseries

ROOT = Path(__file__).parent.parent.parent
START_S = 120.0
MODES = {"eventlet", "gevent"}
Process = Forked | subprocess.Popen[bytes]
# Coverage's, where it is to measure the servers too.
MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


class Asked(ABC):
    """A Tandem that can be asked, wherever it runs."""

    @abstractmethod
    def open(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Any:
        """Send a request; return its answer once that begins: `status`, `headers`, `read1`,
        `read` and `close`."""

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request and wait for all of its answer; what is not bytes goes as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        answer = self.open(method, path, body, headers)
        try:
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            answer.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET a path."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST a JSON body."""
        return self.request("POST", path, body, headers)

    def status(self) -> dict[str, Any]:
        """Return /api/status."""
        status: dict[str, Any] = self.get("/api/status").json
        return status


class Server(Asked):
    """A running Tandem; everything it prints is in `output`."""

    script = ROOT / "run.py"

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        self.process = self._start()

    def _start(self) -> Process:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONUNBUFFERED": "1",
            "PORT": "0",
            "ASYNC_MODE": os.environ.get("TEST_ASYNC_MODE", "eventlet"),
            "LOG_DIR": str(self.folder / "logs"),
            "STREAM_DELAY_S": "0.01",
            "FIND_OLLAMA": "0",  # one on the developer's machine is none of the tests' business
            "MODELS_TTL_S": "0",  # tests count requests; those of lists set it
            "MAX_RETRIES": "0",  # tests of failures count requests; the tests of retries set it
            # A test suite is a busy caller; the tests of limits set their own.
            **{f"RATE_LIMIT_{kind}": "off" for kind in ("STREAM", "CHAT", "READ")},
            **{name: str(value) for name, value in self.settings.items()},
            **MEASURED,
        }
        if "DATABASE_URL" not in environ:
            environ["DATABASE_URL"] = topology.database_of(self.folder)
            environ = {**topology.settings(self.folder), **environ}
        # A file, not a pipe: a pipe that nobody reads is full one day, and then the server waits.
        output = self.folder / "output.txt"
        output.write_text("")
        process = self._forked(environ, output) or self._begun(environ, output)
        self.port = self._read_port(process)
        return process

    def _forked(self, environ: Mapping[str, str], output: Path) -> Forked | None:
        """Start what is run.py just before it begins; None where that is not the same."""
        is_plain = self.script == ROOT / "run.py" and environ["ASYNC_MODE"] in MODES
        by_itself = "PYTHONPATH" in environ or (self.folder / ".env").exists()
        by_itself |= "WORKERS" in environ  # whose parent is another program
        several = environ.get("WORKERS", "1") != "1"
        if MEASURED or by_itself or several or not is_plain:
            return None
        return nurseries.fork(environ, self.folder, output)

    def _begun(self, environ: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
        with open(output, "w") as file:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", str(self.script)],
                cwd=self.folder,
                env=environ,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # `kill` takes all of several processes
            )

    def _read_port(self, process: Process) -> int:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = re.search(r"Tandem .* on http://.*:(\d+)\n", self.output)
            if found:
                return int(found[1])
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                break
        raise AssertionError(f"the server did not start:\n{self.output}")

    @property
    def output(self) -> str:
        """All that the process has printed since its start."""
        return (self.folder / "output.txt").read_text()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def open(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float = 30,
    ) -> WireAnswer:
        """Send one request on a connection of its own; return its answer once that begins."""
        return WireAnswer(self.port, method, path, data, headers, timeout_s)

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 30) -> bool:
        """Ask again and again until it holds, while the process lives; False if it never does."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if holds():
                return True
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        return False

    def rss_bytes(self) -> int:
        """Return the resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def kill(self) -> None:
        """kill -9, all of it at once."""
        if isinstance(self.process, subprocess.Popen) and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def stop(self, wait_s: float = 30) -> int:
        """SIGTERM; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def end(self) -> None:
        """End it, in order if what it runs is measured: that is written down at the end."""
        if MEASURED:
            self.stop()
        elif self.process.poll() is None:
            self.kill()

    def restart(self) -> None:
        """Start again, with the same files."""
        self.process = self._start()

    def logs(self) -> str:
        """Return all that was logged so far, files and output."""
        files = [path.read_text() for path in sorted((self.folder / "logs").glob("*"))]
        return "\n".join([self.output, *files])


def run_to_its_end(folder: Path, **settings: str) -> tuple[int, str]:
    """Run run.py where it cannot serve, or not for long; return its exit code and what it said."""
    environ = {"PATH": os.environ["PATH"], "PORT": "0", "LOG_DIR": str(folder), **settings}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "run.py")],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class WireAnswer:
    """An answer on a connection of its own, read as it comes."""

    def __init__(
        self,
        port: int,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        try:
            self._connection.request(method, path, data, dict(headers))
            self._response = self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise
        self.status = self._response.status
        self.headers = dict(self._response.headers)
        self.read = self._response.read
        self.read1 = self._response.read1

    def close(self) -> None:
        """Hang up, at once."""
        with suppress(OSError):
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._response.close()
        self._connection.close()


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The native error's code."""
        return str(self.json["error"]["code"])
