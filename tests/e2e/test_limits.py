"""How often and how much: one bucket whatever the transport, and a clear answer to what is over."""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import threading
import time

import pytest
import socketio

from tests.support import topology
from tests.support.doors import SECRET, auth_of, bearer, refused_connect, token_of
from tests.support.manual import at_once
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import silent

MINUTE_S = 60


def over_sse(server, client=None, **headers):
    """Start a reply; return None, or the error."""
    answer = server.post("/api/chat/stream", {"message": "hi"}, **headers)
    return None if answer.status == 200 else answer.json["error"]


def over_socket(server, client):
    return client.call("chat_stream", {"message": "hi"}).get("error")


def assert_limited(answer):
    assert (answer.status, answer.code) == (429, "rate_limited")
    wait_s = answer.json["error"]["retry_after_s"]
    assert answer.headers["retry-after"] == str(wait_s)
    assert 1 <= wait_s <= MINUTE_S


@pytest.mark.parametrize("last", ["sse", "websocket", "polling"])
def test_thirty_streams_a_minute_whichever_way(start_server, upstream, connect, last):
    server = start_server(RATE_LIMIT_STREAM="30 per minute")
    clients = {name: connect(server, name) for name in ("websocket", "polling")}
    for _ in range(10):
        assert over_sse(server) is None
        assert [over_socket(server, client) for client in clients.values()] == [None, None]
    refused = over_sse(server) if last == "sse" else over_socket(server, clients[last])
    assert (refused["code"], refused["retryable"]) == ("rate_limited", True)
    assert 1 <= refused["retry_after_s"] <= MINUTE_S
    assert_limited(server.post("/api/chat/stream", {"message": "hi"}))
    upstream.wait_for(30)
    assert len(upstream.exchanges) == 30


def test_a_limited_caller_can_still_resume_stop_and_read(start_server, upstream, connect):
    server = start_server(RATE_LIMIT_STREAM="2 per minute")
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a "), go.wait(20), e.delta("b"), e.finish())
    first, second = stream_chat(server, "go"), stream_chat(server, "go")
    assert_limited(server.post("/api/chat/stream", {"message": "hi"}))
    client = connect(server)
    assert over_socket(server, client)["code"] == "rate_limited"
    assert client.call("chat_stop", {"run_id": first.run_id})["status"] == "stopped"
    client.call("chat_resume", {"run_id": second.run_id})
    go.set()
    assert text_of(follow_run(server, second.run_id).rest()) == "a b"
    assert server.post(f"/api/runs/{second.run_id}/stop").json["status"] == "completed"
    assert server.get("/api/chat/sessions").status == 200


@pytest.mark.parametrize("transport", ["sse", "websocket", "polling"])
def test_a_refused_message_leaves_no_session(start_server, connect, transport):
    server = start_server(RATE_LIMIT_STREAM="1 per minute")
    assert over_sse(server) is None
    before = server.status()["sessions"]
    message = {"message": "hi", "session_id": "never"}
    if transport == "sse":
        assert_limited(server.post("/api/chat/stream", message))
    else:
        ack = connect(server, transport).call("chat_stream", message)
        assert ack["error"]["code"] == "rate_limited"
    assert server.status()["sessions"] == before
    assert server.get("/api/chat/sessions/never").code == "not_found"


def test_an_ack_says_what_is_left_as_headers_do(start_server, connect):
    server = start_server(RATE_LIMIT_STREAM="3 per minute")
    headers = server.post("/api/chat/stream", {"message": "hi"}).headers
    assert headers["ratelimit"].startswith('"stream";r=2;')
    client = connect(server)
    for left in (1, 0):
        told = client.call("chat_stream", {"message": "hi"})["rate_limit"]
        assert 1 <= told.pop("reset_s") <= 60
        assert told == {"policy": "stream", "limit": 3, "window_s": 60, "remaining": left}
    refused = client.call("chat_stream", {"message": "hi"})
    assert refused["rate_limit"]["reset_s"] == refused["error"]["retry_after_s"]
    assert "rate_limit" not in client.call("chat_stop", {"run_id": "none"})


def test_who_forges_x_forwarded_for_stays_the_same_caller(start_server, connect):
    server = start_server(RATE_LIMIT_STREAM="2 per minute")
    for number in range(2):
        assert over_sse(server, **{"X-Forwarded-For": f"10.0.0.{number}"}) is None
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "Client-IP"):
        assert over_sse(server, **{name: "10.9.9.9"})["code"] == "rate_limited"
    client = connect(server, **{"X-Forwarded-For": "10.9.9.9"})
    assert over_socket(server, client)["code"] == "rate_limited"


