"""Buses over a service: a real Redis, a real PostgreSQL; in threads."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.broker.buses.notify import NotifyService
from app.broker.buses.redis import RedisService
from app.broker.buses.served import ServedBus, Service
from app.runtimes.threads import ThreadRuntime
from tests.support.postgres import Postgres
from tests.support.redis import Redis

WAIT_S = 30.0
IDS = ["a" * 32, "b" * 32, "c" * 32]


class End:
    """A bus, and what has come."""

    def __init__(self, service: Service, worker_id: str, group: str = "test") -> None:
        self.came: queue.Queue[bytes] = queue.Queue()
        self.bus = ServedBus(service, group, ThreadRuntime())
        self.bus.open(self.came.put)
        self.bus.be(worker_id)
        assert self.bus.connected.wait(WAIT_S)

    def next(self) -> bytes:
        """Return the next that comes."""
        return self.came.get(timeout=WAIT_S)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


@pytest.fixture(params=["redis", "notify"])
def new_service(request: pytest.FixtureRequest) -> Callable[[], Service]:
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis")
        return lambda: RedisService(server.url)
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.url("postgres")
    return lambda: NotifyService(lambda: psycopg.connect(url, autocommit=True))


@pytest.fixture
def ends(new_service: Callable[[], Service]) -> Iterator[list[End]]:
    made = [End(new_service(), worker_id) for worker_id in IDS]
    yield made
    for end in made:
        end.bus.close()


def test_message_comes_to_one_in_order(ends: list[End]) -> None:
    for number in range(20):
        ends[0].bus.send(IDS[1], b"%d" % number)

    assert [ends[1].next() for _ in range(20)] == [b"%d" % number for number in range(20)]
    assert ends[2].came.empty()


def test_message_comes_to_all_others(ends: list[End]) -> None:
    ends[0].bus.send_all(b"x")
    ends[1].bus.send(IDS[0], b"y")

    assert [end.next() for end in ends[1:]] == [b"x", b"x"]
    assert ends[0].next() == b"y"  # and not its own


@pytest.mark.parametrize("text", ['\U0001f600 é "quoted" \\ {x,y} $1 %s \'', " ", "x" * 5000, "\\"])
def test_any_text_comes_as_it_is(ends: list[End], text: str) -> None:
    ends[0].bus.send(IDS[1], text.encode())

    assert ends[1].next() == text.encode()


def test_as_much_as_is_said_comes(ends: list[End]) -> None:
    bus = ends[0].bus
    bus.send(IDS[1], b"x" * bus.most_bytes)
    bus.send_all(b"y" * bus.most_bytes)

    assert [len(ends[1].next()) for _ in range(2)] == [bus.most_bytes] * 2


def test_other_groups_hear_nothing(ends: list[End], new_service: Callable[[], Service]) -> None:
    other = End(new_service(), IDS[0], group="other")
    other.bus.send_all(b"x")
    other.bus.send(IDS[1], b"x")
    ends[0].bus.send(IDS[1], b"y")
    assert ends[1].next() == b"y"
    other.bus.close()


def test_one_who_becomes_another_is_reached_as_that(ends: list[End]) -> None:
    ends[1].bus.connected.clear()
    ends[1].bus.be("d" * 32)
    assert ends[1].bus.connected.wait(WAIT_S)
    ends[0].bus.send("d" * 32, b"x")

    assert ends[1].next() == b"x"


def test_redis_that_is_away_loses_and_comes_back(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ends = [End(RedisService(redis.url), worker_id) for worker_id in IDS[:2]]
        for end in ends:
            end.bus.connected.clear()
        redis.kill()
        for number in range(5000):
            ends[0].bus.send(IDS[1], b"lost")
        redis.start()
        for end in ends:
            assert end.bus.connected.wait(WAIT_S)
        assert heard_at_last(ends)
        for end in ends:
            end.bus.close()
    said = [record.message for record in caplog.records]
    assert any(line.startswith("the bus fails (redis): receiving") for line in said)
    assert "the bus works again: receiving" in said


def test_connections_that_are_cut_come_back(postgres: Postgres) -> None:
    url = postgres.url("postgres")
    service = NotifyService(lambda: psycopg.connect(url, autocommit=True))
    ends = [End(service, worker_id) for worker_id in IDS[:2]]
    for end in ends:
        end.bus.connected.clear()
    postgres.cut_all()
    for end in ends:
        assert end.bus.connected.wait(WAIT_S)
    assert heard_at_last(ends)
    for end in ends:
        end.bus.close()


def heard_at_last(ends: list[End]) -> bool:
    """Send until something comes: who sends may be back later than who receives."""
    for number in range(int(WAIT_S * 10)):
        ends[0].bus.send(IDS[1], b"%d" % number)
        try:
            while ends[1].came.get(timeout=0.1) == b"lost":
                """It was sent before."""
            return True
        except queue.Empty:
            continue
    return False
