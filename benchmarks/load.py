"""The load generator: a process of its own that puts one load on one server and measures it.

`python -m benchmarks.load` reads a job, one JSON object, and prints its result, another. What a
job may say is in jobs.py. The CPU time of the server is read here, at the edges of the same window
whose pieces are counted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvloop

from benchmarks.clients import Client, SocketClient, SseClient, http_request
from benchmarks.figures import percentile
from benchmarks.jobs import Job
from benchmarks.processes import cpu_s, pss_bytes

SETTLE_S = 0.3  # after the last stream's first piece, before the window opens


@dataclass(frozen=True, slots=True)
class Mark:
    """An edge of a measurement."""

    at_ns: int
    pieces: int
    cpu_s: float


class LoadMeter:
    """Counts pieces and keeps their latencies; the window is while every stream is under way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._latencies = array("q")
        self.ends: list[Client] = []
        self._started = 0
        self._opens: Mark | None = None
        self._closes: Mark | None = None
        self.through = asyncio.Event()
        self.turn = asyncio.Event()  # somebody is through
        self._loop = asyncio.get_running_loop()
        self._begin = self._mark()
        self._upstream_cpu_s = cpu_s(job.upstream_pids)
        self._own_cpu_s = time.process_time()

    def _mark(self) -> Mark:
        return Mark(time.monotonic_ns(), len(self._latencies), cpu_s(self._job.pids))

    def pieces(self, now_ns: int, stamps: list[int], first: bool) -> None:
        """Keep how old the pieces are."""
        self._latencies.extend([now_ns - stamp for stamp in stamps])
        if first:
            self._started += 1
            if self._started == self._job.clients:
                self._loop.call_later(SETTLE_S, self._open)

    def _open(self) -> None:
        if not self.ends:
            self._opens = self._mark()

    def ended(self, client: Client) -> None:
        """Close the window at the first end; at the last the load is through."""
        self.ends.append(client)
        self.turn.set()
        if self._opens and not self._closes:
            self._closes = self._mark()
        if len(self.ends) == self._job.clients:
            self.through.set()

    def result(self) -> dict[str, Any]:
        """Return the figures: of the window, and of the whole."""
        end = self._mark()
        wall_s = (end.at_ns - self._begin.at_ns) / 1e9
        first = sorted((c.first_ns - c.began_ns) / 1e6 for c in self.ends if c.first_ns)
        return {
            "clients": self._job.clients,
            "complete": sum(client.complete for client in self.ends),
            "trouble": sorted({client.trouble for client in self.ends if client.trouble})[:3],
            "whole": self._between(self._begin, end),
            "window": self._window(),
            "first_ms": {"p50": percentile(first, 0.5), "p99": percentile(first, 0.99)},
            "busy": {
                "server": (end.cpu_s - self._begin.cpu_s) / wall_s,
                "upstream": (cpu_s(self._job.upstream_pids) - self._upstream_cpu_s) / wall_s,
                "load": (time.process_time() - self._own_cpu_s) / wall_s,
            },
        }

    def _window(self) -> dict[str, Any] | None:
        if self._opens is None or self._closes is None:
            return None
        return self._between(self._opens, self._closes)

    def _between(self, start: Mark, end: Mark) -> dict[str, Any]:
        latencies = sorted(self._latencies[start.pieces : end.pieces])
        count = len(latencies)
        return {
            "s": (end.at_ns - start.at_ns) / 1e9,
            "pieces": count,
            "cpu_s": end.cpu_s - start.cpu_s,
            "us_a_piece": (end.cpu_s - start.cpu_s) / count * 1e6 if count else None,
            "p50_ms": percentile(latencies, 0.5) / 1e6,
            "p99_ms": percentile(latencies, 0.99) / 1e6,
        }


async def start_sse(job: Job, meter: LoadMeter, request: bytes, on_head: Any = None) -> SseClient:
    """Open a connection and send the request on it."""
    client = SseClient(meter, job.pieces, request, on_head)
    client.began_ns = time.monotonic_ns()
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", job.port)
    return client


