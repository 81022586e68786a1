"""What was promised, and what was measured: a row a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Spread, growth, is_straight, ratios, spread


@dataclass(frozen=True, slots=True)
class Row:
    """A target: at most `limit`, in `unit` (empty for a ratio)."""

    text: str
    limit: float
    measured: Spread | None
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median keeps it."""
        return self.measured is not None and self.measured.median <= self.limit

    @property
    def verdict(self) -> str:
        """Met, or missed, and by how much."""
        if self.measured is None:
            return "not measured"
        share = abs(self.measured.median / self.limit - 1) if self.limit else 0.0
        return f"met, {share:.0%} below" if self.met else f"**missed** by {share:.0%}"


def series(results: dict[str, Any], load: str, server: str, name: str) -> list[float | None]:
    """Return a figure of each round; of the steady window where there is one. None for a round in
    which not all replies were complete: what was cut off is no measure of anything.

    `name` is one of what `load.LoadMeter` measures; `whole.` before it asks for the whole load.
    """
    found = []
    for one in results["loads"].get(load, {}).get(server, []):
        if one["complete"] < one["clients"]:
            found.append(None)
            continue
        scope = one.get("whole") if name.startswith("whole.") else one.get("window")
        scope = scope or one.get("whole") or {}
        if name.startswith("first_"):
            scope = {"first_p50": one.get("first_ms", {}).get("p50")}
        found.append(scope.get(name.removeprefix("whole.")))
    return found


def ratio(results: dict[str, Any], load: str, peer: str, name: str = "us_a_piece") -> Spread | None:
    """Return Tandem's figure by that of a peer, in each round."""
    ours = series(results, load, "tandem", name)
    return ratios(ours, series(results, load.removesuffix("-ws"), peer, name))


def rows(results: dict[str, Any]) -> list[Row]:
    """Return all targets."""
    steady = "100 runs x 20 pieces/s, SSE: "
    start = spread(_ms(value) for value in series(results, "turns", "tandem", "whole.us_a_piece"))
    return [
        Row(f"{steady}CPU a piece, of FastAPI's", 0.4, ratio(results, "paced", "fastapi")),
        Row(f"{steady}CPU a piece, of LiteLLM's", 0.15, ratio(results, "paced", "litellm")),
        Row(f"{steady}CPU a piece, of nginx's", 8, ratio(results, "paced", "nginx")),
        Row(
            f"{steady}p99 of added latency, of FastAPI's",
            1,
            ratio(results, "paced", "fastapi", "p99_ms"),
        ),
        Row("50 runs flat out, SSE: CPU a piece, of FastAPI's", 0.18, _flat(results, "flat")),
        Row(
            "100 runs x 20 pieces/s, websocket: CPU a piece, of FastAPI's SSE",
            0.5,
            ratio(results, "paced-ws", "fastapi"),
        ),
        Row(
            "50 runs flat out, websocket: CPU a piece, of FastAPI's SSE",
            0.5,
            _flat(results, "flat-ws"),
        ),
        Row(
            "Time to the first piece, one client, of FastAPI's",
            1,
            ratio(results, "first", "fastapi", "first_p50"),
        ),
        Row("CPU to start a run, answer one piece, and end it", 3, start, "ms"),
        *_growth_rows(results),
    ]


def _flat(results: dict[str, Any], load: str) -> Spread | None:
    return ratio(results, load, "fastapi", "whole.us_a_piece")


def _ms(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _growth_rows(results: dict[str, Any]) -> list[Row]:
    found = results["growth"]
    crowd = found.get("crowd", [])
    incomplete = crowd[0]["clients"] - crowd[0]["complete"] if crowd else None
    return [
        Row("1,000 runs x 5 pieces/s: runs that are not complete", 0, spread([incomplete])),
        Row("Memory of an idle session held", 10, _kb(_last(found, "sessions", "bytes")), "KB"),
        Row("Memory of an idle websocket", 70, _kb(found.get("socket_bytes")), "KB"),
        Row(
            "Memory of a log of 10,000 pieces of 6 bytes, of its text",
            5,
            spread([found.get("log_ratio")]),
        ),
        _viewers(results),
        *(
            Row(f"Growth of the cost in the last tenfold of {words}", 1.3, spread([factor]))
            for words, factor in growths(found)
        ),
    ]


def _viewers(results: dict[str, Any]) -> Row:
    points = results["growth"].get("viewers", [])
    alone = spread(series(results, "paced", "tandem", "us_a_piece"))
    text = "CPU a viewer and piece, of that with one viewer a run (100 runs x 20 pieces/s)"
    if not points or alone is None:
        return Row(text, 0.4, None)
    last = points[-1]
    return Row(f"{last['size']} viewers of a run: {text}", 0.4, spread([last["us"] / alone.median]))


def _last(found: dict[str, Any], name: str, figure: str) -> float | None:
    points = found.get(name) or []
    return points[-1][figure] if points else None


def _kb(value: float | None) -> Spread | None:
    return spread([None if value is None else value / 1000])


def growths(found: dict[str, Any]) -> list[tuple[str, float | None]]:
    """Return by what the cost per unit grew, series by series."""
    figures = (
        ("reply", "us", "reply length", False),
        ("runs", "us", "runs", False),
        ("viewers", "us", "viewers", False),
        ("sessions", "bytes", "sessions held", False),
        ("history", "ms", "history length", True),
    )
    return [
        (words, growth(_points(found[name], figure, divided)))
        for name, figure, words, divided in figures
        if found.get(name)
    ]


def _points(points: list[dict[str, Any]], figure: str, divided: bool) -> list[tuple[float, float]]:
    """Return (size, cost per unit); `divided` says that the figure is the cost of all."""
    return [
        (one["size"], one[figure] / one["size"] if divided else one[figure])
        for one in points
        if one[figure] is not None and one.get("complete", True)
    ]


def all_straight(found: dict[str, Any]) -> bool:
    """Whether every series is a straight line."""
    return all(is_straight(factor) for _, factor in growths(found))
