"""What the documents of other chat servers say besides their streams: histories that the client
holds, 001's curl, 002's sessions and messages, whole answers that fail."""

from __future__ import annotations

import uuid

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.speakers import COMPLETIONS, DETAIL, SESSION_MESSAGES, Stream
from tests.support.upstream import Exchange, say, silent

HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "second\u2028"},
]


@pytest.fixture(scope="module")
def locked(start_one):
    return start_one(JWT_SECRET=SECRET)


@pytest.fixture
def alice():
    """A user that no other test knows."""
    return bearer(token_of(f"alice-{uuid.uuid4().hex}"))


def stop(server, stream: Stream) -> None:
    server.post(f"/api/runs/{stream.run_id}/stop")
    stream.rest()


def listed(server, **headers: str) -> list[str]:
    """Return the ids of the sessions that are listed."""
    found = server.get("/api/chat/sessions", **headers).json["sessions"]
    return [one["session_id"] for one in found]


# --- histories that the client holds ------------------------------------------------


HELD_BY_CLIENT = {
    "001": ("/chat/completions/stream", "messages"),
    "003": ("/chat/conversation", "messages"),
    "004": ("/chat", "conversation"),
    "openai": ("/v1/chat/completions", "messages"),
    "ollama": ("/ollama/api/chat", "messages"),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("document", HELD_BY_CLIENT)
def test_the_clients_history_goes_to_the_model_as_it_is(server, upstream, document, stream):
    path, name = HELD_BY_CLIENT[document]
    if not stream:
        path = path.removesuffix("/stream")
    answer = server.post(path, {name: HISTORY, "model": "m", "stream": stream})
    assert answer.status == 200
    assert upstream.wait_for(1).body["messages"] == HISTORY
    session_id = answer.headers["x-session-id"]
    assert session_id not in listed(server)
    messages = server.get(f"/api/chat/sessions/{session_id}/messages").json["messages"]
    said = [{"role": one["role"], "content": one["content"]} for one in messages]
    assert said == [*HISTORY, {"role": "assistant", "content": "Hello there"}]


@pytest.mark.parametrize("document", HELD_BY_CLIENT)
def test_no_history_is_refused(server, upstream, document):
    path, name = HELD_BY_CLIENT[document]
    answer = server.post(path, {name: [], "model": "m"})
    assert answer.status == 400
    assert name in answer.body.decode()


# --- 001 ----------------------------------------------------------------------------


def test_001_as_its_curl(server, upstream):
    upstream.reply = say(["Why", " don't", " scientists trust atoms?"])
    body = {"messages": [{"role": "user", "content": "Tell me a joke"}]}
    stream = Stream(COMPLETIONS, server, COMPLETIONS.path, body, {"Accept": "text/event-stream"})
    stream.rest()
    of = {"model": "gpt-5-mini", "provider": "openai"}
    assert stream.frames == [
        {"content": "Why", "done": False, **of},
        {"content": " don't", "done": False, **of},
        {"content": " scientists trust atoms?", "done": False, **of},
        {"content": "", "done": True, **of},
    ]


def test_001_takes_provider_model_and_temperature(server, upstream):
    more = {"model": "some/Model:7b", "provider": "openai", "temperature": 0.5, "stream": True}
    body = {**COMPLETIONS.body("go"), **more}
    stream = Stream(COMPLETIONS, server, COMPLETIONS.path, body, {})
    stream.rest()
    sent = upstream.exchanges[0].body
    assert sent["model"] == stream.frames[0]["model"] == "some/Model:7b"
    assert sent["temperature"] == 0.5
    demo = Stream(COMPLETIONS, server, COMPLETIONS.path, {**body, "provider": "demo"}, {})
    assert "go" in demo.read() and demo.frames[0]["provider"] == "demo"


def test_001_whole(server):
    assert server.post("/chat/completions", COMPLETIONS.body("go")).json == {
        "content": "Hello there",
        "role": "assistant",
        "model": "gpt-5-mini",
        "provider": "openai",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        "finish_reason": "stop",
    }


# --- 002 ----------------------------------------------------------------------------


def test_002_sessions_are_made_listed_read_and_deleted(server):
    made = server.post("/sessions", {"title": "A title"})
    assert (made.status, made.json["title"]) == (201, "A title")
    path = f"/sessions/{made.json['id']}"
    assert server.get(path).json == made.json
    assert made.json in server.get("/sessions/").json
    assert made.json["id"] in listed(server)
    deleted = server.request("DELETE", path)
    assert (deleted.status, deleted.body) == (204, b"")
    for method, absent in (
        ("GET", path),
        ("DELETE", path),
        ("GET", f"{path}/messages"),
    ):
        answer = server.request(method, absent)
        assert (answer.status, set(answer.json)) == (404, DETAIL)


@pytest.mark.parametrize("path", ["messages/stream", "messages"])
def test_002_a_message_to_no_session_is_refused(server, upstream, path):
    answer = server.post(f"/sessions/never-made/{path}", {"content": "hi", "role": "user"})
    assert (answer.status, set(answer.json)) == (404, DETAIL)
    assert "never-made" not in listed(server)
    assert upstream.exchanges == []


def test_002_the_message_is_stored_before_anything_streams(server, upstream):
    upstream.reply = silent
    stream = SESSION_MESSAGES.start(server, "stored first")
    session_id = stream.headers["x-session-id"]
    asked, reply = server.get(f"/sessions/{session_id}/messages").json
    assert (asked["role"], asked["content"]) == ("user", "stored first")
    assert (reply["role"], reply["content"]) == ("assistant", "")
    assert stream.next().data == {"type": "start", "messageId": reply["id"]}
    stop(server, stream)


def test_002_rows(server):
    stream = SESSION_MESSAGES.start(server, "go")
    stream.rest()
    session_id = stream.headers["x-session-id"]
    whole = server.post(f"/sessions/{session_id}/messages", {"content": "again"})
    rows = server.get(f"/sessions/{session_id}/messages/").json
    assert all(set(row) == {"id", "session_id", "content", "role", "timestamp"} for row in rows)
    assert {row["session_id"] for row in rows} == {session_id}
    said = [(row["role"], row["content"]) for row in rows]
    assert said[::2] == [("user", "go"), ("user", "again")]
    assert said[1::2] == [("assistant", "Hello there")] * 2
    assert whole.json == rows[-1]
    named = {"messageId": rows[1]["id"]}
    assert stream.frames[0] == {"type": "start", **named}
    assert stream.frames[-1] == {"type": "end", **named}
    assert server.get(f"/sessions/{session_id}").json["message_count"] == 4


def test_002_the_session_continues(server, upstream):
    stream = SESSION_MESSAGES.start(server, "first")
    stream.rest()
    path = f"/sessions/{stream.headers['x-session-id']}/messages/stream"
    Stream(SESSION_MESSAGES, server, path, {"content": "second", "role": "user"}, {}).rest()
    assert [one["content"] for one in upstream.exchanges[1].body["messages"]] == [
        "first",
        "Hello there",
        "second",
    ]


@pytest.mark.parametrize("path", ["messages/stream", "messages"])
def test_002_a_second_message_while_one_is_answered_is_refused(server, upstream, path):
    upstream.reply = silent
    stream = SESSION_MESSAGES.start(server)
    session_id = stream.headers["x-session-id"]
    answer = server.post(f"/sessions/{session_id}/{path}", SESSION_MESSAGES.body("too soon"))
    assert (answer.status, set(answer.json)) == (409, DETAIL)
    assert answer.headers["x-run-id"] == stream.run_id
    stop(server, stream)


def test_002_another_users_session_is_absent(locked, upstream, alice):
    bob = bearer(token_of("bob"))
    path = SESSION_MESSAGES.path_for(locked, **alice).removesuffix("/messages/stream")
    body = SESSION_MESSAGES.body("mine")
    for method, rest in (("GET", ""), ("GET", "/messages"), ("DELETE", "")):
        foreign = locked.request(method, path + rest, headers=bob)
        absent = locked.request(method, "/sessions/absent" + rest, headers=bob)
        assert (foreign.status, foreign.body) == (absent.status, absent.body) == (404, foreign.body)
    for rest in ("/messages/stream", "/messages"):
        foreign, absent = (locked.post(p + rest, body, **bob) for p in (path, "/sessions/absent"))
        assert (foreign.status, foreign.body) == (absent.status, absent.body) == (404, foreign.body)
    assert locked.get(path + "/messages", **alice).json == []
    assert upstream.exchanges == []


# --- failures of whole answers ------------------------------------------------------


WHOLE = {
    "/chat/completions": (COMPLETIONS.body("go"), DETAIL),
    "/chat": ({"prompt": "go"}, DETAIL),
    "/chat ": ({"conversation": HISTORY}, {"error", "error_id", "code", "retryable"}),
    "/chat/conversation": ({"messages": HISTORY}, DETAIL),
    "/v1/chat/completions": ({"model": "m", "messages": HISTORY}, {"error"}),
    "/ollama/api/chat": ({"model": "m", "messages": HISTORY, "stream": False}, {"error"}),
}


@pytest.mark.parametrize("path", WHOLE)
def test_a_whole_answer_that_fails_is_a_502_in_the_dialect(server, upstream, path):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.event({"error": {"message": "planted text"}})

    upstream.reply = reply
    body, keys = WHOLE[path]
    answer = server.post(path.strip(), body)
    assert (answer.status, set(answer.json)) == (502, keys)
    assert "planted" not in answer.body.decode()
    assert server.get(f"/api/runs/{answer.headers['x-run-id']}").json["status"] == "failed"
