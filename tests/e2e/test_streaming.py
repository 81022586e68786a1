"""Each piece leaves at once, on both transports, whatever the upstream's packets look like."""

from __future__ import annotations

import http.client
import random
import threading

import pytest

from tests.support.sse import SseParser, stream_chat, text_of
from tests.support.upstream import Exchange, delta, event_bytes

AWKWARD = [
    "emoji \U0001f600 family \U0001f468\u200d\U0001f469\u200d\U0001f467",
    " line\u2028separator",
    " next\u0085line",
    "\n\n",
    "data: not an event\n\n",
    "event: done\r\n",
    "\r",
    " e\u0301 \u05e9\u05dc\u05d5\u05dd",
    '"quoted" \\ back',
    "\ufeff end",
]


def in_lockstep(texts: list[str], may_send: threading.Semaphore):
    """A reply that sends its next piece only when it is let."""

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for text in texts:
            assert may_send.acquire(timeout=20)
            exchange.delta(text)
        assert may_send.acquire(timeout=20)
        exchange.finish()

    return reply


def test_lockstep_over_sse(server, upstream):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    stream = stream_chat(server, "go")
    for text in AWKWARD:
        assert stream.next().data["token"] == text
        may_send.release()
    end = stream.next().data
    assert end["full_response"] == "".join(AWKWARD)
    assert stream.next() is None


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_lockstep_over_socketio(server, upstream, connect, transport):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    client = connect(transport=transport)
    client.call("chat_stream", {"message": "go"})
    for count in range(1, len(AWKWARD) + 1):
        client.wait_for(lambda events: sum(n == "chat_token" for n, _ in events) >= count)
        may_send.release()
    assert client.wait_for_end()["full_response"] == client.text() == "".join(AWKWARD)


@pytest.mark.parametrize("seed", range(5))
def test_text_survives_any_cut_of_the_upstreams_bytes(server, upstream, seed):
    stream_of = b"".join(event_bytes(delta(text)) for text in AWKWARD)
    cuts = random.Random(seed)

    def reply(exchange: Exchange) -> None:
        exchange.start()
        left = stream_of
        while left:
            size = cuts.randint(1, 12)
            exchange.chunk(left[:size])
            left = left[size:]
        exchange.finish()

    upstream.reply = reply
    events = stream_chat(server, "go", partial=False).rest()
    assert text_of(events) == events[-1].data["full_response"] == "".join(AWKWARD)


def test_headers_leave_while_the_upstream_is_silent(server, upstream):
    may_send = threading.Semaphore(0)
    upstream.reply = in_lockstep(["late"], may_send)
    stream = stream_chat(server, "go")
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-cache, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert {"x-run-id", "x-session-id", "x-request-id"} <= set(stream.headers)
    may_send.release(2)
    assert text_of(stream.rest()) == "late"


def test_silence_is_filled_with_heartbeats(lively, upstream, connect):
    may_send = threading.Semaphore(0)
    upstream.reply = in_lockstep(["late"], may_send)
    stream = stream_chat(lively, "go")
    client = connect(lively)
    client.call("chat_resume", {"run_id": stream.run_id, "seq": 0})
    status = client.wait_for(lambda events: any(n == "chat_status" for n, _ in events))[0][1]
    assert status["run_id"] == stream.run_id and status["age_s"] >= 0
    may_send.release(2)
    stream.rest()
    assert "ping" in stream.parser.comments


def test_the_end_event_has_every_key(server):
    first, second, end = stream_chat(server, "hi", session_id="keys").rest()
    run_id = first.data["run_id"]
    assert first.id == f"{run_id}:1"
    assert first.data == {
        "token": "Hello",
        "count": 1,
        "partial": "Hello",
        "run_id": run_id,
        "seq": 1,
    }
    assert second.data["partial"] == "Hello there"
    assert set(end.data) == {
        *("done", "tokens", "duration", "tokens_per_second", "full_response", "user"),
        *("timestamp", "run_id", "session_id", "seq", "finish_reason", "provider", "model"),
        *("usage", "ttft_ms"),
    }
    assert end.data["usage"] == {"input_tokens": 5, "output_tokens": 2, "source": "reported"}
    assert (end.data["tokens"], end.data["seq"], end.data["done"]) == (2, 3, True)
    assert (end.data["session_id"], end.data["user"]) == ("keys", "anonymous")


def test_history_goes_to_the_model(server, upstream):
    stream_chat(server, "first", session_id="history").rest()
    stream_chat(server, "second", session_id="history", system="Be brief.").rest()
    assert upstream.exchanges[1].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello there"},
        {"role": "user", "content": "second"},
    ]
    assert upstream.exchanges[1].body["stream"] is True


def test_model_and_parameters_are_passed_on_as_given(server, upstream):
    stream_chat(server, "x", model="some/Model:7b", temperature=0.5, max_tokens=9).rest()
    body = upstream.exchanges[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("some/Model:7b", 0.5, 9)


def test_whole_answer(server):
    answer = server.post("/api/chat/", {"message": "hi", "session_id": "whole"})
    assert answer.status == 200
    assert answer.json["response"] == "Hello there"
    assert set(answer.json) == {
        *("response", "session_id", "run_id", "tokens", "duration", "tokens_per_second"),
        *("user", "timestamp", "finish_reason", "provider", "model", "usage"),
    }


def test_plain_text_is_the_bare_text(server):
    answer = server.post("/api/chat/stream", {"message": "hi"}, Accept="text/plain")
    assert answer.body == b"Hello there"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_plain_text_of_a_cut_reply_breaks_off(server, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("Hel"), exchange.cut())
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.post("/api/chat/stream", {"message": "hi"}, Accept="text/plain")
    assert cut.value.partial == b"Hel"


def test_demo_answers_with_its_text_in_pieces(server):
    events = stream_chat(server, "say hello", provider="demo").rest()
    assert len(events) > 10
    assert "say hello" in events[-1].data["full_response"]
    assert events[-1].data["usage"]["source"] == "estimated"


def test_a_slow_viewers_events_are_joined(server, upstream):
    pieces = [f"{n} " for n in range(5000)]
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.chunk(b"".join(event_bytes(delta(piece)) for piece in pieces)),
        exchange.finish(),
    )
    first = stream_chat(server, "go", partial=False)
    first.rest()
    late = server.get(f"/api/runs/{first.run_id}/events?partial=false").body.decode()
    assert late.count("data: ") < 50
    events = SseParser().feed(late.encode())
    assert text_of(events) == "".join(pieces)
    assert events[-2].data["count"] == 5000 and events[-2].data["seq"] == 5000
