"""The plots, as SVG. They hold no date and no path, so that equal data give equal files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402

from benchmarks.figures import spread  # noqa: E402
from benchmarks.servers import KINDS  # noqa: E402
from benchmarks.targets import series  # noqa: E402

STYLE = {
    "svg.hashsalt": "tandem",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
}
COLORS = {"tandem": "#1f6feb", "nginx": "#8b949e"}
OTHER = "#d29922"


@dataclass(frozen=True, slots=True)
class Curve:
    """A plot of one or two series against a size, both axes logarithmic from the size on."""

    file: str
    title: str
    x: str
    y: str
    lines: tuple[tuple[str, str, str, float], ...]  # series, figure, label, divisor
    log_y: bool = False


CURVES = (
    Curve(
        "growth-reply.svg",
        "CPU a piece against reply length",
        "pieces of a reply",
        "CPU a piece (us)",
        (("reply", "us", "partial: false", 1), ("partial", "us", "with the partial field", 1)),
        log_y=True,
    ),
    Curve(
        "growth-runs.svg",
        "CPU a piece against runs at once, 2 pieces/s each",
        "runs at once",
        "CPU a piece (us)",
        (("runs", "us", "Tandem", 1),),
    ),
    Curve(
        "growth-viewers.svg",
        "CPU a viewer and piece against viewers of one run",
        "viewers of one run",
        "CPU a viewer and piece (us)",
        (("viewers", "us", "Tandem", 1),),
    ),
    Curve(
        "growth-sessions.svg",
        "Memory of a session against sessions held",
        "sessions held",
        "memory a session (KB)",
        (("sessions", "bytes", "Tandem", 1000),),
    ),
    Curve(
        "growth-start.svg",
        "CPU to start a run against sessions held",
        "sessions held",
        "CPU to start a run (ms)",
        (("sessions", "start_ms", "Tandem", 1),),
    ),
    Curve(
        "growth-history.svg",
        "CPU to start a run against the history of its session",
        "messages in the session",
        "CPU to start a run (ms)",
        (("history", "ms", "Tandem", 1),),
        log_y=True,
    ),
)
BARS = (
    ("cpu-paced.svg", "100 runs x 20 pieces/s, SSE", "paced", "us_a_piece", "CPU a piece (us)"),
    ("cpu-flat.svg", "50 runs flat out, SSE", "flat", "whole.us_a_piece", "CPU a piece (us)"),
    (
        "latency-paced.svg",
        "100 runs x 20 pieces/s, SSE: added latency",
        "paced",
        "p99_ms",
        "p99 of added latency (ms)",
    ),
)


def write(results: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Write all plots that there are data for; return file names and titles."""
    written = []
    with matplotlib.rc_context(STYLE):
        for file, title, load, figure, label in BARS:
            if bars(results, folder / file, title, load, figure, label):
                written.append((file, title))
        for plot in CURVES:
            if curve(results["growth"], folder / plot.file, plot):
                written.append((plot.file, plot.title))
        if results["growth"].get("crowd"):
            crowd(results["growth"]["crowd"], folder / "crowd.svg")
            written.append(("crowd.svg", "Added latency of 1,000 runs against their rate"))
    return written


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def bars(
    results: dict[str, Any], path: Path, title: str, load: str, name: str, label: str
) -> bool:
    """Draw one figure of each server; the black line is the range of the rounds."""
    names = [one for one in KINDS if one != "direct" and results["loads"][load].get(one)]
    found = [(one, spread(series(results, load, one, name))) for one in names]
    values = [(one, value) for one, value in found if value is not None]
    if not values:
        return False
    figure, axes = pyplot.subplots(figsize=(7, 0.6 * len(values) + 1.2))
    medians = [value.median for _, value in values]
    below = [value.median - value.low for _, value in values]
    above = [value.high - value.median for _, value in values]
    colors = [COLORS.get(one, OTHER) for one, _ in values]
    labels = [KINDS[one].title for one, _ in values]
    axes.barh(labels, medians, xerr=(below, above), color=colors)
    axes.invert_yaxis()
    axes.set_title(title)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    _save(figure, path)
    return True


def curve(found: dict[str, Any], path: Path, plot: Curve) -> bool:
    """Draw series against their size."""
    lines = [line for line in plot.lines if found.get(line[0])]
    if not lines:
        return False
    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    for name, figure_name, label, divisor in lines:
        points = [one for one in found[name] if one.get(figure_name) is not None]
        sizes = [one["size"] for one in points]
        axes.plot(sizes, [one[figure_name] / divisor for one in points], "o-", label=label)
    axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    if len(lines) > 1:
        axes.legend()
    _save(figure, path)
    return True


def crowd(steps: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the latency of many runs against their rate."""
    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    axes.plot([one["pieces_s"] for one in steps], [one["p99_ms"] for one in steps], "o-")
    axes.axhline(100, color="#cf222e", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set(
        title=f"{steps[0]['clients']:,} runs in one process: added latency",
        xlabel="pieces received a second",
        ylabel="p99 of added latency (ms)",
    )
    _save(figure, path)
