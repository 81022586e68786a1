"""One script through both transports: the same events, with the same payloads."""

from __future__ import annotations

import threading

import pytest

from tests.support.sse import SseStream, stream_chat
from tests.support.upstream import say, silent

OF_ONE_RUN = {"run_id", "session_id", "duration", "tokens_per_second", "timestamp", "ttft_ms"}
OF_ONE_RUN |= {"error_id"}


def over_sse(server, connect, body):
    stream = stream_chat(server, **body)
    return stream.run_id, of_the_log(event.data for event in stream.rest())


def of_the_log(payloads):
    """Return them without what is said in silence, which a busy machine may bring about."""
    return [payload for payload in payloads if "seq" in payload or "status" not in payload]


def over_websocket(server, connect, body):
    return over_socket(server, connect, body, "websocket")


def over_polling(server, connect, body):
    return over_socket(server, connect, body, "polling")


def over_socket(server, connect, body, transport):
    client = connect(transport=transport)
    run_id = client.call("chat_stream", body)["run_id"]
    client.wait_for_end()
    return run_id, of_the_log(data for _, data in client.events)


def same(payloads):
    return [{k: v for k, v in payload.items() if k not in OF_ONE_RUN} for payload in payloads]


SCRIPTS = {
    "a reply": (say(["Hel", "lo \u2028", "\U0001f600"]), {}),
    "without partial": (say(["a", "b"]), {"partial": False}),
    "reported usage": (say(["a"], usage={"prompt_tokens": 1, "completion_tokens": 7}), {}),
    "nothing": (say([]), {}),
    "cut by length": (say(["a"], "length"), {}),
    "a failure": (lambda e: (e.start(), e.delta("kept"), e.cut()), {}),
    "refused": (lambda e: e.cut(), {}),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("other", [over_websocket, over_polling])
def test_both_transports_say_the_same(server, upstream, connect, script, other):
    upstream.reply, fields = SCRIPTS[script]
    body = {"message": "go", **fields}
    assert same(over_sse(server, connect, body)[1]) == same(other(server, connect, body)[1])


@pytest.mark.parametrize("way", [over_sse, over_websocket, over_polling])
def test_pieces_have_their_speed_for_who_asks(server, upstream, connect, way):
    upstream.reply = say(["a", "b"])
    _, events = way(server, connect, {"message": "go", "stats": True})
    assert all(event["tokens_per_second"] >= 0 for event in events)


def test_two_viewers_of_one_run_get_the_same_bytes(server, upstream, connect):
    run_id, events = over_sse(server, connect, {"message": "go"})
    client = connect()
    client.call("chat_resume", {"run_id": run_id})
    client.wait_for_end()
    assert of_the_log(data for _, data in client.events) == events


def test_a_stop_reads_the_same(server, upstream, connect):
    upstream.reply = silent
    stream = stream_chat(server, "go")
    client = connect()
    client.call("chat_resume", {"run_id": stream.run_id})
    done = threading.Thread(target=server.post, args=(f"/api/runs/{stream.run_id}/stop",))
    done.start()
    assert client.wait_for_end() == stream.rest()[-1].data
    done.join()


def test_a_stored_run_reads_the_same_as_the_live_one(server, connect):
    run_id, events = over_sse(server, connect, {"message": "go"})
    again = SseStream(server, "GET", f"/api/runs/{run_id}/events")
    assert of_the_log(event.data for event in again.rest()) == events
