"""One connection for the news of all of a user's sessions and for the events of runs."""

from __future__ import annotations

import threading

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.sse import SseStream


def follow(server, query="", **headers):
    """Follow; return when news that come from now on will be told."""
    stream = SseStream(server, "GET", f"/api/chat/events{query}", None, headers)
    stream.read_some()
    return stream


def detached(server, message="go", **more):
    answer = server.post("/api/chat/stream", {"message": message, "detach": True, **more})
    assert answer.status == 202
    assert answer.json == {
        "run_id": answer.headers["x-run-id"],
        "session_id": answer.headers["x-session-id"],
    }
    return answer.json


def of_run(stream, run_id, most=200):
    """Read until that run has ended; return its events."""
    found = []
    for _ in range(most):
        event = stream.next()
        if event.data["run_id"] == run_id and "token" in event.data:
            found.append(event.data["token"])
        elif event.data["run_id"] == run_id and event.data.get("done"):
            return "".join(found)
    raise AssertionError("it did not end")


def ended(stream, count, most=200):
    """Read until that many runs have ended, in whatever order; return the news of it."""
    found = []
    for _ in range(most):
        event = stream.next()
        if "status" in event.data:
            found.append(event.data)
        if len(found) == count:
            return found
    raise AssertionError("they did not end")


def test_detached_reply_goes_on_and_is_followed_elsewhere(server, upstream):
    started = detached(server)
    stream = follow(server, f"?runs={started['run_id']}:0&partial=false")

    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert of_run(stream, started["run_id"]) == "Hello there"
    stream.close()


def test_news_of_all_sessions_come_on_one_connection(start_server):
    server = start_server()
    stream = follow(server)
    runs = [detached(server) for _ in range(2)]

    told = ended(stream, len(runs))
    assert {one["status"] for one in told} == {"completed"}
    sessions = {one["run_id"]: one["session_id"] for one in told}
    assert sessions == {run["run_id"]: run["session_id"] for run in runs}
    stream.close()


def test_what_is_under_way_is_told_at_once(start_server, upstream):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta(" b"), e.finish())
    server = start_server()
    runs = [detached(server), detached(server)]
    stream = follow(server)

    told = [stream.next().data for _ in runs]
    assert {one["run_id"] for one in told} == {one["run_id"] for one in runs}
    go.set()
    stream.close()


def test_many_runs_come_on_one_connection_each_from_its_cursor(start_server):
    server = start_server()
    whole, rest = detached(server)["run_id"], detached(server)["run_id"]
    for run_id in (whole, rest):
        assert server.get(f"/api/runs/{run_id}/events").status == 200  # to its end
    stream = follow(server, f"?runs={whole}:0,{rest}:1")

    assert of_run(stream, whole) == "Hello there"
    assert of_run(stream, rest) == " there"
    stream.close()


def test_others_hear_nothing_and_have_no_such_runs(start_server):
    server = start_server(JWT_SECRET=SECRET)
    ann, bob = bearer(token_of("ann")), bearer(token_of("bob"))
    body = {"message": "go", "detach": True}
    run_id = server.post("/api/chat/stream", body, **ann).json["run_id"]

    assert server.get(f"/api/chat/events?runs={run_id}:0", **bob).code == "not_found"
    assert server.get("/api/chat/events").code == "unauthorized"
    stream = follow(server, **bob)
    own = server.post("/api/chat/stream", body, **bob).json["run_id"]
    first = stream.next()
    assert (first.data["run_id"], "status" in first.data) == (own, False)
    stream.close()


@pytest.mark.parametrize(
    "runs", ["x", "x:", ":1", "x:y", "x:1,x:2", "x:1,y", ",".join(f"r{n}:0" for n in range(51))]
)
def test_cursors_that_are_none_are_named(server, runs):
    refused = server.get(f"/api/chat/events?runs={runs}")

    assert (refused.status, refused.code) == (400, "invalid_request")
    assert set(refused.json["error"]["fields"]) == {"runs"}


def test_run_that_is_not_there_and_cursor_ahead_of_it_are_refused(server):
    run_id = detached(server)["run_id"]

    absent = server.get("/api/chat/events?runs=none:0")
    assert (absent.status, absent.code) == (404, "not_found")
    assert set(absent.json["error"]["fields"]) == {"runs"}
    assert server.get(f"/api/chat/events?runs={run_id}:999").code == "bad_cursor"


@pytest.mark.parametrize(
    "more, field", [({"detach": 1}, "detach"), ({"on_disconnect": "stop"}, "detach")]
)
def test_detaching_from_what_stops_unwatched_is_refused(server, more, field):
    refused = server.post("/api/chat/stream", {"message": "go", "detach": True, **more})

    assert refused.status == 400
    assert set(refused.json["error"]["fields"]) == {field}


def test_stream_that_is_closed_leaves_nobody_behind(start_server, upstream):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.finish())
    server = start_server()
    run_id = detached(server)["run_id"]
    stream = follow(server, f"?runs={run_id}:0")
    stream.next()

    assert server.status()["viewers"]["sse"] == 1
    stream.close()
    go.set()
    assert server.status()["viewers"]["sse"] == 0