def test_behind_a_proxy_only_its_own_hop_counts(start_server, connect):
    server = start_server(RATE_LIMIT_STREAM="2 per minute", TRUSTED_PROXIES=1)
    for number in range(2):
        forged = f"10.0.0.{number}, 203.0.113.7"
        assert over_sse(server, **{"X-Forwarded-For": forged}) is None
    again = {"X-Forwarded-For": "10.0.0.3, 203.0.113.7"}
    assert over_sse(server, **again)["code"] == "rate_limited"
    for transport in ("websocket", "polling"):
        client = connect(server, transport, **again)
        assert over_socket(server, client)["code"] == "rate_limited"
    assert over_sse(server, **{"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}) is None


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_each_user_has_a_bucket(start_server, connect, transport):
    server = start_server(RATE_LIMIT_STREAM="2 per minute", JWT_SECRET=SECRET)
    for user in ("ann", "bob"):
        token = token_of(user)
        client = connect(server, transport, auth=auth_of(token))
        assert [over_sse(server, **bearer(token)), over_socket(server, client)] == [None, None]
        newer = bearer(token_of(user, expires_in=900))
        assert over_sse(server, **newer)["code"] == "rate_limited"


def test_reads_have_a_bucket_of_their_own(start_server, connect):
    server = start_server(RATE_LIMIT_READ="4 per minute")
    run_id = stream_chat(server, "hi").run_id
    assert server.get(f"/api/runs/{run_id}").status == 200
    assert server.post(f"/api/runs/{run_id}/stop").status == 200
    client = connect(server)
    assert "error" not in client.call("chat_resume", {"run_id": run_id})
    assert "error" not in client.call("chat_stop", {"run_id": run_id})
    for event in ("chat_resume", "chat_stop"):
        assert client.call(event, {"run_id": run_id})["error"]["code"] == "rate_limited"
    assert_limited(server.get("/api/chat/sessions"))
    assert_limited(server.post("/api/chat/sessions"))
    assert (server.get("/health").status, server.get("/").status) == (200, 200)
    assert over_sse(server) is None


# --- capacity -----------------------------------------------------------------------


def assert_over_capacity(answer):
    assert (answer.status, answer.code) == (503, "over_capacity")
    assert answer.headers["retry-after"] == str(answer.json["error"]["retry_after_s"])


@topology.in_one_process
def test_a_full_server_says_so_at_once_and_keeps_what_runs(start_server, upstream, connect):
    server = start_server(MAX_RUNS=20)
    upstream.replies = {"wait": silent}
    streams = [stream_chat(server, "wait") for _ in range(20)]
    sessions = server.status()["sessions"]
    answers = at_once(50, lambda n: server.post("/api/chat/stream", {"message": "one more"}))
    for answer in answers:
        assert_over_capacity(answer)
    refused_s = seconds_to_be_refused(server, 50)
    assert connect(server).call("chat_stream", {"message": "x"})["error"]["code"] == "over_capacity"
    assert (server.status()["runs"]["running"], server.status()["sessions"]) == (20, sessions)
    receipt = server.post(f"/api/runs/{streams[0].run_id}/stop").json
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    assert text_of(stream_chat(server, "hi").rest()) == "Hello there"
    assert [server.get(f"/api/runs/{s.run_id}").json["status"] for s in streams[1:]] == [
        "running"
    ] * 19
    print(f"\n50 refused one after another: {refused_s * 1000:.1f} ms each (median)")


def seconds_to_be_refused(server, count):
    """Ask in vain, one after another; return the median of the times that it took."""
    times = []
    body = json.dumps({"message": "one more"})
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        before = time.perf_counter()
        connection.request("POST", "/api/chat/stream", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        times.append(time.perf_counter() - before)
        assert response.status == 503
        connection.close()
    return statistics.median(times)


def test_one_user_cannot_take_every_place(start_server, upstream, connect):
    server = start_server(MAX_RUNS_PER_USER=2, JWT_SECRET=SECRET)
    upstream.replies = {"wait": silent}
    ann, bob = token_of("ann"), token_of("bob")
    streams = [stream_chat(server, "wait", headers=bearer(ann)) for _ in range(2)]
    assert_over_capacity(server.post("/api/chat", {"message": "hi"}, **bearer(ann)))
    ack = connect(server, auth=auth_of(ann)).call("chat_stream", {"message": "hi"})
    assert ack["error"]["code"] == "over_capacity"
    assert server.post("/api/chat", {"message": "hi"}, **bearer(bob)).status == 200
    server.post(f"/api/runs/{streams[0].run_id}/stop", **bearer(ann))
    assert server.post("/api/chat", {"message": "hi"}, **bearer(ann)).status == 200


@topology.in_one_process
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_sockets_of_one_user_are_counted(start_server, connect, transport):
    server = start_server(MAX_SOCKETS_PER_USER=2, JWT_SECRET=SECRET)
    ann, bob = auth_of(token_of("ann")), auth_of(token_of("bob"))
    clients = [connect(server, transport, auth=ann) for _ in range(2)]
    assert refused_connect(server, transport, ann) == "over_capacity"
    connect(server, transport, auth=bob)
    assert over_socket(server, clients[1]) is None
    clients[0].close()
    assert connects_within(30, lambda: connect(server, transport, auth=ann))


def connects_within(seconds, connect):
    """Try until a connect is taken: the server notices a close a moment later."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(socketio.exceptions.ConnectionError):
            return connect()
    return None


def test_events_of_a_socket_are_counted_each_second(start_server, connect):
    server = start_server(SOCKET_EVENTS_PER_S=5)
    client = connect(server)
    acks = [client.call("chat_stop", {"run_id": "none"})["error"] for _ in range(20)]
    codes = [ack["code"] for ack in acks]
    assert codes[:5] == ["not_found"] * 5 or codes.count("not_found") > 5
    limited = [ack for ack in acks if ack["code"] == "rate_limited"]
    assert len(limited) >= 5 and limited[0]["retry_after_s"] == 1
    assert over_socket(server, connect(server)) is None
