"""`POST /chat` and `POST /chat/conversation`: 003's numbers, 004's events, its curl commands, and a
body that is of neither document."""

from __future__ import annotations

import threading
import uuid

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.speakers import CONVERSATION, DETAIL, PROMPT, PROMPT_CONVERSATION, Stream
from tests.support.upstream import say, silent

HISTORY = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "second"},
]
PAGE = "http://localhost:3000"


@pytest.fixture(scope="module")
def locked(start_one):
    return start_one(JWT_SECRET=SECRET)


@pytest.fixture
def alice():
    """A user that no other test knows."""
    return bearer(token_of(f"alice-{uuid.uuid4().hex}"))


# --- 003 ----------------------------------------------------------------------------


def test_003_a_number_continues_the_conversation(server, upstream):
    first = PROMPT.start(server, "first")
    first.rest()
    number = int(first.headers["x-conversation-id"])
    body = {**PROMPT.body("second"), "conversation_id": number}
    second = Stream(PROMPT, server, "/chat", body, {})
    assert second.frames == [] and second.headers["x-conversation-id"] == str(number)
    second.rest()
    assert second.frames[-1] == {"type": "done"}
    assert upstream.exchanges[1].body["messages"] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello there"},
        {"role": "user", "content": "second"},
    ]
    whole = server.post("/chat", {"prompt": "third", "conversation_id": number})
    assert whole.json["conversation_id"] == number
    assert len(upstream.exchanges[2].body["messages"]) == 5


def test_003_a_number_of_a_clients_history_continues_too(server, upstream):
    first = server.post("/chat/conversation", {"messages": HISTORY})
    body = {"prompt": "third", "conversation_id": first.json["conversation_id"]}
    assert server.post("/chat", body).status == 200
    assert [one["content"] for one in upstream.exchanges[1].body["messages"]] == [
        *("first", "1", "second", "Hello there"),
        "third",
    ]


def test_003_a_second_prompt_while_one_is_answered_is_refused(server, upstream):
    upstream.reply = silent
    stream = PROMPT.start(server)
    number = int(stream.headers["x-conversation-id"])
    answer = server.post("/chat", {"prompt": "too soon", "conversation_id": number})
    server.post(f"/api/runs/{stream.run_id}/stop")
    assert (answer.status, set(answer.json)) == (409, DETAIL)
    assert answer.headers["x-run-id"] == stream.run_id
    assert stream.read() == ""


def test_003_whole(server):
    answer = server.post("/chat", {"prompt": "go", "stream": False})
    assert set(answer.json) == {"response", "model", "provider", "metadata", "conversation_id"}
    assert (answer.json["response"], answer.json["provider"]) == ("Hello there", "openai")
    assert answer.headers["x-conversation-id"] == str(answer.json["conversation_id"])
    assert set(answer.json["metadata"]) == {"finish_reason", "duration", "usage"}


def test_003_each_owner_counts_for_themselves(locked, upstream, alice):
    bob = bearer(token_of(f"bob-{uuid.uuid4().hex}"))
    streams = [PROMPT.start(locked, "hi", **who) for who in (alice, alice, bob, alice)]
    numbers = [stream.headers["x-conversation-id"] for stream in streams]
    assert numbers == ["1", "2", "1", "3"]
    assert [stream.read() for stream in streams] == ["Hello there"] * 4
    for wanted in (3, 2):
        foreign = locked.post("/chat", {"prompt": "hi", "conversation_id": wanted}, **bob)
        absent = locked.post("/chat", {"prompt": "hi", "conversation_id": 99}, **bob)
        assert (foreign.status, set(foreign.json)) == (404, DETAIL)
        assert foreign.body == absent.body


@pytest.mark.parametrize("stream", [True, False])
def test_003_a_number_that_is_not_there_is_named(server, upstream, stream):
    answer = server.post("/chat", {"prompt": "hi", "conversation_id": 10**9, "stream": stream})
    assert answer.status == 404
    assert answer.json == {
        "detail": "There is nothing here by that name. "
        "conversation_id: is not there; leave it out to begin a new one",
        "code": "not_found",
        "retryable": False,
    }
    assert upstream.exchanges == []


def test_003_a_number_is_the_session_that_the_hook_calls_by_it(locked, upstream, alice):
    body = {"message": "by the hook", "session_id": "conversation:7"}
    assert locked.post("/api/chat", body, **alice).status == 200
    answer = locked.post("/chat", {"prompt": "and then?", "conversation_id": 7}, **alice)
    assert answer.json["conversation_id"] == 7
    given = [one["content"] for one in upstream.exchanges[1].body["messages"]]
    assert given == ["by the hook", "Hello there", "and then?"]


def test_003_a_new_conversation_is_new_whatever_sessions_are_called(locked, upstream, alice):
    for number in (1, 2):
        body = {"message": "not yours", "session_id": f"conversation:{number}"}
        assert locked.post("/api/chat", body, **alice).status == 200
    answer = locked.post("/chat", {"prompt": "new"}, **alice)
    assert answer.json["conversation_id"] == 3
    assert [one["content"] for one in upstream.exchanges[2].body["messages"]] == ["new"]


