"""`run.py` as a process of its own, on a free port, with its settings in the environment."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
START_S = 30.0


class Server:
    """A running Tandem; everything it wrote is in `output` once it was stopped."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings
        self.output = ""
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONUNBUFFERED": "1",
            "PORT": "0",
            "ASYNC_MODE": os.environ.get("TEST_ASYNC_MODE", "eventlet"),
            "DATABASE_URL": f"sqlite:///{self.folder}/tandem.db",
            "LOG_DIR": str(self.folder / "logs"),
            "STREAM_DELAY_S": "0.01",
            **{name: str(value) for name, value in self.settings.items()},
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(ROOT / "run.py")],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.port = self._read_port(process)
        return process

    def _read_port(self, process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not select.select([process.stdout], [], [], 1)[0]:
                continue
            line = process.stdout.readline()
            self.output += line
            found = re.search(r"Tandem .* on http://.*:(\d+)", line)
            if found:
                return int(found[1])
            if not line:
                break
        process.wait(5)
        raise AssertionError(f"the server did not start:\n{self.output}")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own; a body that is not bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET a path."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST a JSON body."""
        return self.request("POST", path, body, headers)

    def status(self) -> dict[str, Any]:
        """Return /api/status."""
        return self.get("/api/status").json

    def rss_bytes(self) -> int:
        """Return the resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._collect()

    def stop(self, wait_s: float = 20) -> int:
        """SIGTERM; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._collect(wait_s)
        return self.process.returncode

    def restart(self) -> None:
        """Start again, with the same files."""
        self.process = self._start()

    def _collect(self, wait_s: float = 20) -> None:
        try:
            self.output += self.process.communicate(timeout=wait_s)[0] or ""
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.output += self.process.communicate()[0] or ""
            raise

    def logs(self) -> str:
        """Return all that was logged so far, files and output."""
        files = [path.read_text() for path in sorted((self.folder / "logs").glob("*"))]
        return "\n".join([self.output, *files])


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
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
