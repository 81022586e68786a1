"""`python -m benchmarks.floods`: what clients that flood the server cost those that do not.

For each flood a server of its own, with the demo for a model; one quiet client that asks /health
every 20 ms, each time on a new connection, and one that streams. The table has the 99th percentiles
of the answers and of the time between two pieces, beside those before the flood began.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import ROOT
from benchmarks.figures import percentile
from benchmarks.flooders import FLOODS, SLOW, request
from benchmarks.processes import ServerProcess, free_port

HEALTH_EVERY_S = 0.02
PIECE_EVERY_S = 0.02
AIM_HEALTH_MS = 50
AIM_STREAM = 3  # times what it was in quiet
QUIET_S = 3
CONNECTS_A_S = 300  # of those that are idle
TIMEOUT_S = 20  # as long as this is "not at all"
MB = 1_000_000


class Quiet:
    """The clients that do not flood, and what they see."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = False
        self.health_s: list[float] = []
        self.gaps_s: list[float] = []
        self._threads = [
            threading.Thread(target=task, daemon=True) for task in (self._ask, self._stream)
        ]

    def measure(self, seconds: float) -> None:
        """Measure for that long; what has begun then is waited for."""
        for thread in self._threads:
            thread.start()
        time.sleep(seconds)
        self._over = True
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        due = time.perf_counter()
        while not self._over:
            time.sleep(max(0.0, due - time.perf_counter()))
            self._health()
            # Those that were due meanwhile would have waited too.
            now, due = time.perf_counter(), due + HEALTH_EVERY_S
            while due < now:
                self.health_s.append(now - due)
                due += HEALTH_EVERY_S

    def _health(self) -> None:
        before, answer = time.perf_counter(), b" 200 "
        with suppress(TimeoutError), self._connected() as connection:
            connection.sendall(request("GET", "/health", headers=b"Connection: close\r\n"))
            answer = connection.recv(4096)
        assert b" 200 " in answer[:15], answer
        self.health_s.append(time.perf_counter() - before)

    def _stream(self) -> None:
        ask = request("POST", "/api/chat/stream", b'{"message":"hi"}', b"Connection: close\r\n")
        while not self._over:
            try:
                with self._connected() as connection:
                    connection.sendall(ask)
                    self._follow(connection)
            except TimeoutError:
                self.gaps_s.append(TIMEOUT_S)

    def _follow(self, connection: socket.socket) -> None:
        last = 0.0
        while (data := connection.recv(65_536)) and not self._over:
            now = time.perf_counter()
            if b'"token"' in data:
                if last:
                    self.gaps_s.append(now - last)
                last = now

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)


@dataclass(frozen=True)
class Row:
    """What one flood cost the others; times in ms, memory in MB."""

    title: str
    clients: int
    health: tuple[float, float, float]  # p50, p99, the slowest
    gaps: tuple[float, float]  # p99, the longest
    ratio: float
    quiet: tuple[float, float]  # p99 of /health and of gaps, before it
    memory: float
    sent: float
    connections: int

    def line(self) -> str:
        """Return it as a line of the table."""
        p50, p99, slowest = self.health
        return (
            f"{self.title:28} {self.clients:6} {p50:8.1f} {p99:8.1f} {slowest:8.1f} "
            f"{self.quiet[0]:8.1f} {self.gaps[0]:8.1f} {self.gaps[1]:8.1f} {self.quiet[1]:8.1f} "
            f"{self.ratio:6.1f} "
            f"{self.memory:7.0f} {self.sent:8.1f} {self.connections:7}"
        )


HEAD = (
    f"{'flood':28} {'by':>6} {'/health':>8} {'p99 ms':>8} {'slowest':>8} "
    f"{'quiet':>8} {'gap p99':>8} {'longest':>8} {'quiet':>8} {'ratio':>6} "
    f"{'RSS MB':>7} {'sent MB':>8} {'conns':>7}"
)


