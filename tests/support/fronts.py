"""nginx and HAProxy before a server: each a process of its own, on a socket in its folder."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from tests.support.framings import exchanged
from tests.support.server import ROOT
from tests.support.services import missing

START_S = 30.0
PACKAGES = {"nginx": "nginx", "haproxy": "haproxy"}  # Debian's and Ubuntu's
# A client that says no more is hung up on soon: what is behind its end has been told by then.
IDLE_S = 1
HEADER = re.compile(r"```nginx\n(location.+?)```.+?```nginx\n(map.+?)\n```", re.DOTALL)
TROUBLE = ROOT / "docs" / "troubleshooting.md"

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    {temporary}
    log_format counted '$request_uri';
    access_log {folder}/access.log counted;
    client_header_timeout {idle}s;
    client_body_timeout {idle}s;
    keepalive_timeout {idle}s;
    {map}
    upstream tandem {{ server 127.0.0.1:{port}; keepalive 4; }}
    server {{
        listen unix:{folder}/front.sock;
        {extra}
        {location}
    }}
}}
"""
# What is kept open to the server is shared by all clients, at once.
HAPROXY = """
global
    tune.http.logurilen 65535
    log stdout len 65535 format raw local0
defaults
    mode http
    log global
    log-format "%HU"
    retries 0
    http-reuse always
    timeout connect 10s
    timeout server 60s
    timeout client {idle}s
    timeout http-request {idle}s
    timeout http-keep-alive {idle}s
    timeout tunnel {idle}s
frontend front
    bind unix@{folder}/front.sock
    {extra}
    default_backend tandem
backend tandem
    server tandem 127.0.0.1:{port}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

# As they come, and as lax as they can be told to be.
FRONTS = {
    "nginx": "",
    "nginx, lax": "proxy_request_buffering off; ignore_invalid_headers off; "
    "underscores_in_headers on; merge_slashes off;",
    "haproxy": "",
    "haproxy, lax": "option accept-invalid-http-request",
}


class Lines:
    """A log that is read on and on."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def more(self) -> list[bytes]:
        """Return the whole lines that have come."""
        if not self._path.exists():
            return []
        with open(self._path, "rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.splitlines()


class Front:
    """A proxy that says for what it was asked."""

    def __init__(self, kind: str, folder: Path, port: int) -> None:
        self._folder = folder
        name = kind.split(",")[0]
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if program is None:
            missing(f"{name} is not installed", f"apt-get install {PACKAGES[name]}")
        values = {"folder": folder, "port": port, "idle": IDLE_S, "extra": FRONTS[kind]}
        if name == "nginx":
            text, log, switches = _nginx(**values), "access.log", ["-e", f"{folder}/error.log"]
        else:
            text, log, switches = HAPROXY.format(**values), "output.txt", ["-db"]
        self._lines = Lines(folder / log)
        self._counted: Counter[str] = Counter()
        config = folder / f"{name}.conf"
        config.write_text(text)
        flag = "-c" if name == "nginx" else "-f"
        with open(folder / "output.txt", "w") as output:
            self.process = subprocess.Popen(
                [program, *switches, flag, str(config)], stdout=output, stderr=subprocess.STDOUT
            )
        self._wait_for_start()

    def _wait_for_start(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with suppress(OSError), self.connection():
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
                break
        raise AssertionError((self._folder / "output.txt").read_text())

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """Connect to it."""
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(30)
            opened.connect(str(self._folder / "front.sock"))
            yield opened

    def exchange(self, data: bytes) -> bytes:
        """Send that and return all that is answered, until it hangs up."""
        with self.connection() as connection:
            return exchanged(connection, data)

    def counted(self) -> Counter[str]:
        """Return how often it was asked for each path so far, by its own log."""
        for line in self._lines.more():
            if line != b"<BADREQ>":  # it has answered that itself
                self._counted[path_of(line.decode("utf-8", "replace"))] += 1
        return self._counted

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


def _nginx(**values: object) -> str:
    """The configuration that the documentation recommends, and connections that are kept."""
    found = HEADER.search(TROUBLE.read_text())
    assert found is not None
    location = found[1].replace("http://127.0.0.1:5000", "http://tandem")
    folders = [f"{kind}_temp_path {values['folder']}/{kind};" for kind in TEMPORARY]
    return NGINX.format(location=location, map=found[2], temporary=" ".join(folders), **values)


def path_of(target: str) -> str:
    """Return the path of a request's target as the server's log has it."""
    path = re.sub("(?i)^https?://[^/?]*", "", target).split("?")[0]
    return "/" + unquote(path).lstrip("/")
