"""Where Tandem's CPU time goes under the paced load: py-spy's samples as a table."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.loads import COMPARED, put_on
from benchmarks.report import table
from benchmarks.run import WARM_UP
from benchmarks.servers import KINDS, serving, upstream

RATE = 400  # samples a second
SECONDS = 10
TOP = 20
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


def page(folded: list[str], load: str, versions: str) -> str:
    """Return the table as a page."""
    own, whole = self_times(folded), totals(folded)
    samples = sum(own.values())
    lines = [
        (f"`{name}`", f"{count / samples:.1%}", f"{whole[name] / samples:.1%}")
        for name, count in own.most_common(TOP)
    ]
    head = ("Function", "Itself", "With what it calls")
    return (
        "# Where the time goes\n\n"
        f"Samples of py-spy, {RATE} a second, of Tandem ({versions}) under the load `{load}`. "
        "Idle time is not counted; a function's own time includes the system calls and the C "
        "code that it calls. `python -m benchmarks profile` writes this page.\n\n"
        f"{table(head, lines)}\n"
    )


def profile(path: Path, name: str = "paced") -> str:
    """Profile a Tandem under a load and write the page; return it."""
    load = dataclasses.replace(next(x for x in COMPARED if x.name == name), seconds=SECONDS + 3)
    kind = KINDS["tandem"]
    spy = str(Path(sys.executable).parent / "py-spy")
    with upstream() as model, serving(kind, model) as server, tempfile.TemporaryDirectory() as top:
        put_on(WARM_UP, kind, server, model)
        samples = Path(top) / "samples.txt"
        record = [spy, "record", "--pid", str(server.pids[0]), "--format", "raw", "--nonblocking"]
        record += ["--rate", str(RATE), "--duration", str(SECONDS), "--output", str(samples)]
        # It starts beside the load and waits until all streams are under way.
        waiting = ["sh", "-c", f'sleep {load.spread_s + 1}; exec "$@"', "sh", *record]
        with subprocess.Popen(waiting, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as spying:
            put_on(load, kind, server, model)
            assert spying.stderr is not None
            said = spying.stderr.read().decode()
        if not samples.exists():
            raise SystemExit(f"py-spy failed: {said.strip()[-300:]}")
        text = page(samples.read_text().splitlines(), load.title, kind.versions())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return text
