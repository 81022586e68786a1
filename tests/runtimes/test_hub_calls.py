"""What a runtime calls in its hub: after some time, and when something has come; each library in a
process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.server import ROOT

BEGIN = """
import socket
{patch}
from app.runtimes import make_runtime
runtime = make_runtime({name!r})
waiter, said = runtime.new_waiter(), []
def say(what):
    said.append(what)
    waiter.wake()
def until(size):
    while len(said) < size:
        waiter.wait()
"""
PATCHES = {
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "threading": "",
}
LATER = """
def fail():
    raise ValueError("planted")
runtime.call_later(0.2, lambda: say("third"))
runtime.call_later(0.1, lambda: say("second"))
runtime.call_later(0.05, fail)
runtime.call_later(0, lambda: say("first"))
until(3)
print(said)
"""
# The third is written by the call itself, and is told of although that one fails.
WATCHED = """
one, other = socket.socketpair()
def ready():
    other.setblocking(False)
    say(other.recv(100).decode())
    if len(said) == 2:
        one.send(b"c")
        raise ValueError("planted")
watch = runtime.watch(other.fileno(), ready)
one.send(b"a")
until(1)
runtime.sleep(0)
one.send(b"b")
until(3)
watch.close()
one.send(b"not heard")
runtime.call_later(0.05, lambda: say("end"))
until(4)
watch = runtime.watch(other.fileno(), ready)
until(5)
other.close()
watch.close()
print(said)
"""


def said_by(name: str, script: str) -> str:
    """Run it; return what it printed."""
    begin = BEGIN.format(name=name, patch=PATCHES[name])
    command = [sys.executable, "-W", "ignore", "-c", begin + script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50)
    return result.stdout.strip() or result.stderr


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_calls_come_later_in_the_order_of_their_times(name: str) -> None:
    assert said_by(name, LATER) == "['first', 'second', 'third']"


@pytest.mark.parametrize("name", ["eventlet", "gevent"])
def test_what_comes_is_told_of_until_it_is_watched_no_longer(name: str) -> None:
    assert said_by(name, WATCHED) == "['a', 'b', 'c', 'end', 'not heard']"


def test_threads_have_no_hub_to_be_told_in() -> None:
    assert said_by("threading", "print(runtime.watch(0, print))") == "None"
