"""Where the time of Tandem's Python goes, streaming and starting: py-spy's samples as tables."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.loads import COMPARED, put_on
from benchmarks.report import table
from benchmarks.run import WARM_UP
from benchmarks.servers import KINDS, serving, upstream

RATE = 1000  # samples a second
SECONDS = 10
TOP = 45
TURNS = 6000  # replies one after another: enough for SECONDS
FRAME = re.compile(r"^(.*) \((.*?)(?::\d+)?\)$")


def self_times(folded: Iterable[str]) -> Counter[str]:
    """Return samples by the function that was running, from lines of folded stacks."""
    found: Counter[str] = Counter()
    for line in folded:
        stack, _, count = line.rpartition(" ")
        if stack:
            found[function(stack.rpartition(";")[2])] += int(count)
    return found


def totals(folded: Iterable[str]) -> Counter[str]:
    """Return samples by each function that was on the stack, itself running or not."""
    found: Counter[str] = Counter()
    for line in folded:
        stack, _, count = line.rpartition(" ")
        for name in {function(frame) for frame in stack.split(";") if frame}:
            found[name] += int(count)
    return found


def function(frame: str) -> str:
    """Return a frame as `function (module)`, without lines and places on this machine."""
    matched = FRAME.match(frame)
    if matched is None:
        return frame
    name, place = matched.groups()
    place = place.rpartition("site-packages/")[2]
    place = place.rpartition("/lib/")[2] if place.startswith("/") else place
    return f"{name} ({re.sub(r'^python3[.][0-9]+/', '', place)})"


def section(folded: list[str], load: str) -> str:
    """Return the table of one load."""
    own, whole = self_times(folded), totals(folded)
    samples = sum(own.values())
    lines = [
        (f"`{name}`", f"{own[name] / samples:.1%}", f"{count / samples:.1%}")
        for name, count in whole.most_common(TOP)
    ]
    return f"## {load}\n\n{table(('Function', 'Itself', 'With what it calls'), lines)}\n"


def page(sections: Sequence[str], versions: str) -> str:
    """Return the tables as a page."""
    return (
        "# Where the time goes\n\n"
        f"Samples of py-spy, {RATE} a second, of Tandem ({versions}) while its Python runs. What "
        "system calls and SQLite take is not counted: about half of all CPU time. "
        "`python -m benchmarks profile` writes this page.\n\n" + "\n".join(sections)
    )


def profile(path: Path) -> str:
    """Profile a Tandem under two loads and write the page; return it."""
    kind = KINDS["tandem"]
    text = page([section(*sampled(name)) for name in ("paced", "turns")], kind.versions())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return text


def sampled(name: str) -> tuple[list[str], str]:
    """Return folded stacks of a new Tandem under a load, and the load's title."""
    load = next(one for one in COMPARED if one.name == name)
    load = dataclasses.replace(load, seconds=SECONDS + 3)
    if load.shape == "turns":
        load = dataclasses.replace(load, clients=TURNS, spread_s=0)
    kind = KINDS["tandem"]
    spy = str(Path(sys.executable).parent / "py-spy")
    with upstream() as model, serving(kind, model) as server, tempfile.TemporaryDirectory() as top:
        put_on(WARM_UP, kind, server, model)
        samples = Path(top) / "samples.txt"
        record = [spy, "record", "--pid", str(server.pids[0]), "--format", "raw", "--nonblocking"]
        record += ["--gil", "--rate", str(RATE), "--duration", str(SECONDS)]
        record += ["--output", str(samples)]
        # It starts beside the load and waits until all streams are under way.
        waiting = ["sh", "-c", f'sleep {load.spread_s + 1}; exec "$@"', "sh", *record]
        with subprocess.Popen(waiting, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as spying:
            put_on(load, kind, server, model)
            assert spying.stderr is not None
            said = spying.stderr.read().decode()
        if not samples.exists():
            raise SystemExit(f"py-spy failed: {said.strip()[-300:]}")
        return samples.read_text().splitlines(), load.title
