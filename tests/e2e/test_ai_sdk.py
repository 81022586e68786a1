"""The AI SDK's UI message stream: its exact frames, resume, stop, another reply, an edited
message."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.speakers import AI_SDK, Stream, types
from tests.support.sse import SseStream
from tests.support.upstream import Exchange, event_bytes, say

PATH = "/api/ai-sdk/chat"
ROLES = ("user", "assistant")


@pytest.fixture
def held(upstream):
    """A reply that waits after two pieces until it is let go."""
    go = threading.Event()

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for text in ("One ", "two\u2028 "):
            exchange.delta(text)
        assert go.wait(20)
        exchange.delta("three")
        exchange.finish()

    upstream.reply = reply
    yield go
    go.set()


class Chat:
    """A chat as `useChat` keeps it: replies have the ids that the stream gave them."""

    def __init__(self, server: Any, **headers: str) -> None:
        self.server, self.headers, self.id = server, headers, uuid.uuid4().hex
        self.path = f"{PATH}/{self.id}"
        self.messages: list[dict[str, Any]] = []

    def say(self, text: str, **more: Any) -> Stream:
        """Submit a message; read the reply to its end."""
        self.messages.append(message("user", text, f"client-{len(self.messages)}"))
        return self.ask(**more)

    def ask(self, **more: Any) -> Stream:
        """Send what there is; read the reply to its end."""
        stream = self.open(**more)
        text = stream.read()
        self.messages.append(message("assistant", text, stream.frames[0]["messageId"]))
        return stream

    def open(self, trigger: str = "submit-message", **more: Any) -> Stream:
        """Send what there is."""
        body = {"id": self.id, "messages": self.messages, "trigger": trigger, **more}
        return Stream(AI_SDK, self.server, PATH, body, self.headers)

    def resume(self) -> SseStream:
        """Ask for the stream under way."""
        return SseStream(self.server, "GET", f"{self.path}/stream", headers=self.headers)

    def stored(self) -> list[tuple[str, str]]:
        """Return roles and texts of the branch in use."""
        path = f"/api/chat/sessions/{self.id}/messages"
        found = self.server.get(path, **self.headers).json["messages"]
        return [(one["role"], one["content"]) for one in found]


def message(role: str, text: str, message_id: str) -> dict[str, Any]:
    """Return a message as the client keeps it."""
    return {"id": message_id, "role": role, "parts": [{"type": "text", "text": text}]}


def asked(exchange: Exchange) -> list[str]:
    """Return the texts that went to the model."""
    return [one["content"] for one in exchange.body["messages"]]


# --- frames -------------------------------------------------------------------------


def test_the_frames_have_the_protocols_fields_and_no_others(server, upstream):
    chat = Chat(server)
    stream = chat.say("go")
    start, finish = stream.frames[0], stream.frames[-2]
    assert stream.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert (set(start), start["messageMetadata"]) == (
        {"type", "messageId", "messageMetadata"},
        {"runId": stream.run_id},
    )
    part = {"id": stream.frames[2]["id"]}
    assert stream.frames[1:-2] == [
        {"type": "start-step"},
        {"type": "text-start", **part},
        {"type": "text-delta", **part, "delta": "Hello"},
        {"type": "text-delta", **part, "delta": " there"},
        {"type": "text-end", **part},
        {"type": "finish-step"},
    ]
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    metadata = {"finishReason": "stop", "usage": usage}
    assert (finish, stream.frames[-1]) == (
        {"type": "finish", "messageMetadata": metadata},
        "[DONE]",
    )


def test_thinking_is_a_part_of_its_own(server, upstream):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        for delta in ({"reasoning_content": "hm"}, {"reasoning_content": "m"}, {"content": "Yes"}):
            exchange.chunk(event_bytes({"choices": [{"index": 0, "delta": delta}]}))
        exchange.finish()

    upstream.reply = reply
    frames = Chat(server).say("go").frames
    assert [kind for kind in types(frames) if "-" in kind] == [
        "start-step",
        *("reasoning-start", "reasoning-delta", "reasoning-delta", "reasoning-end"),
        *("text-start", "text-delta", "text-end"),
        "finish-step",
    ]
    ids = {frame["id"] for frame in frames[:-1] if "id" in frame}
    assert len(ids) == 2


def test_options_of_the_transport_and_system_messages_go_to_the_model(server, upstream):
    chat = Chat(server)
    chat.messages.append(message("system", "Be brief.", "s"))
    chat.say("go", model="some/Model:7b", temperature=0.5, anything={"else": 1})
    body = upstream.exchanges[0].body
    assert (body["model"], body["temperature"]) == ("some/Model:7b", 0.5)
    assert asked(upstream.exchanges[0]) == ["Be brief.", "go"]
    assert chat.stored() == [("user", "go"), ("assistant", "Hello there")]


# --- resume -------------------------------------------------------------------------


def test_there_is_nothing_to_resume_where_nothing_runs(server):
    chat = Chat(server)
    for _ in range(2):  # unknown, then idle
        for path in (f"{chat.path}/stream", f"{chat.path}/stream/"):
            answer = server.get(path)
            assert (answer.status, answer.body) == (204, b"")
        chat.say("go")


def test_a_reload_gets_the_stream_from_its_start(server, held):
    chat = Chat(server)
    chat.messages.append(message("user", "go", "m"))
    stream = chat.open()
    assert [stream.next_text(), stream.next_text()] == ["One ", "two\u2028 "]
    again = chat.resume()
    assert (again.status, again.run_id) == (200, stream.run_id)
    assert again.headers["x-vercel-ai-ui-message-stream"] == "v1"
    held.set()
    frames = [event.data for event in again.rest()]
    assert stream.read() == "".join(map(AI_SDK.text, frames)) == "One two\u2028 three"
    assert (frames[:2], frames[-1]) == (stream.frames[:2], "[DONE]")
    assert AI_SDK.complete(frames)
    assert server.get(f"{chat.path}/stream").status == 204


def test_a_reload_after_the_tab_was_closed(server, held):
    chat = Chat(server)
    chat.messages.append(message("user", "go", "m"))
    stream = chat.open()
    stream.next_text()
    stream.close()
    again = chat.resume()
    held.set()
    assert "".join(AI_SDK.text(event.data) for event in again.rest()) == "One two\u2028 three"


def test_a_second_message_while_one_is_answered_is_refused(server, held):
    chat = Chat(server)
    chat.messages.append(message("user", "go", "m"))
    stream = chat.open()
    answer = server.post(PATH, {"id": chat.id, "messages": chat.messages})
    assert (answer.status, answer.code) == (409, "session_busy")
    assert answer.headers["x-run-id"] == stream.run_id
    held.set()
    assert stream.read() == "One two\u2028 three"


# --- stop ---------------------------------------------------------------------------


def test_stop_answers_with_the_receipt(server, upstream):
    upstream.reply = lambda e: (e.start(), e.delta("a"), e.wait_closed(20))
    chat = Chat(server)
    chat.messages.append(message("user", "go", "m"))
    stream = chat.open()
    assert stream.next_text() == "a"
    receipt = server.post(f"{chat.path}/stop").json
    assert (receipt["run_id"], receipt["session_id"]) == (stream.run_id, chat.id)
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    assert upstream.wait_for(1).closed.wait(20)
    stream.rest()
    assert AI_SDK.stopped(stream.frames)
    assert chat.stored()[-1] == ("assistant", "a")
    assert server.post(f"{chat.path}/stop").status == 204


def test_stop_of_an_unknown_chat_is_nothing(server):
    answer = server.post(f"{PATH}/unknown/stop")
    assert (answer.status, answer.body) == (204, b"")


# --- another reply, an edited message -----------------------------------------------


def test_regenerate_makes_a_reply_beside_the_last(server, upstream):
    chat = Chat(server)
    chat.say("first")
    chat.say("second")
    replaced = chat.messages.pop()
    upstream.reply = say(["Another"])
    stream = chat.ask(trigger="regenerate-message", messageId=replaced["id"])
    assert asked(upstream.exchanges[2]) == ["first", "Hello there", "second"]
    assert stream.frames[0]["messageId"] != replaced["id"]
    assert chat.stored() == [
        *zip(ROLES, ("first", "Hello there"), strict=True),
        *zip(ROLES, ("second", "Another"), strict=True),
    ]
    chat.say("third")
    assert asked(upstream.exchanges[3])[-3:] == ["second", "Another", "third"]


def test_regenerate_of_the_first_reply_leaves_the_second_turn_behind(server, upstream):
    chat = Chat(server)
    chat.say("first")
    chat.say("second")
    del chat.messages[1:]
    upstream.reply = say(["Another"])
    chat.ask(trigger="regenerate-message")
    assert asked(upstream.exchanges[2]) == ["first"]
    assert chat.stored() == list(zip(ROLES, ("first", "Another"), strict=True))


def test_regenerate_of_an_unknown_chat_is_refused(server, upstream):
    chat = Chat(server)
    chat.messages.append(message("user", "go", "m"))
    body = {"id": chat.id, "messages": chat.messages, "trigger": "regenerate-message"}
    answer = server.post(PATH, body)
    assert (answer.status, answer.code) == (404, "not_found")
    assert upstream.exchanges == []


def test_an_edited_message_stands_beside_the_one_it_replaces(server, upstream):
    chat = Chat(server)
    chat.say("first")
    chat.say("secnod")
    edited = chat.messages[2]["id"]
    chat.messages[2:] = [message("user", "second", edited)]
    chat.ask(messageId=edited)
    assert asked(upstream.exchanges[2]) == ["first", "Hello there", "second"]
    chat.messages = [message("user", "new start", chat.messages[0]["id"])]
    chat.ask(messageId=chat.messages[0]["id"])
    assert asked(upstream.exchanges[3]) == ["new start"]
    assert chat.stored() == list(zip(ROLES, ("new start", "Hello there"), strict=True))


def test_regenerate_after_a_failure(server, upstream):
    chat = Chat(server)
    upstream.reply = lambda e: (e.start(), e.delta("half"), e.cut())
    chat.say("first")
    failed = chat.messages.pop()
    upstream.reply = say(["whole"])
    chat.ask(trigger="regenerate-message", messageId=failed["id"])
    assert asked(upstream.exchanges[1]) == ["first"]
    assert chat.stored() == list(zip(ROLES, ("first", "whole"), strict=True))


# --- who may ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(start_one):
    return start_one(JWT_SECRET=SECRET)


def test_another_users_chat_is_not_there(locked, held):
    alice, bob = (bearer(token_of(f"{name}-{uuid.uuid4().hex}")) for name in ("alice", "bob"))
    chat = Chat(locked, **alice)
    chat.messages.append(message("user", "go", "m"))
    stream = chat.open()
    stream.next_text()
    assert locked.get(f"{chat.path}/stream", **bob).status == 204
    assert locked.post(f"{chat.path}/stop", **bob).status == 204
    body = {"id": chat.id, "messages": chat.messages, "trigger": "regenerate-message"}
    assert locked.post(PATH, body, **bob).code == "not_found"
    held.set()
    assert stream.read() == "One two\u2028 three"
    assert AI_SDK.complete(stream.frames)
    assert chat.stored()[-1][1] == "One two\u2028 three"
    assert locked.get(f"/api/chat/sessions/{chat.id}", **bob).code == "not_found"


@pytest.mark.parametrize(("method", "path"), [("GET", "stream"), ("POST", "stop")])
def test_without_a_token_nothing_is_told(locked, method, path):
    answer = locked.request(method, f"{PATH}/any/{path}")
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
