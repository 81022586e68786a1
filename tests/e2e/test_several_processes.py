"""Three processes on one database are one server: to who sends twice, and to what limits users."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.manual import at_once
from tests.support.server import Server
from tests.support.sse import SseStream, follow_run, stream_chat, text_of
from tests.support.upstream import silent

SEEN = "other processes work on this database"


@pytest.fixture
def start_three(start_server):
    """Start three on one file, each of which knows that there are others."""

    def start(**settings) -> list[Server]:
        first = start_server("a", **settings)
        shared = {**settings, "DATABASE_URL": f"sqlite:///{first.folder}/tandem.db"}
        servers = [first, start_server("b", **shared), start_server("c", **shared)]
        assert all(one.wait_until(lambda one=one: SEEN in one.output) for one in servers)
        return servers

    return start


def test_thirty_one_sends_over_three_processes_are_one_too_many(start_three, connect):
    servers = start_three(RATE_LIMIT_STREAM="30 per minute")
    answers = at_once(31, lambda n: servers[n % 3].post("/api/chat/stream", {"message": "hi"}))

    assert Counter(answer.status for answer in answers) == {200: 30, 429: 1}
    left = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers)
    assert left == [0, *range(30)]
    for server in servers:
        refused = server.post("/api/chat/stream", {"message": "hi"})
        assert refused.headers["ratelimit"] == f'"stream";r=0;t={refused.headers["retry-after"]}'
        ack = connect(server).call("chat_stream", {"message": "hi"})
        assert ack["error"]["code"] == "rate_limited"
        told = ack["rate_limit"]
        assert (told["limit"], told["remaining"], told["window_s"]) == (30, 0, 60)
        assert told["reset_s"] == ack["error"]["retry_after_s"]


def test_kinds_and_users_have_buckets_of_their_own(start_three):
    servers = start_three(
        RATE_LIMIT_READ="3 per minute", RATE_LIMIT_CHAT="1 per hour", JWT_SECRET=SECRET
    )
    for user in ("ann", "bob"):
        token = bearer(token_of(user))
        reads = [server.get("/api/chat/sessions", **token) for server in [*servers, servers[0]]]
        assert [answer.status for answer in reads] == [200, 200, 200, 429]
        assert servers[1].post("/api/chat", {"message": "hi"}, **token).status == 200
        assert servers[2].post("/api/chat", {"message": "hi"}, **token).status == 429


def test_user_has_a_share_of_the_places_of_all(start_three, upstream):
    first, second, third = start_three(MAX_RUNS_PER_USER=2)
    upstream.replies = {"wait": silent}
    stream = stream_chat(first, "wait")
    stream_chat(second, "wait")
    for server in (first, second, third):
        refused = server.post("/api/chat", {"message": "hi"})
        assert (refused.status, refused.code) == (503, "over_capacity")
        assert "as one user may have" in refused.json["error"]["message"]

    first.post(f"/api/runs/{stream.run_id}/stop")
    stream_chat(third, "wait")
    assert first.post("/api/chat", {"message": "hi"}).code == "over_capacity"
    second.kill()  # its place is free once the others have seen that
    assert first.wait_until(lambda: first.post("/api/chat", {"message": "hi"}).status == 200)


def test_fifty_equal_sends_to_three_processes_are_one_run(start_three, upstream):
    servers = start_three()
    key = {"Idempotency-Key": "fifty"}
    sent = at_once(50, lambda n: stream_chat(servers[n % 3], "go", partial=False, headers=key))

    (run_id,) = {stream.run_id for stream in sent}
    assert {text_of(follow_run(server, run_id).rest()) for server in servers} == {"Hello there"}
    assert len(upstream.exchanges) == 1
    again = servers[2].post("/api/chat", {"message": "another"}, **key)
    assert (again.status, again.code) == (409, "idempotency_conflict")


def test_fifty_sends_in_one_session_to_three_processes_are_one_run(start_three, upstream):
    servers = start_three()
    upstream.reply = silent
    message = {"message": "go", "session_id": "one"}
    answers = at_once(50, lambda n: SseStream(servers[n % 3], "POST", "/api/chat/stream", message))

    assert Counter(answer.status for answer in answers) == {200: 1, 409: 49}
    assert len(upstream.exchanges) == 1


def test_tokens_of_a_day_are_those_of_all(start_three):
    servers = start_three(DAILY_TOKENS_PER_USER=14, JWT_SECRET=SECRET)
    token = bearer(token_of("ann"))
    said = [servers[n].post("/api/chat", {"message": "hi"}, **token) for n in (0, 1, 2, 0)]

    assert [answer.status for answer in said] == [200, 200, 429, 429]  # seven tokens each
