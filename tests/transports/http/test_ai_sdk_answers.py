"""The AI SDK's answers to a reply that waits, over HTTP in one process: whose they are, which of
them count, where the stream goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.wiring import create_app, load_settings
from tests.support.called import CALLED, call, definition
from tests.support.doors import SECRET, bearer, token_of
from tests.support.in_process import DEFAULTS
from tests.support.scripted import STOP, ScriptedProvider

PATH = "/api/ai-sdk/chat"
TOOLS = [definition("look"), definition("see")]


@pytest.fixture(scope="module")
def scripted() -> ScriptedProvider:
    provider = ScriptedProvider()
    provider.parameters = frozenset({"tools", "tool_choice"})
    return provider


@pytest.fixture(scope="module")
def server(scripted: ScriptedProvider) -> Iterator[Tandem]:
    settings = load_settings({**DEFAULTS, "JWT_SECRET": SECRET, "MAX_TOOL_RESULT_BYTES": "2000"})
    made = create_app(settings, {"scripted": scripted}, ThreadRuntime())
    made.started()
    yield made
    made.stopped = True


class Chat:
    """A chat of one owner."""

    def __init__(self, server: Tandem, chat_id: str, owner: str = "ann") -> None:
        self.http: FlaskClient = server.app.test_client()
        self.id = chat_id
        self.headers = bearer(token_of(owner))
        self.messages: list[dict[str, Any]] = [
            {"id": "u-1", "role": "user", "parts": [{"type": "text", "text": "go"}]}
        ]

    def post(self, query: str = "", **fields: Any) -> Any:
        body = {"id": self.id, "messages": self.messages, "tools": TOOLS, **fields}
        return self.http.post(PATH + query, json=body, headers=self.headers)

    def parts(self, query: str = "", **fields: Any) -> list[Any]:
        return parts_of(self.post(query, **fields))

    def resume(self, query: str = "") -> list[Any]:
        answer = self.http.get(f"{PATH}/{self.id}/stream{query}", headers=self.headers)
        return parts_of(answer)

    def answered(self, **outputs: Any) -> None:
        """Have these outputs in the copy of the reply."""
        parts = [
            {"type": "tool-x", "toolCallId": key, "state": "output-available", "output": output}
            for key, output in outputs.items()
        ]
        reply = {"id": self.message_id, "role": "assistant", "parts": parts, **self.metadata}
        self.messages = [self.messages[0], reply]

    def waits(self, *names: str) -> list[Any]:
        """Send the message, which is answered by these calls; return the parts."""
        parts = self.parts()
        self.message_id: str = parts[0]["messageId"]
        self.metadata = {"metadata": parts[0]["messageMetadata"]}
        pending = parts[-1]["messageMetadata"]["requiresAction"]
        assert [one["call_id"] for one in pending] == list(names)
        return parts


def parts_of(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.data
    lines = [one[6:] for one in answer.data.decode().splitlines() if one.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def types(parts: list[Any]) -> list[str]:
    return [part["type"] for part in parts]


@pytest.fixture
def chat(
    server: Tandem, scripted: ScriptedProvider, request: pytest.FixtureRequest
) -> Iterator[Chat]:
    """A chat whose reply waits for two results."""
    scripted.enqueue([*call(1, "look"), *call(2, "see")], CALLED)
    scripted.enqueue("Done.", STOP)
    name = request.node.name.replace("[", "-").replace("]", "")
    made = Chat(server, name)
    made.waits("c1", "c2")
    yield made
    scripted.forget()


TEXT = ["start-step", "text-start", "text-delta", "text-end", "finish-step"]


def test_all_answers_make_it_go_on(chat: Chat, scripted: ScriptedProvider) -> None:
    chat.answered(c1={"n": 1}, c2="two")
    parts = chat.parts()

    outputs = ["tool-output-available"] * 2
    assert types(parts) == ["start", *outputs, *TEXT, "finish"]
    assert parts[0]["messageId"] == chat.message_id
    assert [part["output"] for part in parts[1:3]] == [{"n": 1}, "two"]
    assert parts[-1]["messageMetadata"]["requiresAction"] == []
    said = scripted.requests[-1].messages[-1].content
    assert [part["output"] for part in said if part["type"] == "tool_result"] == [{"n": 1}, "two"]


def test_some_answers_leave_it_waiting_and_its_stream_ends(chat: Chat) -> None:
    chat.answered(c2="two")
    parts = chat.parts()

    assert types(parts) == ["start", "tool-output-available", "finish"]
    left = parts[-1]["messageMetadata"]["requiresAction"]
    assert [one["call_id"] for one in left] == ["c1"]
    whole = chat.resume()
    assert whole[-1] == parts[-1]
    assert types(whole).count("tool-input-available") == 2
    chat.answered(c1="one", c2="another")
    again = chat.parts()
    assert [part["output"] for part in again if "output" in part] == ["two", "one"]
    assert types(again)[-1] == "finish" and "text-delta" in types(again)


def test_the_run_is_found_by_its_message_too(chat: Chat) -> None:
    chat.metadata = {}
    chat.answered(c1=1, c2=2)

    assert "text-delta" in types(chat.parts())


def test_an_output_is_bounded(chat: Chat) -> None:
    chat.answered(c1="x" * 3000, c2=2)

    assert chat.parts()[1]["output"].endswith("[cut: 1000 more bytes]")


@pytest.mark.parametrize("where", ["run", "session"])
def test_nobody_else_can_answer(chat: Chat, server: Tandem, where: str) -> None:
    chat.answered(c1=1, c2=2)
    other = Chat(server, chat.id, "bob")
    other.messages = chat.messages
    if where == "session":
        other.messages[1].pop("metadata")

    answer = other.post()
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    chat.answered(c1=1, c2=2)
    assert "text-delta" in types(chat.parts())


def test_a_run_of_another_chat_is_not_there(chat: Chat, server: Tandem) -> None:
    chat.answered(c1=1, c2=2)
    other = Chat(server, "another")
    other.messages = chat.messages

    assert other.post().status_code == 404


@pytest.mark.parametrize("metadata", [{"runId": "unknown"}, {}])
def test_a_reply_that_is_not_there(server: Tandem, metadata: dict[str, Any]) -> None:
    part = {"type": "tool-x", "toolCallId": "c1", "state": "output-available", "output": 1}
    chat = Chat(server, "not-there")
    reply = {"id": "a", "role": "assistant", "parts": [part], "metadata": metadata}
    chat.messages.append(reply)

    assert chat.post().status_code == 404


def test_what_was_not_asked_for_changes_nothing(chat: Chat) -> None:
    chat.answered(c9="forged")
    answer = chat.post()

    assert answer.status_code == 400
    assert list(answer.json["error"]["fields"]) == ["messages.1.parts"]
    chat.answered(c9="forged", c1=1, c2=2)
    outputs = [part["output"] for part in chat.parts() if "output" in part]
    assert outputs == [1, 2]


def test_after_the_end_the_same_is_told_again(chat: Chat) -> None:
    chat.answered(c1=1, c2=2)
    first = chat.parts()
    chat.answered(c1="late", c2="late")

    assert chat.parts() == first


def test_what_a_new_message_has_denied_is_told(chat: Chat, server: Tandem) -> None:
    talks = Chat(server, chat.id)
    assert types(talks.parts())[-1] == "finish"
    chat.answered(c1="late", c2="late")
    parts = chat.parts("?version=7")

    assert types(parts) == ["start", *["tool-output-denied"] * 2, "start-step", "abort"]


def test_the_version_may_be_in_the_query_or_the_body(chat: Chat) -> None:
    assert "finishReason" not in chat.resume()[-1]
    assert chat.resume("?version=6")[-1]["finishReason"] == "tool-calls"
    chat.answered(c1=1)
    assert chat.parts(version=6)[-1]["finishReason"] == "tool-calls"
    chat.answered(c2=1)
    assert chat.parts("?version=6")[-1]["finishReason"] == "stop"


@pytest.mark.parametrize("version", ["1", "x", ""])
def test_a_version_that_is_none_is_named(chat: Chat, version: str) -> None:
    path = f"{PATH}/{chat.id}/stream?version={version}"
    for answer in (
        chat.http.get(path, headers=chat.headers),
        chat.post(f"?version={version}"),
    ):
        assert answer.status_code == 400
        assert list(answer.json["error"]["fields"]) == ["version"]


def test_a_tool_that_nobody_has_is_named(server: Tandem) -> None:
    chat = Chat(server, "no-such-tool")
    answer = chat.post(tools=["no_such_tool"])

    assert (answer.status_code, list(answer.json["error"]["fields"])) == (400, ["tools"])
