"""Tandem in this process: plain threads, a store in memory, requests without a wire.

`InProcess` is asked as tests/support/server.py's Server is, so that a test says the same of both.
What needs bytes on a wire is not to be seen here: framing, hanging up, Socket.IO, stopping an
upstream that is silent, deadlines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from threading import Event
from typing import Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.runs.ports import Provider
from app.runs.run import interrupted
from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.wiring import create_app, load_settings
from tests.support.server import Asked

HERE = "http://127.0.0.1:5000"
WAIT_S = 30.0
DEFAULTS = {
    "DATABASE_URL": "memory:",
    "STREAM_DELAY_S": "0",
    "FIND_OLLAMA": "0",
    "MODELS_TTL_S": "0",
    "MAX_RETRIES": "0",
    **{f"RATE_LIMIT_{kind}": "off" for kind in ("STREAM", "CHAT", "READ")},
}


def built(providers: Mapping[str, Provider] | None = None, **settings: Any) -> Tandem:
    """Return a server of these settings; times do not pass for it until `started`."""
    loaded = load_settings(DEFAULTS | {name: str(value) for name, value in settings.items()})
    return create_app(loaded, providers, ThreadRuntime())


class Lines(logging.Handler):
    """Keeps what is logged, all fields of it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with what a JSON line would have besides."""
        self.lines.append(f"{self.format(record)} {vars(record)}")


class InProcess(Asked):
    """A running Tandem; `stop` it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.tandem = built(**settings)
        self.log = Lines()
        root = logging.getLogger()
        root.addHandler(self.log)
        root.setLevel(logging.INFO)
        self.tandem.started()

    def open(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> InProcessAnswer:
        """Send a request; return its answer as soon as that begins."""
        builder = EnvironBuilder(path, HERE, method=method, data=data, headers=dict(headers))
        environ = builder.get_environ()
        builder.close()
        environ["REMOTE_ADDR"] = "127.0.0.1"
        body, status, answered = run_wsgi_app(self.tandem.wsgi, environ)
        return InProcessAnswer(int(status.split()[0]), dict(answered), body)

    def wait_until(self, holds: Callable[[], bool]) -> bool:
        """Ask again and again until it holds; False if it never does."""
        never = Event()
        for _ in range(int(WAIT_S / 0.02)):
            if holds():
                return True
            never.wait(0.02)
        return False

    def logs(self) -> str:
        """Return all that was logged so far."""
        return "\n".join(self.log.lines)

    def stop(self) -> None:
        """End what runs, and the tasks that time gives something to do."""
        self.tandem.stopped = True
        self.tandem.registry.refuse_new()
        for run in self.tandem.registry.going():
            run.end_with(interrupted())
        logging.getLogger().removeHandler(self.log)


class InProcessAnswer:
    """An answer of which the body comes as the app yields it; read as http.client's is."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Iterable[bytes]) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._pieces = iter(body)

    def read1(self, size: int = -1) -> bytes:
        """Return what the app yields next, waiting for it; nothing at the end."""
        for piece in self._pieces:
            if piece:
                return piece
        return b""

    def read(self) -> bytes:
        """Return all that is left."""
        return b"".join(self._pieces)

    def close(self) -> None:
        """Ask for no more of it, as a server does whose client has gone."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