@pytest.mark.parametrize("number", [0, -1, "1", 1.5, True, 2**70])
def test_003_what_is_no_number_is_refused(server, upstream, number):
    answer = server.post("/chat", {"prompt": "hi", "conversation_id": number, "stream": True})
    assert answer.status == 400
    assert "conversation_id" in answer.json["detail"]
    assert upstream.exchanges == []


def test_003_numbers_are_given_once(server):
    numbers: list[int] = []

    def ask() -> None:
        numbers.append(server.post("/chat", {"prompt": "hi"}).json["conversation_id"])

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(numbers)) == 10


def test_003_a_number_of_a_clients_history_is_only_said_back(server, upstream):
    body = {**PROMPT_CONVERSATION.body("hi"), "conversation_id": 123}
    stream = Stream(PROMPT_CONVERSATION, server, "/chat/conversation", body, {})
    assert stream.read() == "Hello there"
    assert stream.headers["x-conversation-id"] == "123"
    whole = server.post("/chat/conversation", {**body, "stream": False}).json
    assert (whole["conversation_id"], whole["response"]) == (123, "Hello there")
    assert upstream.exchanges[0].body["messages"] == [{"role": "user", "content": "hi"}]


# --- 004 ----------------------------------------------------------------------------


def test_004_each_event_has_the_text_so_far_and_how_it_goes(server, upstream):
    pieces = ["Hel", "lo ", "there,", " you\U0001f600"]
    upstream.reply = say(pieces)
    stream = CONVERSATION.start(server)
    stream.rest()
    texts = ["".join(pieces[:count]) for count in (1, 2, 3, 4, 4)]
    assert [frame["full_content"] for frame in stream.frames] == texts
    assert [frame["content"] for frame in stream.frames] == [*pieces, ""]
    assert [frame["chunk_id"] for frame in stream.frames] == [1, 2, 3, 4, 5]
    assert [frame["done"] for frame in stream.frames] == [False] * 4 + [True]
    stats = [frame["streaming_stats"] for frame in stream.frames]
    assert [one["total_chunks"] for one in stats] == [1, 2, 3, 4, 4]
    assert [one["total_characters"] for one in stats] == [len(text) for text in texts]
    for one in stats:
        assert one["elapsed_time"] >= 0 and one["words_per_second"] >= 0
    common = {"content", "full_content", "chunk_id", "timestamp", "done", "model"}
    assert all(set(frame) == {*common, "streaming_stats"} for frame in stream.frames)


def test_004_an_error_is_the_last_event_and_keeps_the_text(server, upstream):
    upstream.reply = lambda e: (e.start(), e.delta("so far"), e.cut())
    stream = CONVERSATION.start(server)
    stream.rest()
    last = stream.frames[-1]
    assert (last["content"], last["full_content"], last["done"]) == ("", "so far", True)
    record = server.get(f"/api/runs/{stream.run_id}").json
    assert last["error_id"] == record["error"]["error_id"]
    assert last["error"] == record["error"]["message"]
    assert (last["code"], last["retryable"]) == ("upstream_incomplete", True)


def test_004_whole(server):
    answer = server.post("/chat", {"conversation": HISTORY})
    assert set(answer.json) == {"message", "timestamp", "model"}
    assert (answer.json["message"], answer.json["model"]) == ("Hello there", "gpt-5-mini")


def test_004_takes_provider_and_model(server, upstream):
    chosen = {"conversation": HISTORY, "provider": "openai", "model": "some/Model:7b"}
    assert server.post("/chat", chosen).json["model"] == "some/Model:7b"
    assert upstream.exchanges[0].body["model"] == "some/Model:7b"
    assert server.post("/chat", {"conversation": HISTORY, "provider": "demo"}).status == 200
    unknown = server.post("/chat", {"conversation": HISTORY, "provider": "none"})
    assert (unknown.status, "provider" in unknown.json["error"]) == (400, True)
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("path", ["/chat", "/chat/"])
def test_004_preflight_as_its_curl(server, path):
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type",
    }
    answer = server.request("OPTIONS", path, headers=asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()


def test_004_a_page_of_another_port_may_read_the_stream(server):
    stream = CONVERSATION.start(server, Origin=PAGE)
    assert stream.read() == "Hello there"
    assert stream.headers["access-control-allow-origin"] == PAGE
    exposed = stream.headers["access-control-expose-headers"].lower()
    assert {"x-run-id", "x-conversation-id"} <= {name.strip() for name in exposed.split(",")}


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_004_a_foreign_page_starts_nothing(server, upstream, origin):
    answer = server.post("/chat", CONVERSATION.body("hi"), Origin=origin)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert upstream.exchanges == []


# --- /chat: two documents -----------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"prompt": "a", "conversation": HISTORY}, {"stream": True}])
def test_chat_with_neither_or_both_names_both(server, upstream, body):
    answer = server.post("/chat", body)
    assert answer.status == 400
    for sentence in (answer.json["detail"], answer.json["error"]):
        assert "`prompt`" in sentence and "`conversation`" in sentence
    assert answer.json["error_id"].startswith("ERR_")
    assert upstream.exchanges == []
