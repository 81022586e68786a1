"""What a model thinks: shown to those who ask for it or whose dialect has a place for it, and never
a part of the text."""

from __future__ import annotations

import json
import threading

import pytest

from tests.support.sse import SseStream, follow_run, stream_chat, text_of
from tests.support.upstream import say
from tests.support.ways import WAYS, v1_chunks

THOUGHT = "Hm, \u2028six times seven."
TEXT = "Forty-two."
SAID = [{"role": "user", "content": "go"}]


def thought(field="reasoning_content", text=THOUGHT):
    """Return the chunk of a thought; servers differ in what they call it."""
    choice = {"index": 0, "delta": {"content": "", field: text}, "finish_reason": None}
    return {"object": "chat.completion.chunk", "choices": [choice]}


def thinks(field="reasoning_content"):
    def reply(exchange):
        exchange.start()
        for part in (THOUGHT[:4], THOUGHT[4:]):
            exchange.event(thought(field, part))
        exchange.delta(TEXT)
        exchange.finish("stop", {"prompt_tokens": 3, "completion_tokens": 9})

    return reply


@pytest.fixture(autouse=True)
def thinking(upstream):
    upstream.reply = thinks()


def thoughts_of(payloads):
    return [one for one in payloads if one.get("status") == "thinking" and "reasoning" in one]


@pytest.mark.parametrize("way", ["sse", "socketio"])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_native_shows_thoughts_to_who_asks(server, upstream, connect, way, field):
    upstream.reply = thinks(field)
    seen = WAYS[way](server, connect, "go", reasoning=True)
    shown = thoughts_of(seen.statuses)
    assert "".join(one["reasoning"] for one in shown) == THOUGHT
    assert [(one["seq"], one["run_id"]) for one in shown] == [(1, seen.run_id), (2, seen.run_id)]
    assert (seen.text, seen.end["full_response"], seen.end["seq"]) == (TEXT, TEXT, 4)


@pytest.mark.parametrize("way", ["sse", "socketio"])
def test_native_shows_no_thoughts_unasked(server, connect, way):
    seen = WAYS[way](server, connect, "go")
    assert seen.text == seen.end["full_response"] == TEXT
    assert "six times" not in seen.frames and thoughts_of(seen.statuses) == []


@pytest.mark.parametrize("asked", ["true", "1"])
def test_thoughts_are_replayed_to_who_asks(server, asked):
    run_id = stream_chat(server, "go").rest()[-1].data["run_id"]
    stream = SseStream(server, "GET", f"/api/runs/{run_id}/events?reasoning={asked}")
    events = [event.data for event in stream.rest()]
    assert "".join(one["reasoning"] for one in thoughts_of(events)) == THOUGHT
    assert thoughts_of([event.data for event in follow_run(server, run_id).rest()]) == []


def test_thoughts_are_resumed_over_socketio(server, connect):
    run_id = stream_chat(server, "go").rest()[-1].data["run_id"]
    client = connect()
    client.call("chat_resume", {"run_id": run_id, "seq": 1, "reasoning": True})
    client.wait_for_end()
    [second] = thoughts_of([data for _, data in client.events])
    assert (second["seq"], second["reasoning"]) == (2, THOUGHT[4:])


def test_text_is_kept_without_the_thoughts(server, upstream):
    stream_chat(server, "go", session_id="thinks").rest()
    messages = server.get("/api/chat/sessions/thinks/messages").json["messages"]
    assert messages[-1]["content"] == TEXT
    stream_chat(server, "next", session_id="thinks").rest()
    assert "six times" not in str(upstream.exchanges[-1].body)


def test_openais_dialect_has_a_field_for_them(server):
    answer = server.post("/v1/chat/completions", {"model": "m", "messages": SAID, "stream": True})
    deltas = [choice["delta"] for one in v1_chunks(answer.body) for choice in one["choices"]]
    assert "".join(one.get("reasoning_content", "") for one in deltas) == THOUGHT
    assert "".join(one.get("content", "") for one in deltas) == TEXT


def test_ai_sdk_has_parts_for_them(server):
    said = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "go"}]}
    answer = server.post("/api/ai-sdk/chat", {"id": "thinks-ui", "messages": [said]})
    frames = [json.loads(line[6:]) for line in answer.body.split(b"\n") if line[:7] == b"data: {"]
    types = [one["type"] for one in frames]
    assert types == [
        *("start", "start-step", "reasoning-start", "reasoning-delta", "reasoning-delta"),
        *("reasoning-end", "text-start", "text-delta", "text-end", "finish-step", "finish"),
    ]
    of_type = {kind: [one for one in frames if one["type"] == kind] for kind in types}
    assert "".join(one["delta"] for one in of_type["reasoning-delta"]) == THOUGHT
    assert of_type["text-delta"][0]["delta"] == TEXT
    assert of_type["reasoning-start"][0]["id"] != of_type["text-start"][0]["id"]


