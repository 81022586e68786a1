"""The servers under test: how each is started, and how it is asked."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, ROOT, ensure, nginx, tandem_python, version
from benchmarks.processes import ServerProcess, free_port

PEERS = HERE / "peers"
COMPLETION = {
    "model": "bench",
    "messages": [{"role": "user", "content": "$ask"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
# The load comes from one address: what Tandem allows one user by default would refuse it. This is
# all that differs from the default settings, but for a model, a port, and places of its own.
LIMITS_OFF = {
    "RATE_LIMIT_STREAM": "off",
    "RATE_LIMIT_CHAT": "off",
    "RATE_LIMIT_READ": "off",
    "MAX_RUNS_PER_USER": "100000",
    "MAX_SOCKETS_PER_USER": "100000",
}
LITELLM_KEY = "sk-of-the-loopback-only"  # it does not start without one
# As its documentation would have it in production; and it need not fetch its list of prices.
LITELLM_SETTINGS = {
    "LITELLM_MASTER_KEY": LITELLM_KEY,
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One server: where it answers, what it is asked, and how it is made ready and started."""

    name: str
    title: str
    path: str
    body: Mapping[str, Any]
    ready: str
    install: Callable[[], Path]  # returns its program; raises NotInstalled
    packages: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def versions(self) -> str:
        """Return what of it is installed."""
        if self.name == "nginx":
            said = subprocess.run([str(self.install()), "-v"], capture_output=True, text=True)
            return said.stderr.strip().rpartition("/")[2]
        return version(self.name, self.install(), self.packages) if self.packages else ""


def _own_python() -> Path:
    return Path(sys.executable)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "direct",
            "no server: the client asks the upstream itself",
            "/v1/chat/completions",
            COMPLETION,
            "/v1/models",
            _own_python,
            ("uvloop",),
        ),
        Kind("nginx", "nginx, passing on", "/v1/chat/completions", COMPLETION, "/v1/models", nginx),
        Kind(
            "tandem",
            "Tandem",
            "/api/chat/stream",
            {"message": "$ask", "partial": False},
            "/health",
            tandem_python,
            ("flask", "flask-socketio", "eventlet", "openai", "sqlalchemy"),
        ),
        Kind(
            "fastapi",
            "FastAPI, uvicorn, AsyncOpenAI",
            "/api/chat/stream",
            {"message": "$ask"},
            "/health",
            lambda: ensure("fastapi"),
            ("fastapi", "uvicorn", "uvloop", "httptools", "openai"),
        ),
        Kind(
            "flask",
            "Flask, the SDK's Stream (document 000)",
            "/api/chat/stream",
            {"message": "$ask"},
            "/health",
            lambda: ensure("flask"),
            ("flask", "eventlet", "openai"),
        ),
        Kind(
            "litellm",
            "LiteLLM proxy",
            "/v1/chat/completions",
            COMPLETION,
            "/health/liveliness",
            lambda: ensure("litellm"),
            ("litellm", "uvicorn", "uvloop", "httptools", "openai"),
            {"Authorization": f"Bearer {LITELLM_KEY}"},
        ),
    )
}


def _command(kind: Kind, port: int, folder: Path, upstream_port: int) -> list[str]:
    program = str(kind.install())
    if kind.name == "tandem":
        return [program, str(ROOT / "run.py")]
    if kind.name == "fastapi":
        options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        options += ["--no-access-log"]
        where = ["--app-dir", str(PEERS), "--port", str(port), "--backlog", "1024"]
        return [program, "-m", "uvicorn", "fastapi_app:app", *where, *options]
    if kind.name == "flask":
        return [program, "-W", "ignore", str(PEERS / "flask_sdk.py")]
    if kind.name == "litellm":
        options = ["--config", str(PEERS / "litellm.yaml"), "--num_workers", "1"]
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(Path(program).parent / "litellm"), *options, *where]
    text = (PEERS / "nginx.conf").read_text()
    text = text.replace("$PORT", str(port)).replace("$UPSTREAM", str(upstream_port))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(text)
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _environ(kind: Kind, port: int, folder: Path, upstream_port: int) -> dict[str, str]:
    environ = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": "x",
        "PORT": str(port),
    }
    if kind.name == "tandem":
        database = f"sqlite:///{folder}/tandem.db"
        environ |= {"DATABASE_URL": database, "LOG_DIR": str(folder / "logs"), **LIMITS_OFF}
    if kind.name == "litellm":
        environ |= LITELLM_SETTINGS
    return environ


@contextmanager
def upstream() -> Iterator[ServerProcess]:
    """Run the stand-in upstream."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.upstream", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        paths = {"PYTHONPATH": str(ROOT)}
        with ServerProcess(command, Path(folder), paths, port, "/v1/models") as process:
            yield process


@contextmanager
def serving(
    kind: Kind, model: ServerProcess, settings: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """Run a server in front of the upstream, in an empty folder, so that no .env is read."""
    if kind.name == "direct":
        yield model
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = _command(kind, port, folder, model.port)
        environ = {**_environ(kind, port, folder, model.port), **(settings or {})}
        with ServerProcess(command, folder, environ, port, kind.ready) as process:
            yield process
