"""What several processes promise to whoever stops, sends twice or races, through any of them."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.manual import at_once
from tests.support.redis import Redis
from tests.support.server import Server
from tests.support.sse import SseStream, follow_run, stream_chat, text_of
from tests.support.upstream import silent
from tests.support.viewers import Counting

STOPS = int(os.environ.get("TEST_STOPS", "10"))
SEEN = "other processes work on this database"


@pytest.fixture
def start_three(request, tmp_path, start_server) -> Callable[[str], list[Server]]:
    """Start three that know that there are others; SQLite, or PostgreSQL with a bus."""

    def start(on: str) -> list[Server]:
        settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/tandem.db", "MAX_RUNS_PER_USER": 1000}
        if on != "sqlite":
            settings["DATABASE_URL"] = request.getfixturevalue("postgres").new_database()
        if on == "redis":
            redis = Redis(tmp_path)
            request.addfinalizer(redis.kill)
            settings["REDIS_URL"] = redis.url
        servers = [start_server(name, **settings) for name in "abc"]
        assert all(one.wait_until(lambda one=one: SEEN in one.output) for one in servers)
        return servers

    return start


@pytest.mark.parametrize("on", ["sqlite", "notify", "redis"])
def test_receipt_of_a_stop_through_another_process_is_true(start_three, upstream, on):
    servers = start_three(on)
    took_ms = []
    for number in range(STOPS):
        upstream.reply, upstream.exchanges = Counting(), []
        owner, other = servers[number % 3], servers[(number + 1 + number % 2) % 3]
        stream = stream_chat(owner, "go", partial=False)
        seen = stream.take(2)
        began = time.monotonic()
        receipt = other.post(f"/api/runs/{stream.run_id}/stop").json
        took_ms.append(1000 * (time.monotonic() - began))
        assert upstream.exchanges[0].is_closed()
        assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
        rest = stream.rest()
        assert rest[-1].data["finish_reason"] == "stopped"
        whole = follow_run(other, stream.run_id).rest()
        assert text_of(whole) == text_of([*seen, *rest])
        assert other.post(f"/api/runs/{stream.run_id}/stop").json == receipt
    [*_, p99] = statistics.quantiles(took_ms, n=100, method="inclusive")
    p50 = statistics.median(took_ms)
    print(f"\nstop through another process, {on}, {STOPS}: p50 {p50:.0f} ms, p99 {p99:.0f} ms")


@pytest.mark.parametrize("on", ["notify", "redis"])
def test_fifty_sends_to_three_processes_are_one_run(start_three, upstream, on):
    servers = start_three(on)
    key = {"Idempotency-Key": "fifty"}
    sent = at_once(50, lambda n: stream_chat(servers[n % 3], "go", partial=False, headers=key))
    (run_id,) = {stream.run_id for stream in sent}
    assert {text_of(stream.rest()) for stream in sent} == {"Hello there"}
    assert {text_of(follow_run(server, run_id).rest()) for server in servers} == {"Hello there"}
    assert len(upstream.exchanges) == 1
    again = servers[2].post("/api/chat", {"message": "another"}, **key)
    assert (again.status, again.code) == (409, "idempotency_conflict")

    upstream.reply = silent
    message = {"message": "go", "session_id": "one"}
    answers = at_once(50, lambda n: SseStream(servers[n % 3], "POST", "/api/chat/stream", message))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 49}
    assert len(upstream.exchanges) == 2
