"""Calls in the log, as processes: cut, resumed elsewhere, allowed from another device, stopped; and
what is left after kill -9."""

from __future__ import annotations

import threading

import pytest

from tests.support.calling import call_delta, calls, last_results
from tests.support.doors import SECRET, token_of
from tests.support.server_tools import NAMES, Gate, called
from tests.support.sse import follow_run, stream_chat
from tests.support.upstream import in_turn, say

SERVER_TOOLS = ["note", "send", "wait"]


@pytest.fixture
def server(start_server, upstream):
    return start_server(TOOLS=NAMES)


@pytest.fixture
def gate(server):
    made = Gate(server.folder)
    yield made
    made.open()


def told(events):
    """Return what the events say, but for the text so far, which not everybody asked for."""
    return [{**event.data, "partial": None} for event in events]


def states(events):
    """Return what became of each call, in order, as (call's name, state)."""
    tools = [event.data["tool"] for event in events if "tool" in event.data]
    return [(tool["name"], tool["state"]) for tool in tools]


def test_a_call_is_seen_from_anywhere_and_allowed_from_a_third_place(server, upstream, connect):
    half = threading.Event()

    def slowly(exchange):
        exchange.start()
        exchange.event(call_delta(0, "send", '{"to": "b', "call-a"))
        assert half.wait(60)
        exchange.event(call_delta(0, args='ob"}'))
        exchange.finish("tool_calls")

    upstream.reply = in_turn(slowly, say(["Sent."]))
    stream = stream_chat(
        server, "send it", session_id="third", partial=False, tools=["send"], tool_deltas=True
    )
    calling, args = stream.take(2)
    assert args.data["tool"] == {
        **{name: calling.data["tool"][name] for name in ("n", "call_id", "name", "state")},
        "delta": '{"to": "b',
    }
    stream.close()  # in the middle of its arguments
    half.set()

    socket = connect(server)
    resume = {"run_id": stream.run_id, "seq": args.data["seq"], "tool_deltas": True}
    socket.call("chat_resume", resume)
    waits = socket.wait_for_end()
    (action,) = waits["requires_action"]
    assert (action["kind"], action["input"]) == ("approval", {"to": "bob"})
    deltas = [data["tool"]["delta"] for name, data in socket.events if "delta" in str(data)]
    assert '{"to": "b' + "".join(deltas) == '{"to": "bob"}'

    third = connect(server)
    approve = {"run_id": stream.run_id, "approval_id": action["approval_id"], "approved": True}
    ack = third.call("chat_approve", {**approve, "partial": False})
    assert ack["answers"][0]["approved"] is True
    end = third.wait_for_end()
    assert end["full_response"] == "Sent." and end["run_id"] == stream.run_id
    assert called(server.folder) == ["send bob"]
    first = follow_run(server, stream.run_id, waits["seq"]).rest()
    assert states(first) == [("send", "ready"), ("send", "running"), ("send", "done")]
    assert [event.data for event in first][-1] == end
    # The model was given what the tool said, with its own id of the call.
    assert last_results(upstream.wait_for(2)) == {"call-a": "sent to bob"}


