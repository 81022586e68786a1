"""Every dialect on the real server: its stream, its stop, its failure, and the native ways into the
same run."""

from __future__ import annotations

import json
import threading

import pytest

from tests.e2e.test_streaming import AWKWARD, in_lockstep
from tests.support.speakers import NATIVE, SESSION_MESSAGES, Stream, every
from tests.support.sse import follow_run, text_of
from tests.support.upstream import Exchange, silent

PIECES = ["One ", "tw\u00f6 ", "three\U0001f600 ", "four\u2028 ", "five"]
TEXT = "".join(PIECES)
COMMON = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}


@pytest.fixture
def held(upstream):
    """A reply that stops after three pieces until it is let go."""
    go = threading.Event()

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for number, text in enumerate(PIECES):
            if number == 3:
                assert go.wait(20)
            exchange.delta(text)
        exchange.finish()

    upstream.reply = reply
    yield go
    go.set()


# --- streaming ----------------------------------------------------------------------


@every
def test_each_piece_is_seen_before_the_next_is_sent(server, upstream, speaker):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    stream = speaker.start(server)
    for text in AWKWARD:
        assert stream.next_text() == text
        may_send.release()
    assert stream.read() == "".join(AWKWARD)
    assert speaker.complete(stream.frames), stream.frames[-3:]


@every
def test_a_run_is_watched_and_resumed_natively(server, held, connect, speaker):
    stream = speaker.start(server)
    assert [stream.next_text() for _ in range(3)] == PIECES[:3]
    client = connect()
    assert client.call("chat_resume", {"run_id": stream.run_id})["status"] == "running"
    resumed = follow_run(server, stream.run_id, after=2)
    held.set()
    assert client.wait_for_end()["full_response"] == client.text() == TEXT
    assert text_of(resumed.rest()) == "".join(PIECES[2:])
    assert stream.read() == TEXT


@every
def test_a_native_stop_is_told_in_the_dialect(server, upstream, speaker):
    upstream.reply = lambda e: (e.start(), e.delta("a "), e.delta("b"), e.wait_closed(20))
    stream = speaker.start(server)
    assert [stream.next_text(), stream.next_text()] == ["a ", "b"]
    receipt = server.post(f"/api/runs/{stream.run_id}/stop").json
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    assert upstream.wait_for(1).closed.wait(20)
    assert stream.read() == "a b"
    assert speaker.stopped(stream.frames), stream.frames


FAILURES = {
    "is cut": lambda exchange: exchange.cut(),
    "sends an error": lambda exchange: exchange.event({"error": {"message": "planted text"}}),
    "ends without a reason": lambda exchange: exchange.finish(None, mark=False),
}


@pytest.mark.parametrize("failure", FAILURES)
@every
def test_a_failure_in_mid_reply_is_told_in_the_dialect(server, upstream, speaker, failure):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a "), go.wait(20), FAILURES[failure](e))
    stream = speaker.start(server)
    assert stream.next_text() == "a "
    go.set()
    assert stream.read() == "a "
    assert speaker.failed(stream.frames), stream.frames
    assert "planted" not in json.dumps(stream.frames)


@every
def test_silence_is_filled_without_ids(lively, upstream, speaker):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta("b"), e.finish())
    stream = speaker.start(lively)
    wait_for_heartbeats(stream, 2)
    go.set()
    events = stream.rest()
    assert "".join(map(speaker.text, stream.frames)) == "ab"
    assert {bool(event.id) for event in events} == {speaker is NATIVE}


def wait_for_heartbeats(stream: Stream, count: int) -> None:
    """Read until the stream has said so often that it lives."""
    assert stream.next_text() == "a"
    heartbeat = stream.speaker.heartbeat
    while stream.parser.comments.count("ping") < count:
        if heartbeat is not None:
            stream.next()
            if stream.frames.count(heartbeat) > count:  # one opens
                return
        elif "ndjson" not in stream.speaker.content_type:
            stream.read_some()
        elif sum(not stream.speaker.text(frame) for frame in stream.frames) > count:  # one opens
            return
        else:
            stream.next()


