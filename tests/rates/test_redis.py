"""Windows in Redis: for several processes, and while it is away."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from subprocess import PIPE

import pytest

from app.rates.fallback import Fallback
from app.rates.memory import MemoryWindows
from app.rates.redis import RedisWindows
from app.rates.windows import CannotCount
from tests.support.clock import HandClock
from tests.support.redis import Redis
from tests.support.server import ROOT

NEVER = 60.0
PATCH = {
    "eventlet": "import eventlet as green; green.monkey_patch()",
    "gevent": "from gevent import monkey; monkey.patch_all(); import gevent as green",
}
# A Redis that stands still for one task; how often another one has its turn meanwhile.
WAITING = """
{patch}
import sys, time
from app.rates.redis import RedisWindows
from app.rates.windows import CannotCount
windows, waited = RedisWindows(sys.argv[1], "g"), []
windows.hit("stream/ann", 10, 60)
print(windows.hit("stream/ann", 10, 60)[2], flush=True)
sys.stdin.readline()
def hit():
    try:
        windows.hit("stream/ann", 10, 60)
    except CannotCount:
        waited.append(True)
green.spawn(hit)
turns = 0
while not waited:
    green.sleep(0)
    turns += 1
print(turns)
"""


@pytest.fixture
def other(redis: Redis) -> Iterator[RedisWindows]:
    """Those of another process."""
    with closing(RedisWindows(redis.url, "g")) as windows:
        yield windows


def test_processes_share_a_window(in_redis: RedisWindows, other: RedisWindows) -> None:
    hits = [one.hit("stream/ann", 3, 60) for one in (in_redis, other, in_redis, other)]

    assert [has_room for has_room, _, _ in hits] == [True, True, True, False]
    assert len({since for _, since, _ in hits}) == 1


def test_redis_that_is_killed_refuses_at_once_and_counts_again(
    redis: Redis, in_redis: RedisWindows
) -> None:
    in_redis.hit("stream/ann", 1, 60)
    redis.kill()
    with pytest.raises(CannotCount):
        in_redis.hit("stream/ann", 1, 60)
    redis.start()

    assert in_redis.hit("stream/ann", 1, 60)[0]
    assert not in_redis.hit("stream/ann", 1, 60)[0]


def test_redis_that_stands_still_is_not_waited_for(redis: Redis) -> None:
    with closing(RedisWindows(redis.url, "g", patience_s=0.05)) as windows:
        windows.hit("stream/ann", 1, 60)
        redis.stand_still()
        before = time.monotonic()
        with pytest.raises(CannotCount):
            windows.hit("stream/ann", 1, 60)
        waited_s = time.monotonic() - before
        redis.go_on()

    assert 0.05 <= waited_s < NEVER


def test_process_counts_by_itself_until_redis_is_back(
    redis: Redis, in_redis: RedisWindows, in_memory: MemoryWindows, clock: HandClock
) -> None:
    windows = Fallback(in_redis, in_memory, "Redis", 5, lambda: clock.monotonic)

    def has_room() -> bool:
        return windows.hit("stream/ann", 2, 60)[0]

    assert [has_room() for _ in range(3)] == [True, True, False]
    redis.kill()
    assert [has_room() for _ in range(3)] == [True, True, False]
    redis.start()
    assert not has_room()
    clock.advance(5)
    assert [has_room() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("mode", PATCH)
def test_task_waits_for_redis_alone(redis: Redis, mode: str) -> None:
    code = WAITING.format(patch=PATCH[mode])
    command = [sys.executable, "-W", "ignore", "-c", code, redis.url]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "2\n"
        redis.stand_still()
        turns, _ = process.communicate("\n")
        redis.go_on()

    assert int(turns) > 10


def test_address_of_none_is_no_error_until_it_is_asked() -> None:
    windows = RedisWindows("redis://127.0.0.1:1", "g")

    with pytest.raises(CannotCount):
        windows.hit("stream/ann", 1, 60)
