"""A viewer is a cursor: it may leave and come back, on the other transport too; only stop stops."""

from __future__ import annotations

import threading

import pytest

from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import Exchange, silent

PIECES = [f"piece {n}, " for n in range(40)]


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


def test_from_sse_to_socketio(server, held, connect):
    stream = stream_chat(server, "go")
    seen = stream.take(3)
    stream.close()
    held.set()
    client = connect()
    ack = client.call("chat_resume", {"run_id": stream.run_id, "seq": 3})
    assert ack["run_id"] == stream.run_id
    end = client.wait_for_end()
    tokens = [event.data["seq"] for event in seen] + [token["seq"] for token in client.tokens()]
    assert tokens == list(range(1, 41))
    assert text_of(seen) + client.text() == end["full_response"] == "".join(PIECES)
    assert client.tokens()[0]["partial"] == "".join(PIECES[:4])
    assert client.tokens()[0]["count"] == 4


def test_from_socketio_to_sse(server, held, connect):
    client = connect()
    run_id = client.call("chat_stream", {"message": "go", "partial": False})["run_id"]
    client.wait_for(lambda events: len(events) >= 3)
    client.close()
    seen = client.tokens()
    held.set()
    rest = follow_run(server, run_id, after=seen[-1]["seq"]).rest()
    assert client.text() + text_of(rest) == "".join(PIECES)
    assert [event.data["seq"] for event in rest] == list(range(4, 42))


def test_last_event_id_is_a_cursor(server, held):
    stream = stream_chat(server, "go")
    last = stream.take(2)[-1].id
    stream.close()
    held.set()
    rest = follow_run(server, stream.run_id, **{"Last-Event-ID": last}).rest()
    assert [event.data["seq"] for event in rest] == list(range(3, 42))


def test_several_watch_one_run(server, held, connect):
    streams = [stream_chat(server, "go")]
    streams += [follow_run(server, streams[0].run_id) for _ in range(3)]
    client = connect()
    client.call("chat_resume", {"run_id": streams[0].run_id})
    held.set()
    assert {text_of(stream.rest()) for stream in streams} == {"".join(PIECES)}
    client.wait_for_end()
    assert client.text() == "".join(PIECES)


def test_at_the_end_there_is_nothing_more(server, connect):
    stream = stream_chat(server, "hi")
    end = stream.rest()[-1]
    answer = server.get(f"/api/runs/{stream.run_id}/events", **{"Last-Event-ID": end.id})
    assert (answer.status, answer.body) == (204, b"")
    client = connect()
    ack = client.call("chat_resume", {"run_id": stream.run_id, "seq": end.data["seq"]})
    assert ack == {"run_id": stream.run_id, "status": "completed"}
    assert client.events == []


@pytest.mark.parametrize(
    "cursor", ["99", "-1", "abc", "other:1", "1:2:x", "9" * 30, "1&after=2", "%00"]
)
def test_a_cursor_that_is_not_the_runs_is_refused(server, cursor):
    stream = stream_chat(server, "hi")
    stream.rest()
    answer = server.get(f"/api/runs/{stream.run_id}/events?after={cursor}")
    assert (answer.status, answer.code) == (400, "bad_cursor")


def test_a_run_read_from_the_store_looks_the_same(start_server, upstream):
    server = start_server()
    stream = stream_chat(server, "hi", session_id="kept")
    events = stream.rest()
    server.stop()
    server.restart()
    again = follow_run(server, stream.run_id).rest()
    assert [event.data for event in again] == [event.data for event in events]
    record = server.get(f"/api/runs/{stream.run_id}").json
    assert (record["status"], record["seq"], record["session_id"]) == ("completed", 3, "kept")
    messages = server.get("/api/chat/sessions/kept/messages").json["messages"]
    assert [(m["role"], m["content"]) for m in messages] == [
        ("user", "hi"),
        ("assistant", "Hello there"),
    ]


# --- stop ---------------------------------------------------------------------------


def stop(server, run_id):
    return server.post(f"/api/runs/{run_id}/stop").json


def test_stop_closes_a_silent_upstream_before_its_receipt(server, upstream):
    upstream.reply = silent
    stream = stream_chat(server, "go")
    exchange = upstream.wait_for(1)
    assert exchange.started.wait(20)
    receipt = stop(server, stream.run_id)
    assert exchange.is_closed()
    assert receipt["upstream_closed"] is True
    assert receipt["status"] == "stopped" and receipt["seq"] == 1
    end = stream.rest()[-1].data
    assert (end["done"], end["finish_reason"]) == (True, "stopped")
    assert stop(server, stream.run_id) == receipt


def test_stop_before_the_upstream_has_answered_at_all(server, upstream):
    upstream.reply = lambda exchange: exchange.wait_closed(20)
    stream = stream_chat(server, "go")
    exchange = upstream.wait_for(1)
    assert stop(server, stream.run_id)["upstream_closed"] is True
    assert exchange.is_closed()


def test_stop_from_the_other_transport_keeps_the_text(server, held, connect):
    stream = stream_chat(server, "go", session_id="stopped")
    stream.take(3)
    receipt = connect().call("chat_stop", {"run_id": stream.run_id})
    assert set(receipt) == {
        *("run_id", "session_id", "status", "seq", "upstream_closed", "stopped_in_ms", "usage")
    }
    end = stream.next().data
    assert end["full_response"] == "".join(PIECES[:3])
    messages = server.get("/api/chat/sessions/stopped/messages").json["messages"]
    assert (messages[-1]["content"], messages[-1]["status"]) == ("".join(PIECES[:3]), "stopped")


def test_stop_after_the_end_is_the_same_200(server):
    stream = stream_chat(server, "hi")
    stream.rest()
    receipt = stop(server, stream.run_id)
    assert (receipt["status"], receipt["upstream_closed"]) == ("completed", None)
    assert stop(server, stream.run_id) == receipt


def test_stop_of_the_demo_has_no_upstream_to_close(start_server):
    server = start_server(STREAM_DELAY_S=5)
    stream = stream_chat(server, "hi", provider="demo")
    stream.take(1)
    assert stop(server, stream.run_id)["upstream_closed"] is None


# --- sessions -----------------------------------------------------------------------


def test_sessions_are_made_listed_read_and_deleted(server, held):
    made = server.post("/api/chat/sessions")
    assert made.status == 201
    session_id = made.json["session_id"]
    stream = stream_chat(server, "a question\nand more", session_id=session_id)
    stream.take(1)
    read = server.get(f"/api/chat/sessions/{session_id}").json
    assert read["active_run"]["run_id"] == stream.run_id
    assert (read["messages"], read["title"]) == (2, "a question")
    assert session_id in [
        s["session_id"] for s in server.get("/api/chat/sessions").json["sessions"]
    ]
    deleted = server.request("DELETE", f"/api/chat/sessions/{session_id}")
    assert deleted.json == {"success": True, "message": "Session deleted"}
    assert server.get(f"/api/chat/sessions/{session_id}").code == "not_found"
    assert server.get(f"/api/runs/{stream.run_id}").code == "not_found"


def test_a_second_message_while_one_is_answered_is_refused(server, held, connect):
    stream = stream_chat(server, "go", session_id="busy")
    answer = server.post("/api/chat/stream", {"message": "again", "session_id": "busy"})
    assert (answer.status, answer.code) == (409, "session_busy")
    assert answer.json["error"]["run_id"] == answer.headers["x-run-id"] == stream.run_id
    ack = connect().call("chat_stream", {"message": "again", "session_id": "busy"})
    assert (ack["error"]["code"], ack["error"]["run_id"]) == ("session_busy", stream.run_id)
    held.set()