@every
def test_headers_leave_while_the_upstream_is_silent(server, upstream, speaker):
    if not speaker.holds_headers:  # it holds them, for its clients' retries
        upstream.reply = silent
    stream = speaker.start(server)
    assert stream.status == 200
    assert stream.headers["content-type"] == speaker.content_type
    assert {name: stream.headers[name] for name in COMMON} == COMMON
    named = {"x-run-id", "x-session-id", "x-request-id", *speaker.headers}
    assert named <= set(stream.headers)
    assert "access-control-allow-origin" not in stream.headers
    server.post(f"/api/runs/{stream.run_id}/stop")


@every
def test_plain_text_is_the_bare_text(server, speaker):
    answer = speaker.post(server, Accept="text/plain")
    assert answer.body == b"Hello there"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert set(speaker.headers) <= set(answer.headers)


@every
def test_a_trailing_slash_and_a_bare_fetch_are_taken(server, speaker):
    stream = speaker.start(server, slash="/", **{"Content-Type": "text/plain;charset=UTF-8"})
    assert stream.read() == "Hello there"
    assert speaker.complete(stream.frames)


@every
def test_another_method_is_refused_as_json(server, speaker):
    path = speaker.path_for(server)
    for slash in ("", "/"):
        answer = server.get(path + slash)
        assert answer.status == 405
        assert speaker.problem(answer.json).startswith("This path does not take that method.")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["allow"] == "OPTIONS, POST"


@every
def test_a_key_joins_the_run_it_started(server, upstream, speaker):
    path, body = speaker.path_for(server), speaker.body("go")
    headers = {"Idempotency-Key": f"key-{speaker.name.replace(' ', '-')}"}
    streams = [Stream(speaker, server, path, body, headers) for _ in range(2)]
    assert [stream.read() for stream in streams] == ["Hello there"] * 2
    assert streams[0].run_id == streams[1].run_id
    assert len(upstream.exchanges) == 1


@every
def test_a_post_with_a_cursor_goes_on_from_it(server, upstream, held, speaker):
    path, body = speaker.path_for(server), speaker.body("go")
    first = Stream(speaker, server, path, body, {})
    assert [first.next_text() for _ in range(3)] == PIECES[:3]
    again = Stream(speaker, server, path, body, {"Last-Event-ID": f"{first.run_id}:3"})
    held.set()
    assert again.read() == "".join(PIECES[3:])
    assert speaker.complete([*first.frames, *again.frames])
    assert (again.run_id, len(upstream.exchanges)) == (first.run_id, 1)


# --- who leaves ---------------------------------------------------------------------


@every
@pytest.mark.parametrize("asked", ["nothing", "the contrary"])
def test_who_hangs_up_stops_the_run_or_leaves_it(server, upstream, speaker, asked):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a "), go.wait(20), e.delta("b"), e.finish())
    contrary = {"on_disconnect": "continue" if speaker.stops_with_client else "stop"}
    stops = speaker.stops_with_client is (asked == "nothing")
    body = {**speaker.body("go"), **(contrary if asked == "the contrary" else {})}
    stream = Stream(speaker, server, speaker.path_for(server), body, {})
    assert stream.next_text() == "a "
    stream.close()
    path = f"/api/runs/{stream.run_id}"
    if stops:
        assert server.wait_until(lambda: server.get(path).json["status"] == "stopped")
    go.set()
    assert server.wait_until(lambda: server.get(path).json["status"] != "running")
    status = "stopped" if stops else "completed"
    assert server.get(path).json["status"] == status


def test_deleting_a_session_stops_the_reply_under_way(server, upstream):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.wait_closed(20))
    stream = SESSION_MESSAGES.start(server)
    assert stream.next_text() == "a"
    path = f"/sessions/{stream.headers['x-session-id']}"
    assert server.request("DELETE", path).status == 204
    assert upstream.wait_for(1).closed.wait(20)
    assert stream.read() == "a" and SESSION_MESSAGES.stopped(stream.frames)
    assert server.get(path).status == 404
