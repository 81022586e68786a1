"""One benchmark: rounds of the comparison, then how Tandem grows. Returns plain data."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import growth
from benchmarks.environments import NotInstalled
from benchmarks.growth import Bench, LoadFailed
from benchmarks.loads import COMPARED, Load, put_on
from benchmarks.processes import DidNotStart, ServerProcess
from benchmarks.servers import KINDS, Kind, serving, upstream

QUICK_WITHOUT = {
    "litellm": "it takes longer than the quick form may",
    "direct": "left out of the quick form",
}
ROUND_BY_S = 22.0  # a second round that starts later ends too late for a form under a minute
GROWTH_BY_S = 46.0
WARM_UP = Load("warm-up", "", "turns", 20, pieces=20)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    quick: bool
    rounds: int
    without: tuple[str, ...] = ()

    @property
    def loads(self) -> tuple[Load, ...]:
        """The loads of the comparison."""
        if self.quick:
            return tuple(load.quick() for load in COMPARED if load.in_quick)
        return COMPARED

    def late(self, by_s: float) -> bool:
        """Whether a quick form would take too long if it went on."""
        return self.quick and time.monotonic() - BEGAN > by_s


BEGAN = time.monotonic()


def say(text: str) -> None:
    """Print progress at once, with the seconds since the start."""
    print(f"{time.monotonic() - BEGAN:4.0f} s  {text}", flush=True)


def run(plan: Plan) -> dict[str, Any]:
    """Measure everything."""
    kinds, skipped = available(plan)
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {kind.name: kind.versions() for kind in kinds},
        "quick": plan.quick,
        "rounds": plan.rounds,
        "skipped": skipped,
        "loads": {load.name: {} for load in plan.loads},
    }
    with upstream() as model:
        compare(plan, kinds, model, results)
        results["growth"] = grow(plan, model)
    results["took_s"] = round(time.monotonic() - BEGAN)
    return results


def available(plan: Plan) -> tuple[list[Kind], dict[str, str]]:
    """Return the servers that are installed, and why the others are not."""
    kinds, skipped = [], {}
    for kind in KINDS.values():
        reason = left_out(plan, kind.name)
        try:
            if not reason:
                kind.install()
        except NotInstalled as error:
            reason = str(error)
        if reason:
            skipped[kind.name] = reason
        else:
            kinds.append(kind)
    for name, reason in skipped.items():
        say(f"skipped {name}: {reason}")
    return kinds, skipped


def left_out(plan: Plan, name: str) -> str:
    """Return why a server is not even tried; empty if it is."""
    if name in plan.without:
        return "left out by --without"
    return QUICK_WITHOUT.get(name, "") if plan.quick else ""


def compare(plan: Plan, kinds: list[Kind], model: ServerProcess, results: dict[str, Any]) -> None:
    """Put each load on each server, in rounds; each round begins with another server."""
    for number in range(plan.rounds):
        if plan.late(ROUND_BY_S) and number:
            results["rounds"] = number
            say("the machine is slow or busy: no further round in the quick form")
            return
        first = number % len(kinds)
        for kind in kinds[first:] + kinds[:first]:
            if kind.name in results["skipped"]:
                continue
            try:
                with serving(kind, model) as server:
                    one_round(plan, kind, server, model, results["loads"])
            except DidNotStart as reason:
                results["skipped"][kind.name] = f"did not start: {reason}"
                say(f"skipped {kind.name}: did not start: {reason}")
                continue
            say(f"round {number + 1} of {plan.rounds}: {kind.name}{brief(kind, results['loads'])}")


def one_round(
    plan: Plan, kind: Kind, server: ServerProcess, model: ServerProcess, loads: dict[str, Any]
) -> None:
    """Put all loads on one server, after one that is not counted."""
    put_on(WARM_UP, kind, server, model)
    for load in plan.loads:
        if kind.name in load.servers:
            found = put_on(load, kind, server, model)
            loads[load.name].setdefault(kind.name, []).append(found)
            if found["complete"] < found["clients"]:
                complete = f"{found['complete']} of {found['clients']} complete"
                say(f"  {kind.name}, {load.title}: {complete}: {found['trouble']}")


def brief(kind: Kind, loads: dict[str, Any]) -> str:
    """Return the newest figures of a server, for the progress line."""
    parts = []
    for name, servers in loads.items():
        found = servers.get(kind.name)
        steady = found and (found[-1].get("window") or found[-1].get("whole"))
        if steady and steady["us_a_piece"] is not None:
            parts.append(f"  {name} {steady['us_a_piece']:.0f} us")
    return "".join(parts)


def grow(plan: Plan, model: ServerProcess) -> dict[str, Any]:
    """Return all series of Tandem's growth; each kind has a fresh server."""
    found: dict[str, Any] = {}
    for names, settings, steps in QUICK_SERIES if plan.quick else FULL_SERIES:
        if plan.late(GROWTH_BY_S):
            say(f"the machine is slow or busy: left out of the quick form: {', '.join(names)}")
            continue
        with serving(growth.TANDEM, model, settings) as server:
            bench = Bench(server, model)
            bench.turns(20, pieces=20)
            for name, step in zip(names, steps, strict=True):
                try:
                    found[name] = step(bench)
                except LoadFailed as reason:
                    say(f"growth: {name}: not measured: {reason}")
                    continue
                say(f"growth: {name}: {short(found[name])}")
    return found


