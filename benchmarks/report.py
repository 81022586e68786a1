"""The results as Markdown. Pure: takes what `run` returned, gives text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.figures import Spread, is_straight, spread
from benchmarks.loads import COMPARED, Load
from benchmarks.servers import KINDS, LIMITS_OFF
from benchmarks.targets import Row, growths, ratio, rows, series

PEERS = ("fastapi", "flask", "litellm", "nginx")
METHOD = """
The load generator, the stand-in upstream and the server under test are a process each, on one
machine. The upstream speaks OpenAI's chat completions, formats its events beforehand, and puts the
time of sending into each piece; paced streams tick each at a moment of its own. The row `direct`
is the client on the upstream without a server: the floor of what the bench itself can see.

A round starts each server anew, in turn, warms it up with 20 replies, and puts each load on it.
Each round begins with another server. A ratio is that of two figures of one round; shown are the
median of all rounds and, in brackets, the lowest and the highest.

- CPU a piece: CPU time of the server's processes, by the pieces that clients received meanwhile.
  Paced loads are measured while all streams are under way, so without their starts and ends;
  flat-out ones as a whole, and there the upstream writes 32 pieces at once. A server that joins
  pieces for a viewer that is behind is counted by what was joined.
- First piece: from the client's connecting to its first piece; of replies whose second piece comes
  later, as those of models do. Where a reply is one piece, that is in one read with its end.
- Added latency: from the upstream's sending of a piece to its arrival at the client.
- Complete: the reply ended as it should, with each piece once and in order.
- Memory: PSS of the server's processes, by what was added since a warm server; sessions and logs
  after their runs ended (sessions: and have left memory).
- Where Tandem's time goes: [profile.md](profile.md), of the same loads.
- Growth: of the cost per unit, over the last tenfold of the size. 1 is a straight line; up to 1.3
  is noise. The CPU of an idle server is taken off where little is measured.

Tandem is started with the command line of `make run`, with default settings but for these, because
all load comes from one address: {settings}. For the sessions held alone,
`MAX_SESSIONS_IN_MEMORY=200000`. It stores every piece before it shows it; the peers store nothing.
"""
CAVEATS = """
- One machine runs client, upstream and server: with few cores a server that is near its limit takes
  time from the others. `results.json` has how busy each was.
- Flat out, latency is how long a piece waits in full buffers; it is not shown.
- The peers are what one would write, not the fastest that could be written, and have no log, no
  resume and no store. A good part of their cost is that of OpenAI's SDK.
- LiteLLM is a gateway: it checks keys, routes, and counts costs, which the others do not. It runs
  with one worker, as its documentation advises, and without a database.
"""


def number(value: float) -> str:
    """Return three digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or not value else f"{value:.4f}"


def shown(value: Spread | None, unit: str = "") -> str:
    """Return a median and its range."""
    if value is None:
        return "-"
    text = number(value.median) + (f" {unit}" if unit else "")
    if value.runs > 1:
        text += f" ({number(value.low)} to {number(value.high)})"
    return text


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    marks = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, marks, *lines))


def target_table(found: Sequence[Row]) -> str:
    """Return promised and measured."""
    lines = [
        (row.text, f"at most {number(row.limit)} {row.unit}".strip(), shown(row.measured, row.unit))
        + (row.verdict,)
        for row in found
    ]
    return table(("Target", "Promised", "Measured", ""), lines)


TURNS = {"turns", "first"}  # loads of one client, whose replies come one after another


def load_table(results: dict[str, Any], name: str) -> str:
    """Return the servers' figures under one load."""
    paced = name.startswith("paced")
    scope = "" if paced else "whole."
    lines = []
    for kind in KINDS.values():
        if not results["loads"][name].get(kind.name):
            continue
        line = [kind.title, _cpu(results, name, kind.name, scope)]
        if paced:
            p50, p99 = (series(results, name, kind.name, f"p{share}_ms") for share in (50, 99))
            line += [shown(spread(p50), "ms"), shown(spread(p99), "ms")]
        if name in TURNS:
            line.append(shown(spread(series(results, name, kind.name, "first_p50")), "ms"))
        lines.append([*line, _complete(results, name, kind.name)])
    columns = ["CPU a piece" if name != "turns" else "CPU a reply"]
    columns += ["p50 added", "p99 added"] if paced else []
    columns += ["First piece, p50"] if name in TURNS else []
    return table(("Server", *columns, "Complete"), lines)


