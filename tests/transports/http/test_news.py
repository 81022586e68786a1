"""One connection for the news of all of a user's sessions and for the events of runs."""

from __future__ import annotations

import threading

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.sse import SseStream
from tests.support.upstream import say


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


def test_one_that_cannot_be_followed_is_named_among_others(server):
    run_id = detached(server)["run_id"]
    absent = server.get(f"/api/chat/events?runs={run_id}:0,none:0")
    assert (absent.code, absent.json["error"]["run_id"]) == ("not_found", "none")
    ahead = server.get(f"/api/chat/events?runs={run_id}:999")
    assert ahead.json["error"]["run_id"] == ahead.headers["x-run-id"] == run_id


def test_end_of_a_run_that_was_seen_to_its_end_is_told_at_once(server):
    started = detached(server)
    assert server.get(f"/api/runs/{started['run_id']}/events").status == 200  # to its end
    stream = follow(server, f"?runs={started['run_id']}:3")

    assert stream.next().data == {**started, "seq": 3, "status": "completed"}
    stream.close()


def test_run_that_waits_is_told_of_while_others_talk(start_server, upstream):
    go = threading.Event()

    def talk(exchange):
        exchange.start()
        while not exchange.is_closed() and not go.wait(0.05):
            exchange.delta("word ")
        exchange.finish()

    upstream.replies = {"talk": talk, "wait": lambda e: (e.start(), go.wait(30), e.finish())}
    server = start_server(HEARTBEAT_S=0.3)
    talking, waiting = (detached(server, text)["run_id"] for text in ("talk", "wait"))
    stream = follow(server, f"?runs={talking}:0,{waiting}:0")

    told = next(event for event in iter(stream.next, None) if "age_s" in event.data)
    assert (told.data["run_id"], told.data["status"]) == (waiting, "waiting")
    go.set()
    stream.close()


def test_reply_that_is_carried_on_can_be_detached(server, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("One"), exchange.cut())
    first = detached(server)
    assert server.get(f"/api/runs/{first['run_id']}/events").status == 200  # to its end
    upstream.reply = say([" two"])
    path = f"/api/runs/{first['run_id']}/continue"
    carried = server.post(path, {"detach": True})

    assert (carried.status, carried.json["session_id"]) == (202, first["session_id"])
    stream = follow(server, f"?runs={carried.json['run_id']}:0")
    assert of_run(stream, carried.json["run_id"]) == " two"
    stream.close()
    refused = server.post(path, {"detach": True, "on_disconnect": "stop"})
    assert (refused.status, set(refused.json["error"]["fields"])) == (400, {"detach"})


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