@contextmanager
def serving(mode: str, root: Path) -> Iterator[ServerProcess]:
    """Run Tandem in an empty folder, with a demo that streams a word every 20 ms."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="floods-", ignore_cleanup_errors=True) as name:
        settings = {
            "ASYNC_MODE": mode,
            "PORT": str(port),
            "DATABASE_URL": f"sqlite:///{name}/tandem.db",
            "LOG_DIR": f"{name}/logs",
            "FIND_OLLAMA": "0",
            "MODELS_TTL_S": "0",
            "STREAM_CHUNK_WORDS": "1",
            "STREAM_DELAY_S": str(PIECE_EVERY_S),
            **{f"RATE_LIMIT_{kind}": "off" for kind in ("STREAM", "CHAT", "READ")},
        }
        command = [sys.executable, "-W", "ignore", str(root / "run.py")]
        with ServerProcess(command, Path(name), settings, port, "/health") as process:
            yield process


@contextmanager
def flooding(name: str, port: int, clients: int) -> Iterator[dict[str, int]]:
    """Run a flooder; what it has sent is in the dict at the end."""
    command = [sys.executable, "-m", "benchmarks.flooders", name, str(port), str(clients)]
    flooder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    told: dict[str, int] = {}
    try:
        yield told
    finally:
        flooder.terminate()
        with suppress(ValueError):
            told |= json.loads(flooder.communicate()[0])


class Memory:
    """The most that a process had resident."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")

    def most_mb(self) -> float:
        """Return it, in MB."""
        for line in self._status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MB
        return 0.0


def measured(mode: str, root: Path, name: str, clients: int, seconds: float) -> Row:
    """Return what there was before a flood, and under it."""
    title = {**FLOODS, **SLOW}[name].title
    with serving(mode, root) as server:
        memory = Memory(server.pids[0])
        before = Quiet(server.port)
        before.measure(QUIET_S)
        with flooding(name, server.port, clients) as told:
            time.sleep(0.5 + clients / CONNECTS_A_S)  # until it is under way
            under = Quiet(server.port)
            under.measure(seconds)
        return _row(title, clients, under, before, memory, told)


def _row(
    title: str, clients: int, seen: Quiet, quiet: Quiet, memory: Memory, told: dict[str, int]
) -> Row:
    health, gaps = sorted(seen.health_s), sorted(seen.gaps_s)
    was = percentile(sorted(quiet.gaps_s), 0.99)
    health_was = percentile(sorted(quiet.health_s), 0.99)
    return Row(
        title,
        clients,
        tuple(1000 * percentile(health, share) for share in (0.5, 0.99, 1.0)),  # type: ignore
        (1000 * percentile(gaps, 0.99), 1000 * percentile(gaps, 1.0)),
        percentile(gaps, 0.99) / was if was else 0.0,
        (1000 * health_was, 1000 * was),
        memory.most_mb(),
        told.get("sent", 0) / MB,
        told.get("connections", 0),
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floods", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each flood")
    parser.add_argument("--mode", choices=("eventlet", "gevent"), default="eventlet")
    parser.add_argument("--idle", type=int, default=1000, help="connections that are idle or drip")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--only", nargs="+", choices=(*FLOODS, *SLOW), help="these floods")
    parser.add_argument("--root", type=Path, default=ROOT, help="the server's source")
    return parser.parse_args()


def main() -> None:
    """Measure, and print the table."""
    asked = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{asked.mode}, {asked.seconds:g} s each; load before: {load}\n{HEAD}", flush=True)
    jobs = [(name, clients) for name in FLOODS for clients in asked.clients]
    jobs += [(name, asked.idle if name in {"idle", "drip"} else 1) for name in SLOW]
    missed = 0
    for name, clients in jobs:
        if asked.only and name not in asked.only:
            continue
        row = measured(asked.mode, asked.root, name, clients, asked.seconds)
        ok = row.health[1] <= AIM_HEALTH_MS and row.ratio <= AIM_STREAM
        missed += not ok
        print(row.line() + ("" if ok else "  *"), flush=True)
    print(f"* misses the aim (p99 of /health {AIM_HEALTH_MS} ms, ratio {AIM_STREAM}): {missed}")


if __name__ == "__main__":
    main()