def _cpu(results: dict[str, Any], load: str, server: str, scope: str) -> str:
    if server == "direct":
        return "(the upstream's own)"
    return shown(spread(series(results, load, server, f"{scope}us_a_piece")), "us")


def _complete(results: dict[str, Any], load: str, server: str) -> str:
    found = results["loads"][load][server]
    complete, clients = (sum(one[name] for one in found) for name in ("complete", "clients"))
    return f"{complete} of {clients}" if complete == clients else f"**{complete} of {clients}**"


def measured(results: dict[str, Any]) -> list[Load]:
    """Return the loads that there are figures of."""
    return [load for load in COMPARED if results["loads"].get(load.name)]


def ratio_table(results: dict[str, Any]) -> str:
    """Return Tandem's CPU by that of each peer, load by load."""
    lines = []
    for load in measured(results):
        name = "us_a_piece" if load.name.startswith("paced") else "whole.us_a_piece"
        cells = [shown(ratio(results, load.name, peer, name)) for peer in PEERS]
        whose = ", of the peer's SSE" if load.name.endswith("-ws") else ""
        lines.append([load.title + whose, *cells])
    return table(("Tandem's CPU, of that of", *(KINDS[peer].title for peer in PEERS)), lines)


def growth_table(results: dict[str, Any]) -> str:
    """Return how each cost grew."""
    lines = [
        (words, number(factor), "yes" if is_straight(factor) else "no")
        for words, factor in growths(results["growth"])
        if factor is not None
    ]
    if not lines:
        return ""
    return table(("Against", "Growth of the cost per unit in the last tenfold", "Straight"), lines)


def crowd_lines(results: dict[str, Any]) -> str:
    """Return the steps of the crowd, and where its p99 passed 100 ms."""
    steps = results["growth"].get("crowd")
    if not steps:
        return ""
    lines = [
        (
            f"{one['size']:g}",
            number(one["pieces_s"]),
            f"{number(one['p99_ms'])} ms",
            f"{one['cpu']:.0%} of a core",
            f"{one['complete']} of {one['clients']}",
        )
        for one in steps
    ]
    last = steps[-1]
    passed = f"The p99 of added latency passes 100 ms at {number(last['pieces_s'])} pieces/s."
    if last["p99_ms"] <= 100:
        passed = f"The p99 stays below 100 ms up to {number(last['pieces_s'])} pieces/s."
    head = ("Pieces/s a run", "Pieces/s received", "p99 added", "CPU", "Complete")
    return f"## Many runs in one process\n\n{passed}\n\n{table(head, lines)}"


def summary(results: dict[str, Any]) -> str:
    """Return what is printed at the end: targets, ratios, growth."""
    parts = [target_table(rows(results)), ratio_table(results)]
    parts += [load_table(results, load.name) for load in measured(results)]
    parts += [crowd_lines(results), growth_table(results)]
    return "\n\n".join(part for part in parts if part)


def document(results: dict[str, Any], plots: Sequence[tuple[str, str]]) -> str:
    """Return the page; `plots` are file names and titles."""
    form = "the quick form, whose figures are rough" if results["quick"] else "the full form"
    loads = [f"### {load.title}\n\n{load_table(results, load.name)}" for load in measured(results)]
    parts = [
        "# Benchmarks",
        f"Tandem beside what one would use instead, measured in one run on {results['date']}: "
        f"{form}, {results['rounds']} rounds. `make bench` writes this page.",
        "## Targets",
        target_table(rows(results)),
        "## The comparison",
        ratio_table(results),
        *loads,
        crowd_lines(results),
        "## Growth",
        growth_table(results),
        "The cumulative `partial` field is quadratic by its nature, and is plotted beside.",
        *(f"![{title}]({name})" for name, title in plots),
        "## Machine and versions",
        machine_table(results),
        "## Method",
        METHOD.strip().format(settings=", ".join(f"`{n}={v}`" for n, v in LIMITS_OFF.items())),
        "## Read it with care",
        CAVEATS.strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine_table(results: dict[str, Any]) -> str:
    """Return the machine, the versions, and what was left out."""
    about = results["machine"]
    lines = [
        ("CPU", f"{about['cpu']}, {about['cores']} cores"),
        ("System", f"{about['system']} {about['kernel']}, Python {about['python']}"),
        ("Load average before", f"{about['load']} (other work on the machine, if not near 0)"),
        *((KINDS[name].title, text) for name, text in results["versions"].items()),
        *((KINDS[name].title, f"skipped: {why}") for name, why in results["skipped"].items()),
    ]
    return table(("What", "Which"), lines)