def test_what_waits_is_still_there_after_kill_9_once(server, upstream):
    upstream.reply = in_turn(calls(("send", {"to": "bob"})), say(["Sent."]))
    stream = stream_chat(server, "send it", session_id="kill", partial=False, tools=["send"])
    before = stream.rest()
    server.kill()
    server.restart()

    run = server.get(f"/api/runs/{stream.run_id}").json
    assert run["status"] == "requires_action"
    assert run["pending"] == before[-1].data["requires_action"]
    assert told(follow_run(server, stream.run_id).rest()) == told(before)
    approval_id = run["pending"][0]["approval_id"]
    answers = [
        server.post(f"/api/runs/{stream.run_id}/approvals/{approval_id}", {"approved": True})
        for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [200, 200]
    done = follow_run(server, stream.run_id, before[-1].data["seq"]).rest()
    assert done[-1].data["full_response"] == "Sent."
    assert called(server.folder) == ["send bob"]


def test_a_tool_that_ran_at_kill_9_is_unknown_and_never_run_again(server, gate, upstream):
    upstream.reply = in_turn(calls(("wait", {"name": "bob"}), ("note", {"text": "x"})), say(["?"]))
    stream = stream_chat(server, "wait", session_id="unknown", partial=False, tools=SERVER_TOOLS)
    # Once its first output is seen it surely runs.
    assert server.wait_until(lambda: "wait bob" in called(server.folder))
    server.kill()
    server.restart()
    events = follow_run(server, stream.run_id).rest()

    assert states(events).count(("wait", "unknown")) == 1
    assert events[-1].data["code"] == "shutting_down"
    run = server.get(f"/api/runs/{stream.run_id}").json
    assert run["status"] == "interrupted"
    assert called(server.folder).count("wait bob") == 1
    gate.open()
    # The next message tells the model so.
    upstream.reply = say(["I do not know."])
    stream_chat(server, "and?", session_id="unknown", partial=False).rest()
    results = last_results(upstream.exchanges[-1])
    assert "whether it did anything is not known" in " ".join(results.values())
    assert called(server.folder).count("wait bob") == 1


def test_a_stop_ends_a_tool_that_runs(server, gate, upstream):
    upstream.reply = in_turn(calls(("wait", {"name": "bob"})), say(["never"]))
    stream = stream_chat(server, "wait", session_id="stop", partial=False, tools=["wait"])
    while states(stream.take(1)) != [("wait", "running")]:
        pass
    assert server.wait_until(lambda: "wait bob" in called(server.folder))
    receipt = server.post(f"/api/runs/{stream.run_id}/stop").json
    events = stream.rest()

    assert receipt["status"] == "stopped"
    assert states(events)[-1] == ("wait", "stopped")
    assert events[-1].data["finish_reason"] == "stopped"
    assert server.wait_until(lambda: "ended bob" in called(server.folder))
    assert len(upstream.exchanges) == 1


def test_a_resume_in_the_middle_of_a_tool_loses_nothing(server, gate, upstream):
    upstream.reply = in_turn(calls(("wait", {"name": "bob"}), text="Wait. "), say(["Done."]))
    stream = stream_chat(server, "wait", session_id="resume", partial=False, tools=["wait"])
    seen = []
    while not seen or "output" not in seen[-1].data.get("tool", {}):
        seen += stream.take(1)
    stream.close()
    gate.open()
    seen += follow_run(server, stream.run_id, seen[-1].data["seq"]).rest()

    assert told(seen) == told(follow_run(server, stream.run_id).rest())
    became = [state for _, state in states(seen)]
    assert became == ["calling", "ready", "running", "running", "running", "done"]
    assert seen[-1].data["full_response"] == "Wait. Done."
    assert seen[-1].data["usage"]["source"] == "estimated"


def test_another_owner_s_run_is_as_absent(start_server, upstream):
    server = start_server(TOOLS=NAMES, JWT_SECRET=SECRET)
    upstream.reply = in_turn(calls(("send", {"to": "bob"})), say(["Sent."]))
    ann, eve = (token_of(name) for name in ("ann", "eve"))
    body = {"message": "send it", "tools": ["send"], "partial": False}
    answer = server.post("/api/chat", body, Authorization=f"Bearer {ann}").json
    action = answer["requires_action"][0]
    path = f"/api/runs/{answer['run_id']}/approvals/{action['approval_id']}"

    def asked(path, name):
        return server.post(path, {"approved": True}, Authorization=f"Bearer {name}")

    absent, foreign = asked("/api/runs/none/approvals/none", eve), asked(path, eve)
    assert without_id(absent) == without_id(foreign) and foreign.status == 404
    assert asked(path, ann).status == 200
    assert server.wait_until(lambda: called(server.folder) == ["send bob"])


def without_id(answer):
    error = answer.json["error"]
    return answer.status, {name: value for name, value in error.items() if name != "error_id"}


def test_fifty_answers_over_both_transports_are_one(server, upstream, connect):
    upstream.reply = in_turn(calls(("send", {"to": "bob"})), say(["Sent."]))
    stream = stream_chat(server, "send it", session_id="fifty", partial=False, tools=["send"])
    action = stream.rest()[-1].data["requires_action"][0]
    path = f"/api/runs/{stream.run_id}/approvals/{action['approval_id']}"
    data = {"run_id": stream.run_id, "approval_id": action["approval_id"]}
    sockets = [connect(server) for _ in range(5)]
    together, answers = threading.Barrier(50, timeout=60), []

    def over_http(approved):
        together.wait()
        answers.append(server.post(path, {"approved": approved}).json)

    def over_socket(socket, approved):
        together.wait()
        answers.append(socket.call("chat_approve", {**data, "approved": approved}))

    tasks = [threading.Thread(target=over_http, args=(n % 2 == 0,)) for n in range(25)]
    tasks += [
        threading.Thread(target=over_socket, args=(sockets[n % 5], n % 2 == 0)) for n in range(25)
    ]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(120)

    first = answers[0]["answers"]
    assert len(answers) == 50 and all(one["answers"] == first for one in answers)
    events = follow_run(server, stream.run_id).rest()
    assert events[-1].data["done"] is True
    assert called(server.folder) == (["send bob"] if first[0]["approved"] else [])