async def run_sse(job: Job, meter: LoadMeter) -> None:
    """All clients, their starts spread."""
    request = job.request()

    async def one(index: int) -> None:
        await asyncio.sleep(job.spread_s * index / job.clients)
        await start_sse(job, meter, request)

    await asyncio.gather(*(one(index) for index in range(job.clients)))
    await meter.through.wait()


async def connect_sockets(job: Job, late: LateMeter) -> list[SocketClient]:
    """Return clients that are connected, and silent."""
    loop, clients = asyncio.get_running_loop(), []
    for _ in range(job.clients):
        client = SocketClient(late, job.pieces, job.port, job.filled())
        await loop.create_connection(lambda: client, "127.0.0.1", job.port)
        await asyncio.wait_for(client.connected, 30)
        clients.append(client)
    return clients


async def run_socket(job: Job, make: Callable[[], LoadMeter]) -> None:
    """Connect everybody, then begin to measure, then ask."""
    loop, late = asyncio.get_running_loop(), LateMeter()
    clients = await connect_sockets(job, late)
    meter = make()
    late.target = meter
    for index, client in enumerate(clients):
        loop.call_later(job.spread_s * index / job.clients, client.ask)
    await meter.through.wait()


class LateMeter:
    """A meter that is there before the measuring begins."""

    def __init__(self) -> None:
        self.target: LoadMeter | None = None

    def pieces(self, now_ns: int, stamps: list[int], first: bool) -> None:
        """Pass on."""
        if self.target:
            self.target.pieces(now_ns, stamps, first)

    def ended(self, client: Client) -> None:
        """Pass on."""
        if self.target:
            self.target.ended(client)


async def run_viewers(job: Job, meter: LoadMeter) -> None:
    """One client starts a run; the others follow it."""
    run_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_head(head: bytes) -> None:
        lines = head.decode().split("\r\n")
        found = [x.split(": ")[1] for x in lines if x.lower().startswith("x-run-id")]
        run_id.set_result(found[0])

    await start_sse(job, meter, job.request(), on_head)
    path = f"/api/runs/{await asyncio.wait_for(run_id, 30)}/events?partial=false"
    request = http_request("GET", path, job.port, None, job.headers)
    for _ in range(job.clients - 1):
        await start_sse(job, meter, request)
    await meter.through.wait()


async def run_turns(job: Job, meter: LoadMeter) -> None:
    """One client after another, each on a connection of its own."""
    request = job.request()
    for _ in range(job.clients):
        meter.turn.clear()
        await start_sse(job, meter, request)
        await meter.turn.wait()


async def hold_idle(job: Job) -> dict[str, Any]:
    """Connect sockets and leave them; return what each costs the server in memory."""
    before = pss_bytes(job.pids)
    clients = await connect_sockets(job, LateMeter())
    await asyncio.sleep(1)
    held = pss_bytes(job.pids) - before
    for client in clients:
        client.transport.abort()
    return {"clients": len(clients), "complete": len(clients), "bytes_each": held / len(clients)}


async def run(job: Job) -> dict[str, Any]:
    """Put the load on; return what was measured."""
    if job.shape == "idle":
        return await hold_idle(job)
    meter: LoadMeter | None = None

    def make() -> LoadMeter:
        nonlocal meter
        meter = LoadMeter(job)
        return meter

    shapes = {"sse": run_sse, "viewers": run_viewers, "turns": run_turns}
    work = run_socket(job, make) if job.shape == "socket" else shapes[job.shape](job, make())
    late = ""
    try:
        await asyncio.wait_for(work, job.timeout_s)
    except TimeoutError:
        late = f"not through after {job.timeout_s:g} s"
    if meter is None:
        raise SystemExit("nobody could connect")
    result = meter.result()
    result["trouble"] += [late] if late else []
    result["pss"] = pss_bytes(job.pids)
    return result


def main() -> None:
    """Read the job, do it, print the result."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names = {one.name for one in dataclasses.fields(Job)}
    job = Job(**{name: value for name, value in json.load(sys.stdin).items() if name in names})
    print(json.dumps(uvloop.run(run(job))))


if __name__ == "__main__":
    main()
