"""How many calls that block are under way at once; in a process of its own, as its threads are."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.support.server import ROOT

ALONE = """
def call(number):
    said.append(("begin", number))
    said.append(("end", number))
"""
TOGETHER = """
together = threading.Barrier(2)
def call(number):
    together.wait()
    said.append(number)
"""
SCRIPT = """
import threading
from app.runtimes import make_runtime
said = []
{call}
runtime = make_runtime({name!r}, {threads})
for number in range(2):
    runtime.spawn(runtime.run_blocking, call, number)
while len(said) < {size}:
    runtime.sleep(0.01)
print(said)
"""


def run(name: str, threads: int, call: str, size: int, script: str = SCRIPT) -> str:
    """Call something that blocks twice at once; return what it said."""
    script = script.format(name=name, threads=threads, call=call, size=size)
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50)
    return result.stdout.strip()


@pytest.mark.parametrize("name", ["eventlet", "gevent"])
def test_one_thread_calls_one_after_the_other(name):
    calls = [[("begin", number), ("end", number)] for number in range(2)]
    either = {str(calls[0] + calls[1]), str(calls[1] + calls[0])}
    assert run(name, 1, ALONE, 4) in either


BESIDE = """
apart = threading.Barrier(2)
def call(number):
    apart.wait()
    said.append(number)
    if number:
        raise ValueError("planted")
def try_apart():
    try:
        runtime.run_apart(call, 1)
    except ValueError as error:
        said.append(str(error))
"""


@pytest.mark.parametrize("name", ["eventlet", "gevent"])
def test_what_is_called_apart_is_in_no_ones_way(name):
    script = SCRIPT.replace(
        "for number in range(2):", "runtime.spawn(try_apart)\nfor number in [0]:"
    )
    result = run(name, 1, BESIDE, 3, script)
    assert sorted(ast.literal_eval(result), key=str) == [0, 1, "planted"]


@pytest.mark.parametrize("name", ["eventlet", "gevent"])
def test_two_threads_call_at_the_same_time(name):
    assert run(name, 2, TOGETHER, 2) in {"[0, 1]", "[1, 0]"}