def short(value: Any) -> str:
    """Return a series or a figure in a line."""
    if not isinstance(value, list):
        return "not measured" if value is None else f"{value:.1f}"
    name = next(key for key in ("us", "ms", "bytes", "p99_ms") if key in value[0])
    figures = (f"{one['size']:g}: {one[name]:.3g}" for one in value if one[name] is not None)
    return f"{', '.join(figures)} ({name})"


Step = Callable[[Bench], Any]
Series = tuple[tuple[tuple[str, ...], dict[str, str], tuple[Step, ...]], ...]
QUICK_SERIES: Series = (
    (
        ("reply", "partial", "viewers", "history"),
        {},
        (
            lambda bench: growth.by_reply_length(bench, (10, 100, 1000, 10_000), False, 1000),
            lambda bench: growth.by_reply_length(bench, (10, 100, 300), True, 1000),
            lambda bench: growth.by_viewers(bench, (10, 100), 1),
            lambda bench: growth.by_history(bench, (2, 60)),
        ),
    ),
    (
        ("log_ratio", "socket_bytes"),
        {},
        (
            lambda bench: growth.log_memory(bench, 6, runs=20),
            lambda bench: growth.idle_socket_bytes(bench, 200),
        ),
    ),
)
FULL_SERIES: Series = (
    (
        ("reply", "partial", "history"),
        {},
        (
            lambda bench: growth.by_reply_length(bench, (10, 100, 1000, 10_000, 100_000)),
            lambda bench: growth.by_reply_length(bench, (10, 100, 500, 1000, 2000), partial=True),
            lambda bench: growth.by_history(bench, (2, 10, 100, 500, 1000, 2000)),
        ),
    ),
    (
        ("viewers", "runs"),
        {},
        (
            lambda bench: growth.by_viewers(bench, (1, 10, 50, 100, 200, 500), 6),
            lambda bench: growth.by_runs(bench, (1, 10, 100, 500, 1000, 2000), 2, 6),
        ),
    ),
    (
        ("crowd",),
        {},
        (lambda bench: growth.crowd(bench, 1000, (5, 8, 10, 12, 15, 20, 25, 30, 40), 6),),
    ),
    (
        ("log_ratio",),
        {},
        (lambda bench: growth.log_memory(bench, 6),),
    ),
    (("socket_bytes",), {}, (lambda bench: growth.idle_socket_bytes(bench, 1000),)),
    (
        ("sessions",),
        {"MAX_SESSIONS_IN_MEMORY": "200000"},
        (lambda bench: growth.by_sessions(bench, (100, 1000, 10_000, 100_000)),),
    ),
)


def machine() -> dict[str, str]:
    """Describe the machine, without its name; `load` is its load average before the first round."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": (models or ["unknown"])[0],
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release().split("-")[0],
        "system": platform.system(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }
