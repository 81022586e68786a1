"""A tool that asks: the run waits, with what else it waits for, and goes on with the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.core.errors import InvalidRequest
from app.core.tools import Reply
from app.dialects.native_answers import check_answers
from tests.support.in_process import InProcess

BODY = {"message": '/call order {"what": "shirt"}', "tools": ["order"]}


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    server = InProcess(TOOLS="tests.support.asking_tools:order")
    yield server
    server.stop()


def record(server: InProcess, run_id: str) -> dict[str, Any]:
    path = f"/api/runs/{run_id}"
    assert server.wait_until(lambda: server.get(path).json["status"] != "running")
    found: dict[str, Any] = server.get(path).json
    return found


def answer(server: InProcess, run_id: str, **body: Any) -> dict[str, Any]:
    """Answer the one thing a run waits for; return its record when it goes on no more."""
    (action,) = record(server, run_id)["pending"]
    answered = server.post(f"/api/runs/{run_id}/approvals/{action['approval_id']}", body)
    assert answered.status == 200, answered.json
    return record(server, run_id)


def asked(server: InProcess) -> str:
    """Start a call, and allow it; return the run, which waits for the answer to its question."""
    run_id: str = server.post("/api/chat", BODY).json["run_id"]
    (action,) = answer(server, run_id, approved=True)["pending"]
    assert (action["kind"], action["message"]) == ("question", "Which size?")
    assert action["schema"]["required"] == ["size"] and "state" not in action
    return run_id


def reply(server: InProcess, run_id: str) -> str:
    found = record(server, run_id)
    path = f"/api/chat/sessions/{found['session_id']}/messages"
    return str(server.get(path).json["messages"][-1]["content"])


def test_a_question_after_an_approval(server: InProcess) -> None:
    run_id = asked(server)
    assert answer(server, run_id, approved=True, answer={"size": 42})["status"] == "completed"
    assert "shirt of size 42" in reply(server, run_id)


def test_the_tool_is_told_a_no(server: InProcess) -> None:
    run_id = asked(server)
    assert answer(server, run_id, approved=False)["status"] == "completed"
    assert "Nothing was ordered." in reply(server, run_id)


def test_a_second_question_has_the_second_answer(server: InProcess) -> None:
    run_id = asked(server)
    (action,) = answer(server, run_id, approved=True, answer={"size": 101})["pending"]
    assert (action["kind"], action["message"]) == ("question", "So large?")
    assert "schema" not in action
    assert answer(server, run_id, approved=False)["status"] == "completed"
    assert "Nothing was ordered." in reply(server, run_id)


def test_the_state_is_shown_to_nobody(server: InProcess) -> None:
    run_id = asked(server)
    events = server.get(f"/api/runs/{run_id}/events").body.decode()
    assert "Which size?" in events and 'state": {' not in events


def test_where_nobody_can_be_asked_the_call_fails(server: InProcess) -> None:
    body = {
        "model": "demo",
        "messages": [{"role": "user", "content": BODY["message"]}],
        "server_tools": ["order"],
    }
    said = server.post("/v1/chat/completions", body).json["choices"][0]["message"]["content"]
    assert "nobody can be asked here" in said


QUESTION = {"n": 1, "call_id": "c", "name": "t", "kind": "question", "approval_id": "a"}


def wrong(schema: Any, **data: Any) -> dict[str, str]:
    """Return what is said of an answer to a question with that schema."""
    reply = Reply("a", "approval_answer", {"approved": True, **data})
    try:
        check_answers([reply], [{**QUESTION, "schema": schema}])
    except InvalidRequest as error:
        return dict(error.fields or {})
    return {}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    "schema,value,fields",
    [
        (of(a={"type": "string"}), {"a": "b"}, []),
        (of(a={"type": "string"}), None, ["answer"]),
        (of(a={"type": "string"}), {"a": None}, ["answer.a"]),
        (of(a={"type": "string", "enum": ["x"]}), {"a": "y"}, ["answer.a"]),
        (of(a={"type": "string", "enum": ["x"]}), {"a": "x"}, []),
        (of(a={"type": "integer"}), {"a": 1}, []),
        (of(a={"type": "integer"}), {"a": True}, ["answer.a"]),
        (of(a={"type": "integer"}), {"a": 1.5}, ["answer.a"]),
        (of(a={"type": "number"}), {"a": 1.5}, []),
        (of(a={"type": "boolean"}), {"a": True}, []),
        (of(a={"type": "array", "items": {"enum": ["x"]}}), {"a": ["x", "y"]}, ["answer.a.1"]),
        (of(k=of(a={"type": "string"})), {"k": {}}, ["answer.k.a"]),
        (of(a={}, b={}), {"c": 1}, ["answer.a", "answer.b", "answer.c"]),
        ({"type": ["object"], "properties": 1, "required": 1, "enum": 1}, {"a": 1}, []),
        ({"type": "unheard-of"}, 1, []),
        ("no schema", 1, []),
    ],
)
def test_what_does_not_fit_is_named(schema: Any, value: Any, fields: list[str]) -> None:
    assert sorted(wrong(schema, answer=value)) == fields


def test_only_answers_to_the_question_are_looked_at() -> None:
    assert wrong(of(a={}), approved=False) == {}
    assert wrong(None) == {}