def test_ollamas_dialect_has_a_field_for_them(server):
    answer = server.post("/ollama/api/chat", {"model": "m", "messages": SAID})
    messages = [json.loads(line)["message"] for line in answer.body.splitlines()]
    assert "".join(one.get("thinking", "") for one in messages) == THOUGHT
    assert "".join(one["content"] for one in messages) == TEXT


WITHOUT_A_PLACE = {
    "/api/chat": {"message": "go"},
    "/chat/completions/stream": {"messages": SAID},
    "/chat": {"prompt": "go", "stream": True},
    "/chat?conversation": {"conversation": SAID, "stream": True},
    "/chat/conversation": {"messages": SAID},
    "/sessions/thinks-too/messages/stream": {"content": "go"},
    "/v1/chat/completions": {"model": "m", "messages": SAID},
}


@pytest.mark.parametrize("path", WITHOUT_A_PLACE)
def test_who_has_no_place_for_them_gets_the_text_alone(server, path):
    server.post("/api/chat/sessions", {"session_id": "thinks-too"})
    answer = server.post(path, WITHOUT_A_PLACE[path])
    assert answer.status == 200
    assert TEXT.encode() in answer.body and b"six times" not in answer.body


def test_plain_text_has_the_text_alone(server):
    answer = server.post("/api/chat/stream", {"message": "go"}, Accept="text/plain")
    assert answer.body.decode() == TEXT


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/ollama/api/chat"])
def test_first_thought_counts_as_a_piece(start_server, upstream, path):
    """A model that thinks for longer than a first piece may take is not late."""
    server = start_server(FIRST_DELTA_TIMEOUT_S=2)
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.event(thought()),
        exchange.wait_closed(2.4),
        exchange.delta(TEXT),
        exchange.finish(),
    )
    answer = server.post(path, {"model": "m", "messages": SAID, "stream": True})
    assert TEXT.encode() in answer.body


# --- silence ------------------------------------------------------------------------------------


def after(go):
    """A reply that thinks, waits to be told, and then answers."""

    def reply(exchange):
        exchange.start()
        exchange.event(thought())
        assert go.wait(20)
        exchange.delta(TEXT)
        exchange.finish()

    return reply


def heartbeat(stream):
    """Return the next event that is not of the log."""
    while "seq" in (event := stream.next()).data:
        pass
    return event


def test_silence_of_one_who_thinks_is_called_thinking(lively, upstream, connect):
    go = threading.Event()
    upstream.reply = after(go)
    stream = stream_chat(lively, "go")
    client = connect(lively)
    client.call("chat_resume", {"run_id": stream.run_id})
    said = heartbeat(stream).data
    assert (said["status"], said["run_id"]) == ("thinking", stream.run_id)
    assert set(said) == {"status", "age_s", "run_id"} and said["age_s"] >= 0.3
    is_thinking = [("chat_status", "thinking")]
    client.wait_for(lambda seen: [(n, d.get("status")) for n, d in seen][:1] == is_thinking)
    go.set()
    assert text_of(stream.rest()) == TEXT


def test_silence_before_anything_is_called_waiting(lively, upstream):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), go.wait(20), e.delta("a"), e.finish())
    stream = stream_chat(lively, "go")
    first, second = heartbeat(stream), heartbeat(stream)
    assert [one.data["status"] for one in (first, second)] == ["waiting", "waiting"]
    assert first.data["age_s"] < second.data["age_s"]
    assert first.id == ""  # it is not of the log: nothing to resume from
    assert stream.parser.comments.count("ping") >= 2
    go.set()
    assert text_of(stream.rest()) == "a"


def test_cursor_stays_where_it_was_during_silence(lively, upstream):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta("b"), e.finish())
    stream = stream_chat(lively, "go")
    while "token" not in stream.next().data:
        pass
    assert heartbeat(stream).id == f"{stream.run_id}:1"
    go.set()
    assert text_of(stream.rest()) == "b"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat", "/chat/completions/stream"])
def test_other_dialects_get_comments_alone(start_server, upstream, path):
    server = start_server(HEARTBEAT_S=0.05)
    upstream.reply = lambda e: (
        e.start(),
        e.delta("a"),
        e.wait_closed(1),
        e.delta("b"),
        e.finish(),
    )
    body = {"model": "m", "messages": SAID, "stream": True}
    body = {"prompt": "go", "stream": True} if path == "/chat" else body
    answer = server.post(path, body)
    assert b": ping\n\n" in answer.body and b'"status"' not in answer.body


def test_whole_answer_waits_through_the_silence(server, upstream):
    upstream.reply = lambda e: (
        e.start(),
        e.event(thought()),
        e.wait_closed(0.7),
        e.delta("a"),
        e.finish(),
    )
    assert server.post("/api/chat", {"message": "go"}).json["response"] == "a"


def test_reply_that_is_nothing_but_thoughts_is_empty(server, upstream):
    upstream.reply = lambda e: (e.start(), e.event(thought()), e.finish("length"))
    end = stream_chat(server, "go").rest()[-1].data
    assert (end["full_response"], end["finish_reason"]) == ("", "length")
    upstream.reply = say(["next"])
    assert text_of(stream_chat(server, "x", session_id=end["session_id"]).rest()) == "next"
