"""Runs that wait, over HTTP in one process: what they wait for, answers, refusals, expiry."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.tools.tool import tool
from app.tools.toolbox import Toolbox
from app.wiring import create_app, load_settings
from tests.support.called import CALLED, call, definition
from tests.support.clock import HandClock
from tests.support.in_process import DEFAULTS
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.sse import SseEvent, SseParser

LOOK = definition("look")


@pytest.fixture(scope="module")
def ran() -> list[str]:
    """What the tool was run for."""
    return []


@pytest.fixture(scope="module")
def scripted() -> ScriptedProvider:
    provider = ScriptedProvider()
    provider.parameters = frozenset({"tools", "tool_choice"})
    return provider


@pytest.fixture(scope="module")
def server(scripted: ScriptedProvider, ran: list[str]) -> Iterator[Tandem]:
    @tool(approval="always")
    def send(to: str) -> str:
        """Send it."""
        ran.append(to)
        return f"sent to {to}"

    settings = load_settings({**DEFAULTS, "JWT_SECRET": ""})
    made = create_app(settings, {"scripted": scripted}, ThreadRuntime())
    toolbox: Toolbox = made.app.extensions["tandem.services"].toolbox
    toolbox.add(send)
    made.started()
    yield made
    made.stopped = True


@pytest.fixture
def http(server: Tandem) -> FlaskClient:
    client: FlaskClient = server.app.test_client()
    return client


@pytest.fixture(autouse=True)
def nothing_left(scripted: ScriptedProvider) -> None:
    scripted.forget()


def events_of(body: bytes) -> list[SseEvent]:
    return SseParser().feed(body)


def asked(http: FlaskClient, session_id: str, **fields: Any) -> dict[str, Any]:
    """Send a message whose answer is a call that waits; return the last event."""
    body = {"message": "do it", "session_id": session_id, "partial": False, **fields}
    last: dict[str, Any] = events_of(http.post("/api/chat/stream", json=body).data)[-1].data
    assert "requires_action" in last, last
    return last


def approval(
    http: FlaskClient, scripted: ScriptedProvider, session_id: str
) -> tuple[dict[str, Any], str]:
    """Return the last event of a run that waits for an approval, and where to answer it."""
    scripted.enqueue(call(1, "send", {"to": session_id}), CALLED)
    scripted.enqueue("Done.", STOP)
    last = asked(http, session_id, tools=["send"])
    (action,) = last["requires_action"]
    return last, f"/api/runs/{last['run_id']}/approvals/{action['approval_id']}"


def test_an_approval_is_listed_until_it_is_answered(
    http: FlaskClient, scripted: ScriptedProvider, ran: list[str]
) -> None:
    last, path = approval(http, scripted, "listed")
    run = http.get(f"/api/runs/{last['run_id']}").json
    session = http.get("/api/chat/sessions/listed").json

    assert (run["status"], run["pending"]) == ("requires_action", last["requires_action"])
    assert session["active_run"]["pending"] == last["requires_action"]
    assert "listed" not in ran

    answer = http.post(
        path, json={"approved": True, "reason": "go on"}, headers={"Accept": "text/event-stream"}
    )
    states = [one.data["tool"]["state"] for one in events_of(answer.data) if "tool" in one.data]
    assert states == ["ready", "running", "done"]
    assert events_of(answer.data)[-1].data["full_response"] == "Done."
    assert ran.count("listed") == 1
    # Who reads it from its start reads past the place where it has waited.
    replayed = events_of(http.get(f"/api/runs/{last['run_id']}/events").data)
    assert [one for one in replayed if "requires_action" in one.data] == []
    assert replayed[-1].data["full_response"] == "Done."
    run = http.get(f"/api/runs/{last['run_id']}").json
    assert (run["status"], run["pending"]) == ("completed", [])
    message = http.get("/api/chat/sessions/listed/messages").json["messages"][-1]
    assert [part["type"] for part in message["parts"]] == ["tool_call", "tool_result", "text"]


def test_a_denial_is_told_the_model_and_nothing_is_run(
    http: FlaskClient, scripted: ScriptedProvider, ran: list[str]
) -> None:
    _, path = approval(http, scripted, "denied")
    taken = http.post(path, json={"approved": False, "reason": "too dear"}).json

    assert taken["answers"][0]["approved"] is False and "denied" not in ran
    followed = events_of(http.get(f"/api/runs/{taken['run_id']}/events?after={taken['seq']}").data)
    assert followed[-1].data["done"] is True
    result = scripted.requests[-1].messages[-1].content[-1]
    assert result["denied"] is True and result["reason"] == "too dear"


def test_fifty_answers_at_once_are_one(
    http: FlaskClient, server: Tandem, scripted: ScriptedProvider, ran: list[str]
) -> None:
    last, path = approval(http, scripted, "fifty")
    together = threading.Barrier(50, timeout=30)
    answers: list[Any] = []

    def answer(approved: bool) -> None:
        together.wait()
        answers.append(server.app.test_client().post(path, json={"approved": approved}))

    tasks = [threading.Thread(target=answer, args=(n % 2 == 0,)) for n in range(50)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(60)

    assert [one.status_code for one in answers] == [200] * 50
    first = answers[0].json["answers"]
    assert all(one.json["answers"] == first for one in answers)
    done = http.get(f"/api/runs/{last['run_id']}/events").data
    assert ran.count("fifty") == (1 if first[0]["approved"] else 0)
    assert sum("done" in one.data for one in events_of(done)) == 1


def test_results_of_the_client_s_come_into_the_same_message(
    http: FlaskClient, scripted: ScriptedProvider
) -> None:
    scripted.enqueue("I look. ", [*call(1, "look"), *call(2, "look")], CALLED)
    scripted.enqueue("Seen.", STOP)
    last = asked(http, "results", tools=[LOOK])
    path = f"/api/runs/{last['run_id']}/results"
    first = http.post(path, json={"results": [{"call_id": "c2", "output": {"a": 1}}]}).json
    assert (first["status"], first["answers"][0]["output"]) == ("requires_action", {"a": 1})
    again = http.post(path, json={"results": [{"call_id": "c2", "output": "other"}]}).json
    assert again["answers"] == first["answers"]
    followed = events_of(http.get(f"/api/runs/{last['run_id']}/events").data)
    (waits,) = [one.data for one in followed if "requires_action" in one.data]
    assert [one["call_id"] for one in waits["requires_action"]] == ["c1"]
    last_one = {"results": [{"call_id": "c1", "error": "nothing there"}]}
    events = events_of(http.post(path, json=last_one, headers={"Accept": "text/event-stream"}).data)

    assert events[-1].data["full_response"] == "I look. Seen."
    assert events[-1].data["run_id"] == last["run_id"]
    messages = http.get("/api/chat/sessions/results/messages").json["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant"]
    results = [part for part in messages[1]["parts"] if part["type"] == "tool_result"]
    assert [one.get("output", one.get("error")) for one in results] == [{"a": 1}, "nothing there"]


def test_a_whole_answer_says_what_is_waited_for(
    http: FlaskClient, scripted: ScriptedProvider
) -> None:
    scripted.enqueue("Wait. ", call(1, "look"), CALLED)
    body = {"message": "do it", "session_id": "whole", "tools": [LOOK]}
    answer = http.post("/api/chat", json=body)

    assert answer.status_code == 200 and answer.json["response"] == "Wait. "
    assert answer.json["requires_action"][0]["call_id"] == "c1"


def test_a_viewer_who_comes_while_it_waits_sees_that_and_no_more(
    http: FlaskClient, scripted: ScriptedProvider
) -> None:
    last, _ = approval(http, scripted, "viewer")
    path = f"/api/runs/{last['run_id']}/events"

    assert events_of(http.get(path).data)[-1].data == last
    assert http.get(f"{path}?after={last['seq']}").status_code == 204


def test_a_new_message_denies_what_is_open(http: FlaskClient, scripted: ScriptedProvider) -> None:
    last, path = approval(http, scripted, "instead")
    body = {"message": "never mind", "session_id": "instead"}
    answer = http.post("/api/chat", json=body)

    assert answer.json["response"] == "Done."
    run = http.get(f"/api/runs/{last['run_id']}").json
    assert (run["status"], run["pending"]) == ("stopped", [])
    assert http.post(path, json={"approved": True}).json["status"] == "stopped"


def test_a_stop_ends_what_waits(http: FlaskClient, scripted: ScriptedProvider) -> None:
    last, path = approval(http, scripted, "stopped")
    receipt = http.post(f"/api/runs/{last['run_id']}/stop").json

    assert receipt["status"] == "stopped" and receipt["seq"] > last["seq"]
    assert http.post(f"/api/runs/{last['run_id']}/stop").json["status"] == "stopped"
    events = events_of(http.get(f"/api/runs/{last['run_id']}/events").data)
    assert [one.data["tool"]["state"] for one in events if "tool" in one.data][-1] == "stopped"
    assert http.post(path, json={"approved": True}).json["status"] == "stopped"


@pytest.mark.parametrize(
    "path,body,status",
    [
        ("approvals/nothing", {"approved": True}, 404),
        ("results", {"results": [{"call_id": "nothing", "output": 1}]}, 404),
        ("results", {"results": [{"call_id": "c1", "output": 1}]}, 404),  # the server's
        ("results", {"results": []}, 400),
        ("results", {"results": [{"call_id": "c1"}]}, 400),
        ("results", {"results": [{"call_id": "c1", "output": 1, "error": "x"}]}, 400),
        ("results", {}, 400),
        ("approvals/nothing", {"approved": "yes"}, 400),
        ("approvals/nothing", {"approved": True, "reason": "x" * 3000}, 400),
    ],
)
def test_what_was_not_asked_cannot_be_answered(
    http: FlaskClient, scripted: ScriptedProvider, path: str, body: Any, status: int
) -> None:
    last, right = approval(http, scripted, f"refused-{path[:8]}-{hash(str(body))}")
    answer = http.post(f"/api/runs/{last['run_id']}/{path}", json=body)

    assert answer.status_code == status, answer.json
    assert http.get(f"/api/runs/{last['run_id']}").json["pending"] == last["requires_action"]
    absent = http.post("/api/runs/none/approvals/none", json={"approved": True})
    assert absent.status_code == 404
    assert right


@pytest.mark.parametrize(
    "fields,named",
    [
        ({"tools": ["nothing"]}, "tools"),
        ({"tools": [LOOK, LOOK]}, "tools"),
        ({"tools": ["send", definition("send")]}, "tools"),
        ({"tools": [{"type": "custom"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [definition("no spaces")]}, "tools.0.function.name"),
        ({"tools": [LOOK], "tool_choice": "perhaps"}, "tool_choice"),
        ({"tools": [LOOK] * 129}, "tools"),
        ({"tools": [LOOK], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"stop": ["x"]}, "stop"),
        ({"seed": 1}, "seed"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    http: FlaskClient, fields: dict[str, Any], named: str
) -> None:
    answer = http.post("/api/chat", json={"message": "hi", **fields})

    assert answer.status_code == 400
    assert list(answer.json["error"]["fields"]) == [named]


def test_what_has_expired_is_denied_and_the_model_not_asked() -> None:
    clock, provider = HandClock(), ScriptedProvider()
    provider.parameters = frozenset({"tools"})
    made = create_app(
        load_settings({**DEFAULTS, "ACTION_TTL_S": "60"}),
        {"scripted": provider},
        ThreadRuntime(),
        clock.clock,
    )
    http = made.app.test_client()
    provider.enqueue(call(1, "look"), CALLED)
    last = asked(http, "expired", tools=[LOOK])
    runs = made.app.extensions["tandem.services"].runs
    runs.end_expired()
    assert http.get(f"/api/runs/{last['run_id']}").json["status"] == "requires_action"

    clock.advance(61)
    runs.end_expired()
    assert http.get(f"/api/runs/{last['run_id']}").json["status"] == "stopped"
    events = events_of(http.get(f"/api/runs/{last['run_id']}/events").data)
    assert [one.data["tool"]["state"] for one in events if "tool" in one.data][-1] == "denied"
    assert len(provider.requests) == 1


def test_a_run_whose_provider_has_gone_fails_when_it_is_answered(tmp_path: Path) -> None:
    settings = load_settings({**DEFAULTS, "DATABASE_URL": f"sqlite:///{tmp_path}/tandem.db"})
    provider = ScriptedProvider()
    provider.parameters = frozenset({"tools"})
    provider.enqueue(call(1, "look"), CALLED)
    before = create_app(settings, {"scripted": provider}, ThreadRuntime())
    last = asked(before.app.test_client(), "gone", tools=[LOOK])
    before.stopping()

    http = create_app(settings, {}, ThreadRuntime()).app.test_client()
    results = {"results": [{"call_id": "c1", "output": "seen"}]}
    answer = http.post(f"/api/runs/{last['run_id']}/results", json=results)
    run = http.get(f"/api/runs/{last['run_id']}").json

    assert (answer.status_code, run["status"]) == (200, "failed")
    assert run["error"]["code"] == "cannot_go_on" and "provider" in run["error"]["message"]
    assert http.post("/api/chat", json={"message": "hi", "session_id": "gone"}).status_code == 200


def test_the_server_s_tools_are_listed(http: FlaskClient) -> None:
    tools = {one["name"]: one for one in http.get("/api/tools").json["tools"]}

    assert {"calculator", "current_time", "send"} <= tools.keys()
    assert (tools["send"]["approval"], tools["calculator"]["approval"]) == ("always", "never")
    assert tools["send"]["parameters"]["required"] == ["to"]
