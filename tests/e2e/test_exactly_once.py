"""A send that is repeated is the same run: one request upstream, whatever the transport."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.sse import SseStream, stream_chat, text_of
from tests.support.upstream import silent


def keyed(server, key, message="go", **fields):
    headers = {"Idempotency-Key": key}
    return stream_chat(server, message, partial=False, headers=headers, **fields)


def test_the_same_key_joins_the_first_run(server, upstream):
    first = keyed(server, "again-1")
    events = first.rest()
    second = keyed(server, "again-1")
    assert second.run_id == first.run_id
    assert [event.data for event in second.rest()] == [event.data for event in events]
    assert len(upstream.exchanges) == 1
    messages = server.get(f"/api/chat/sessions/{first.headers['x-session-id']}/messages").json
    assert len(messages["messages"]) == 2


def test_another_body_is_a_conflict(server, upstream, connect):
    first = keyed(server, "other-1")
    first.rest()
    answer = server.post("/api/chat/stream", {"message": "x"}, **{"Idempotency-Key": "other-1"})
    assert (answer.status, answer.code) == (409, "idempotency_conflict")
    ack = connect().call("chat_stream", {"message": "x", "idempotency_key": "other-1"})
    assert ack["error"]["code"] == "idempotency_conflict"
    assert len(upstream.exchanges) == 1


def test_fifty_equal_sends_at_once_are_one_run(server, upstream, connect):
    upstream.reply = lambda exchange: (
        exchange.start(),
        go.wait(10),
        exchange.delta("one"),
        exchange.finish(),
    )
    go, run_ids = threading.Event(), []
    clients = [connect() for _ in range(10)]
    together = threading.Barrier(50)

    def send(number):
        together.wait(20)
        if number < 10:
            data = {"message": "go", "partial": False, "idempotency_key": "fifty"}
            run_ids.append(clients[number].call("chat_stream", data)["run_id"])
        else:
            run_ids.append(keyed(server, "fifty").run_id)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(50)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    go.set()
    assert len(run_ids) == 50 and len(set(run_ids)) == 1
    assert clients[0].wait_for_end()["full_response"] == "one"
    assert len(upstream.exchanges) == 1


def test_a_whole_answer_joins_too(server, upstream):
    body, key = {"message": "go"}, {"Idempotency-Key": "whole-1"}
    first = server.post("/api/chat", body, **key).json
    assert server.post("/api/chat", body, **key).json == first
    assert len(upstream.exchanges) == 1


def test_a_key_outlives_the_process(start_server, upstream):
    server = start_server()
    run_id = keyed(server, "kept").run_id
    upstream.wait_for(1)
    server.kill()
    server.restart()
    assert keyed(server, "kept").run_id == run_id
    assert len(upstream.exchanges) == 1


def test_a_key_must_be_printable(server):
    answer = server.post("/api/chat", {"message": "x"}, **{"Idempotency-Key": "a b"})
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert "idempotency_key" in answer.json["error"]["fields"]


def test_a_post_with_a_cursor_at_the_end_is_204(server, upstream):
    first = stream_chat(server, "go")
    last = first.rest()[-1].id
    answer = server.post("/api/chat/stream", {"message": "go"}, **{"Last-Event-ID": last})
    assert answer.status == 204 and len(upstream.exchanges) == 1
    other = server.post("/api/chat/stream", {"message": "go"}, **{"Last-Event-ID": "nope"})
    assert (other.status, other.code) == (400, "bad_cursor")


def test_folded_entries_are_one_piece_or_gone(start_server, upstream):
    server = start_server(REPLAY_TTL_S=1)
    stream = stream_chat(server, "go", partial=False)
    whole = text_of(stream.rest())
    server.stop()
    server.settings["REPLAY_TTL_S"] = 1
    server.restart()  # looks for what is old at its start, and finds it a second old by then

    def is_folded():
        return server.get(f"/api/runs/{stream.run_id}/events?after=1").status == 410

    assert server.wait_until(is_folded)
    replay = SseStream(server, "GET", f"/api/runs/{stream.run_id}/events").rest()
    assert (len(replay), text_of(replay)) == (2, whole)
    gone = server.get(f"/api/runs/{stream.run_id}/events?after=1")
    assert gone.code == "log_reset"


def test_a_session_is_followed_by_its_other_tabs(server, upstream, connect):
    go = threading.Event()
    upstream.reply = lambda exchange: (exchange.start(), go.wait(10), exchange.finish())
    first = stream_chat(server, "go", session_id="tabs")
    tab = SseStream(server, "GET", "/api/chat/sessions/tabs/events")
    client = connect()
    assert client.call("session_join", {"session_id": "tabs"}) == {"session_id": "tabs"}
    assert tab.next().data["run_id"] == first.run_id
    go.set()
    first.rest()
    assert tab.next().data["status"] == "completed"
    second = stream_chat(server, "more", session_id="tabs")
    assert tab.next().data["run_id"] == second.run_id
    second.rest()
    assert tab.next().data["status"] == "completed"
    [question, *_, last] = server.get("/api/chat/sessions/tabs/messages").json["messages"]
    server.post("/api/chat/sessions/tabs/branch", {"message_id": question["id"]})
    server.request("DELETE", "/api/chat/sessions/tabs")
    changed, deleted = tab.rest()
    assert changed.data == {"session_id": "tabs", "leaf_id": last["id"]}
    assert deleted.data == {"session_id": "tabs"}
    told = client.wait_for(lambda events: len(events) >= 6)
    assert [name for name, _ in told] == [
        *("run_started", "run_ended", "run_started", "run_ended"),
        *("branch_changed", "session_deleted"),
    ]
    assert told[-2:] == [("branch_changed", changed.data), ("session_deleted", deleted.data)]
    assert client.call("session_join", {"session_id": "none"})["error"]["code"] == "not_found"


def test_on_disconnect_stop_stops_with_the_last_viewer(lively, upstream, connect):
    upstream.reply = silent
    stream = stream_chat(lively, "go", on_disconnect="stop")
    client = connect(lively)
    client.call("chat_resume", {"run_id": stream.run_id})
    exchange = upstream.wait_for(1)
    stream.close()
    client.wait_for(lambda events: sum(n == "chat_status" for n, _ in events) >= 3)
    assert not exchange.closed.is_set()
    client.close()
    assert exchange.closed.wait(20)

    def is_stopped():
        return lively.get(f"/api/runs/{stream.run_id}").json["status"] == "stopped"

    assert lively.wait_until(is_stopped)


def test_an_orphan_is_stopped_where_that_is_wanted(start_server, upstream):
    server = start_server(ORPHAN_RUN_S=0.3, HEARTBEAT_S=0.1)
    upstream.reply = silent
    stream = stream_chat(server, "go")
    exchange = upstream.wait_for(1)
    stream.close()
    assert exchange.closed.wait(20)


def test_continue_carries_the_kept_text_on(server, upstream):
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.delta("Once upon"),
        exchange.cut(),
    )
    first = stream_chat(server, "a tale", session_id="tale")
    first.rest()
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.delta(" a time"),
        exchange.finish(),
    )
    second = SseStream(server, "POST", f"/api/runs/{first.run_id}/continue", {"partial": False})
    assert text_of(second.rest()) == " a time"
    asked = upstream.exchanges[1].body["messages"]
    assert [m["role"] for m in asked] == ["user", "assistant", "user"]
    assert asked[1]["content"] == "Once upon"
    messages = server.get("/api/chat/sessions/tale/messages").json["messages"]
    assert [m["content"] for m in messages] == ["a tale", "Once upon a time"]
    assert messages[-1]["status"] == "completed" and second.run_id != first.run_id
    refused = server.post(f"/api/runs/{second.run_id}/continue")
    assert (refused.status, refused.code) == (400, "invalid_request")


@pytest.mark.parametrize("more", ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n"])
@pytest.mark.parametrize("path", ["/api/chat/stream", "/api/chat"])
def test_a_client_of_bare_text_or_a_whole_answer_that_leaves_is_noticed(
    start_server, upstream, path, more
):
    server = start_server(HEARTBEAT_S=0.3)
    upstream.reply = silent
    body = b'{"message": "go", "on_disconnect": "stop"}'
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n"
        f"{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    exchange = upstream.wait_for(1)
    client.close()
    assert exchange.closed.wait(20)


def test_a_head_of_a_sessions_events_leaves_nothing(server, connect):
    stream_chat(server, "go", session_id="head").rest()
    for _ in range(5):
        assert server.request("HEAD", "/api/chat/sessions/head/events").status == 200
    assert server.status()["viewers"]["sse"] == 0
