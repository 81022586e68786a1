"""Processes under test: their start and end, their CPU time and their memory, from the kernel."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the clock of a process's CPU time
START_S = 90.0  # LiteLLM takes more than half a minute on a slow machine


def tree(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat_fields(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; none if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU seconds of these processes, user and system, and of children they reaped.

    The clock is that behind utime and stime of /proc/<pid>/stat, in nanoseconds instead of ticks.
    """
    total = 0.0
    for pid in pids:
        fields = stat_fields(pid)
        if fields:
            with contextlib.suppress(OSError):
                total += time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
            total += (int(fields[13]) + int(fields[14])) / TICKS_PER_S
    return total


def pss_bytes(pids: Sequence[int]) -> int:
    """Return the proportional memory of these processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class DidNotStart(Exception):
    """A server that is not there; the text has the end of its output."""


class ServerProcess:
    """A server in a process of its own, in a folder of its own; a context manager."""

    def __init__(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str], port: int, path: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self._output = folder / "output.txt"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(path)
        except BaseException:
            self.stop()
            raise
        self.pids = tree(self._process.pid)

    def _wait_until_ready(self, path: str) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers(self.port, path):
                return
            time.sleep(0.05)
        end = self._output.read_text(errors="replace").strip().splitlines()[-4:]
        raise DidNotStart(" / ".join(end) or "it said nothing")

    def stop(self) -> None:
        """End the process and all that it started, at once: how it would stop is not measured."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def answers(port: int, path: str) -> bool:
    """Whether a server answers a GET with 200; another's on this port would not have the path."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
