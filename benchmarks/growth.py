"""How Tandem's costs grow: with the reply, the runs, the viewers, the sessions, the history.

Each function takes a running Tandem and returns points; a point is a size and what it cost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.loads import Load, put_on
from benchmarks.processes import ServerProcess, cpu_s, pss_bytes
from benchmarks.servers import KINDS

TANDEM = KINDS["tandem"]
PIECES_A_POINT = 20_000
KEEP_ENDED_S = 33.0  # by then a run that ended has left the memory of the server
KEPT_AT_LEAST_S = 28.0  # and before that it has not
MEASURED_TURNS = 30
FEWEST_PIECES = 50  # fewer drown in what an idle server does
Points = list[dict[str, Any]]


class LoadFailed(Exception):
    """A load that nothing could be measured of; the text says what was said."""


class Bench:
    """A running Tandem and its upstream."""

    def __init__(self, server: ServerProcess, model: ServerProcess) -> None:
        self.server = server
        self.model = model

    def put(self, load: Load, **changes: Any) -> dict[str, Any]:
        """Put a load on it. Raises LoadFailed."""
        found = put_on(load, TANDEM, self.server, self.model, **changes)
        if found["complete"] == 0:
            raise LoadFailed("; ".join(found["trouble"]) or "no reply was complete")
        return found

    def turns(self, count: int, **changes: Any) -> dict[str, Any]:
        """Let one client send messages one after another; a piece answers each."""
        options: dict[str, Any] = {"pieces": 1, "timeout_s": 60 + count * 0.1, **changes}
        return self.put(Load("", "", "turns", count), **options)

    def memory(self) -> int:
        """Return its memory in bytes."""
        return pss_bytes(self.server.pids)

    def idle_share(self, seconds: float) -> float:
        """Return the CPU it takes when nothing happens, as a share of a core."""
        time.sleep(1)  # what the last load left behind is done by then
        before = cpu_s(self.server.pids)
        time.sleep(seconds)
        return (cpu_s(self.server.pids) - before) / seconds


def _whole(found: dict[str, Any]) -> tuple[float, bool]:
    """Return the CPU microseconds of the load, and whether all of it came."""
    return found["whole"]["cpu_s"] * 1e6, found["complete"] == found["clients"]


def by_reply_length(
    bench: Bench,
    lengths: Sequence[int],
    partial: bool = False,
    pieces_a_point: int = PIECES_A_POINT,
) -> Points:
    """CPU a piece against the pieces of a reply, flat out, one run at a time."""
    points = []
    for length in lengths:
        runs = max(1, min(200, pieces_a_point // length))
        body = {"message": "$ask", "partial": partial}
        found = bench.turns(runs, pieces=length, body=body, timeout_s=300)
        spent, complete = _whole(found)
        points.append({"size": length, "us": spent / (runs * length), "complete": complete})
    return points


def by_runs(bench: Bench, counts: Sequence[int], rate: float, seconds: float) -> Points:
    """CPU a piece against runs at once, each at the same rate; idle CPU is taken off."""
    idle, points = bench.idle_share(seconds), []
    for count in counts:
        enough_s = max(seconds, FEWEST_PIECES / (count * rate))
        load = Load("", "", "sse", count, rate=rate, seconds=enough_s, spread_s=count * 0.008)
        found = bench.put(load)
        points.append(_steady(count, found, idle))
    return points


def by_viewers(bench: Bench, counts: Sequence[int], seconds: float) -> Points:
    """CPU a viewer and piece against the viewers of one run at 20 pieces/s; idle taken off."""
    idle, points = bench.idle_share(seconds), []
    for count in counts:
        joining_s = 0.5 + count * 0.005
        load = Load("", "", "viewers", count, rate=20, seconds=seconds + joining_s)
        points.append(_steady(count, bench.put(load), idle))
    return points


def _steady(size: int, found: dict[str, Any], idle: float) -> dict[str, Any]:
    window = found.get("window") or found["whole"]
    spent = (window["cpu_s"] - idle * window["s"]) * 1e6
    return {
        "size": size,
        "us": spent / window["pieces"] if window["pieces"] and spent > 0 else None,
        "p99_ms": window["p99_ms"],
        "steady": bool(found.get("window")),
        "complete": found["complete"] == found["clients"],
    }


def by_sessions(bench: Bench, counts: Sequence[int]) -> Points:
    """Memory a session held, and CPU to start a run, against sessions held."""
    bench.turns(300)
    time.sleep(KEEP_ENDED_S)
    base, held, points = bench.memory(), 0, []
    for count in counts:
        grown = bench.turns(max(1, count - held - MEASURED_TURNS))
        last = bench.turns(MEASURED_TURNS)
        held += grown["clients"] + last["clients"]
        time.sleep(KEEP_ENDED_S)
        points.append(
            {
                "size": held,
                "bytes": (bench.memory() - base) / held,
                "start_ms": _whole(last)[0] / MEASURED_TURNS / 1000,
                "complete": _whole(grown)[1] and _whole(last)[1],
            }
        )
    return points


def by_history(bench: Bench, counts: Sequence[int]) -> Points:
    """CPU to start a run against the messages that its session has."""
    body = {"message": "$ask", "partial": False, "session_id": "history"}
    there, points = 0, []
    for count in counts:
        turns = (count - there) // 2
        if turns > 0:
            bench.turns(turns, body=body)
            there += 2 * turns
        measured = 10
        found = bench.turns(measured, body=body)
        spent, complete = _whole(found)
        middle = there + measured
        points.append({"size": middle, "ms": spent / measured / 1000, "complete": complete})
        there += 2 * measured
    return points


def log_memory(bench: Bench, size: int, runs: int = 50, pieces: int = 10_000) -> float | None:
    """Return the memory of a log of so many pieces, as a multiple of its text.

    None if it took so long that the first logs had left memory before the last were there.
    """
    began = time.monotonic()
    bench.turns(3, pieces=pieces, size=size)
    before = bench.memory()
    bench.turns(runs, pieces=pieces, size=size)
    after = bench.memory()
    if time.monotonic() - began > KEPT_AT_LEAST_S:
        return None
    return (after - before) / (runs * pieces * size)


def idle_socket_bytes(bench: Bench, count: int) -> float:
    """Return the memory of one idle websocket."""
    bench.put(Load("", "", "idle", 50))
    return float(bench.put(Load("", "", "idle", count))["bytes_each"])


def crowd(bench: Bench, runs: int, rates: Sequence[float], seconds: float) -> Points:
    """Many runs at rising rates, until the p99 passes 100 ms."""
    points: Points = []
    for rate in rates:
        load = Load("", "", "sse", runs, rate=rate, seconds=seconds, spread_s=runs * 0.008)
        found = bench.put(load)
        window = found.get("window") or found["whole"]
        points.append(
            {
                "size": rate,
                "pieces_s": window["pieces"] / window["s"],
                "p99_ms": window["p99_ms"],
                "cpu": window["cpu_s"] / window["s"],
                "complete": found["complete"],
                "clients": found["clients"],
            }
        )
        if window["p99_ms"] > 100:
            break
    return points
