"""The loads of the comparison, as a table; and how one is put on a server."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.environments import ROOT
from benchmarks.jobs import Job
from benchmarks.processes import ServerProcess
from benchmarks.servers import KINDS, Kind

PATIENCE_S = 240  # LiteLLM needs a minute flat out: what is slow is to be measured, not cut off
SOCKET_BODY = {"message": "$ask", "partial": False}


@dataclass(frozen=True, slots=True)
class Load:
    """One load: `seconds` is how long a paced stream lasts beyond the spread of the starts."""

    name: str
    title: str
    shape: str
    clients: int
    rate: float = 0
    pieces: int = 0
    seconds: float = 0
    spread_s: float = 0
    size: int = 24
    together: bool = False  # the streams tick at the same moments
    in_quick: bool = True
    servers: tuple[str, ...] = tuple(KINDS)

    @property
    def pieces_each(self) -> int:
        """Pieces of one stream."""
        return self.pieces or max(1, round(self.rate * (self.seconds + self.spread_s)))

    def quick(self) -> Load:
        """Return it shortened."""
        if self.shape == "turns":
            return dataclasses.replace(self, clients=min(self.clients, 40))
        if self.rate:
            return dataclasses.replace(self, seconds=1, spread_s=0.5)
        return dataclasses.replace(self, pieces=min(self.pieces, 300))


STEADY = "100 runs x 20 pieces/s"
FLAT = "50 runs flat out"
COMPARED = (
    Load("turns", "one client, 1 piece a reply", "turns", 200, pieces=1),
    Load("first", "one client, 3 pieces a reply, 10 ms apart", "turns", 200, rate=100, pieces=3),
    Load("paced", f"{STEADY}, SSE", "sse", 100, rate=20, seconds=8, spread_s=1),
    Load(
        "paced-together",
        f"{STEADY} that tick together, SSE",
        "sse",
        100,
        rate=20,
        seconds=8,
        spread_s=1,
        together=True,
        in_quick=False,
        servers=("direct", "nginx", "tandem", "fastapi"),
    ),
    Load("flat", f"{FLAT}, SSE", "sse", 50, pieces=2000),
    Load(
        "paced-ws",
        f"{STEADY}, websocket",
        "socket",
        100,
        rate=20,
        seconds=8,
        spread_s=1,
        servers=("tandem",),
    ),
    Load("flat-ws", f"{FLAT}, websocket", "socket", 50, pieces=2000, servers=("tandem",)),
)


def put_on(
    load: Load, kind: Kind, server: ServerProcess, model: ServerProcess, **changes: Any
) -> dict[str, Any]:
    """Put a load on a server, in a process of its own; return what it measured."""
    body = SOCKET_BODY if load.shape == "socket" else dict(kind.body)
    seconds = load.seconds + load.spread_s
    job = Job(
        shape=load.shape,
        port=server.port,
        path=kind.path,
        body=body,
        headers=dict(kind.headers),
        clients=load.clients,
        pieces=load.pieces_each,
        rate=load.rate,
        size=load.size,
        together=load.together,
        spread_s=load.spread_s,
        timeout_s=PATIENCE_S + 4 * seconds,
        pids=server.pids,
        upstream_pids=model.pids,
    )
    job = dataclasses.replace(job, **changes)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(dataclasses.asdict(job)),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if done.returncode:
        end = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return {"trouble": end, "complete": 0, "clients": load.clients}
    found: dict[str, Any] = json.loads(done.stdout)
    return found
