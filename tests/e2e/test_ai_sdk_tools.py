"""The AI SDK's versions 5, 6 and 7 with tools, as they are published: the client's, the server's,
approvals; what a reply waits for is answered by sending the messages again."""

from __future__ import annotations

import pytest

from tests.support.calling import calls, last_results
from tests.support.node import Script, find_node, install
from tests.support.server_tools import NAMES, called
from tests.support.upstream import in_turn, say

pytestmark = pytest.mark.timeout(300)  # the first test installs the clients

AI_SDKS = {"ai 5": ("ai5", 20), "ai 6": ("ai6", 20), "ai 7": ("ai", 22)}
ROME = ("weather", {"city": "Rom"})


@pytest.fixture(scope="module")
def server(start_one):
    return start_one(TOOLS=NAMES)


@pytest.fixture(params=AI_SDKS)
def ai(request, server, upstream):
    """Run a script with one of the SDK's versions; return what it reports."""
    install()
    package, version = AI_SDKS[request.param]
    started: list[Script] = []

    def run(case: str, chat_id: str):
        chat_id = f"{chat_id}-{package}"
        started.append(
            Script(find_node(version), "ai_sdk_tools", server.url, case, chat_id, package)
        )
        return [Report(value) for value in started[-1].rest()]

    run.package = package
    run.is_newer = package != "ai5"
    yield run
    for script in started:
        script.close()


class Report:
    """What a chat has."""

    def __init__(self, value):
        assert (value["status"], value["error"]) == ("ready", None), value
        self.messages = value["messages"]

    @property
    def parts(self):
        """The types of the last message's parts."""
        return [part["type"] for part in self.messages[-1]["parts"]]

    @property
    def tools(self):
        """What has become of each call: its type, state, input and output."""
        fields = ("type", "state", "input", "output", "errorText")
        return [
            {name: part[name] for name in fields if name in part}
            for part in self.messages[-1]["parts"]
            if part["type"].startswith("tool-")
        ]

    @property
    def text(self):
        """Its texts, joined."""
        parts = self.messages[-1]["parts"]
        return "".join(part["text"] for part in parts if part["type"] == "text")

    @property
    def metadata(self):
        """Its metadata."""
        return self.messages[-1]["metadata"]


def asked(exchange):
    """Return role and text of the messages that went to the model."""
    return [(one["role"], one["content"]) for one in exchange.body["messages"]]


def test_the_clients_own_tool(ai, server, upstream):
    upstream.reply = in_turn(calls(ROME, text="Let me see."), say(["20 degrees."]))
    (report,) = ai("client", "own")
    assert report.parts == ["step-start", "text", "tool-weather", "step-start", "text"]
    output = {"degrees": 20, "city": "Rom"}
    tool = {"type": "tool-weather", "state": "output-available", "input": {"city": "Rom"}}
    assert report.tools == [{**tool, "output": output}]
    assert report.text == "Let me see.20 degrees."
    assert report.metadata["finishReason"] == "stop" and report.metadata["requiresAction"] == []
    # One run, one message, two steps.
    assert len(report.messages) == 2
    run_id = report.metadata["runId"]
    record = server.get(f"/api/runs/{run_id}").json
    assert (record["status"], record["message_id"]) == ("completed", report.messages[-1]["id"])
    (result,) = last_results(upstream.wait_for(2)).values()
    assert result == '{"degrees": 20, "city": "Rom"}'


def test_two_at_once_and_then_another(ai, upstream):
    upstream.reply = in_turn(
        calls(ROME, ("time", {})), calls(("weather", {"city": "Bonn"})), say(["Done."])
    )
    (report,) = ai("client", "three")
    assert report.parts == [
        *("step-start", "tool-weather", "tool-time"),
        *("step-start", "tool-weather"),
        *("step-start", "text"),
    ]
    assert [one["output"] for one in report.tools] == [
        {"degrees": 20, "city": "Rom"},
        "12:00",
        {"degrees": 20, "city": "Bonn"},
    ]
    assert len(upstream.exchanges) == 3


def test_a_tool_of_the_servers(ai, server, upstream):
    upstream.reply = in_turn(calls(("note", {"text": ai.package})), say(["Noted."]))
    (report,) = ai("server", "servers")
    assert report.parts == ["step-start", "tool-note", "step-start", "text"]
    assert report.tools == [
        {
            "type": "tool-note",
            "state": "output-available",
            "input": {"text": ai.package},
            "output": f"noted {ai.package}",
        }
    ]
    assert called(server.folder).count(f"note {ai.package}") == 1
    assert "requiresAction" not in report.metadata


def test_arguments_that_are_none_are_an_error_in_every_version(ai, upstream):
    def broken(exchange):
        exchange.start()
        call = {"index": 0, "id": "c", "function": {"name": "weather", "arguments": '{"ci'}}
        exchange.event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
        exchange.finish("tool_calls")

    upstream.reply = in_turn(broken, say(["Sorry."]))
    (report,) = ai("client", "broken")
    (tool,) = report.tools
    assert tool["state"] == "output-error" and "no JSON object" in tool["errorText"]
    assert report.text == "Sorry."


def test_an_error_of_the_clients_tool(ai, upstream):
    if not ai.is_newer:
        pytest.skip("5.0 has no way to say so")
    upstream.reply = in_turn(calls(ROME), say(["No such city."]))
    (report,) = ai("error", "error")
    (tool,) = report.tools
    assert (tool["state"], tool["errorText"]) == ("output-error", "no such city")
    assert last_results(upstream.wait_for(2)).popitem()[1] == "Error: no such city"


def test_answers_that_come_one_by_one(ai, upstream):
    upstream.reply = in_turn(calls(ROME, ("time", {})), say(["Done."]))
    waits, half, done = ai("parts", "parts")
    assert [one["state"] for one in waits.tools] == ["input-available"] * 2
    assert [one["name"] for one in waits.metadata["requiresAction"]] == ["weather", "time"]
    assert [one["state"] for one in half.tools] == ["output-available", "input-available"]
    assert [one["name"] for one in half.metadata["requiresAction"]] == ["time"]
    assert [one["state"] for one in done.tools] == ["output-available"] * 2
    assert (done.text, len(upstream.exchanges)) == ("Done.", 2)
    results = last_results(upstream.exchanges[1])
    assert {key: f"of {key}" for key in results} == results


def test_who_goes_on_talking_has_denied(ai, server, upstream):
    upstream.reply = in_turn(calls(ROME), say(["Well then."]))
    waits, after = ai("ignored", "ignored")
    assert waits.metadata["finishReason"] == "tool-calls"
    assert [one["role"] for one in after.messages] == ["user", "assistant"] * 2
    assert after.text == "Well then."
    assert last_results(upstream.wait_for(2)).popitem()[1] == "The user did not allow this call."
    assert server.get(f"/api/runs/{waits.metadata['runId']}").json["status"] == "stopped"


def test_the_first_answer_counts(ai, upstream):
    upstream.reply = in_turn(calls(ROME), say(["Done."]))
    first, second = ai("second", "second")
    for report in (first, second):
        assert [one["output"] for one in report.tools] == ["the first"]
        assert report.text == "Done."
    assert len(upstream.exchanges) == 2


def test_a_reload_shows_what_is_asked_and_answers_it(ai, upstream):
    upstream.reply = in_turn(calls(ROME), say(["Done."]))
    waits, back = ai("reload", "reload")
    assert back.messages[-1]["id"] == waits.messages[-1]["id"]
    assert [one["output"] for one in back.tools] == [{"degrees": 20, "city": "Rom"}]
    assert back.text == "Done."


def test_what_the_copy_says_of_other_calls_does_not_count(ai, server, upstream):
    upstream.reply = in_turn(calls(ROME), say(["Never said."]))
    with pytest.raises(AssertionError, match="has no answer to what this reply has asked for"):
        ai("forged", "forged")
    active = server.get(f"/api/chat/sessions/forged-{ai.package}").json["active_run"]
    assert active["status"] == "requires_action"
    assert len(upstream.exchanges) == 1


# --- approvals ----------------------------------------------------------------------


def test_what_must_be_allowed_is_allowed(ai, server, upstream):
    if not ai.is_newer:
        pytest.skip("5.0 knows no approvals")
    upstream.reply = in_turn(calls(("send", {"to": ai.package})), say(["Sent."]))
    waits, done = ai("approve", "approve")
    assert [one["state"] for one in waits.tools] == ["approval-requested"]
    assert called(server.folder).count(f"send {ai.package}") == 1
    assert [one["output"] for one in done.tools] == [f"sent to {ai.package}"]
    assert done.text == "Sent."


def test_what_is_not_allowed_is_not_run(ai, server, upstream):
    if not ai.is_newer:
        pytest.skip("5.0 knows no approvals")
    upstream.reply = in_turn(calls(("send", {"to": f"nobody {ai.package}"})), say(["As you like."]))
    _, done = ai("deny", "deny")
    assert [one["state"] for one in done.tools] == ["output-denied"]
    assert called(server.folder).count(f"send nobody {ai.package}") == 0
    result = "The user did not allow this call. Their reason: so"
    assert last_results(upstream.wait_for(2)).popitem()[1] == result


def test_both_kinds_at_once(ai, server, upstream):
    if not ai.is_newer:
        pytest.skip("5.0 knows no approvals")
    upstream.reply = in_turn(calls(ROME, ("send", {"to": f"both {ai.package}"})), say(["Both."]))
    waits, done = ai("approve", "both")
    assert {one["state"] for one in waits.tools} == {"output-available", "approval-requested"}
    assert [one["state"] for one in done.tools] == ["output-available"] * 2
    assert called(server.folder).count(f"send both {ai.package}") == 1


def test_an_old_client_allows_by_the_native_route(ai, server, upstream):
    if ai.is_newer:
        pytest.skip("of 5.0")
    upstream.reply = in_turn(calls(("send", {"to": "old"})), say(["Sent."]))
    (report,) = ai("server", "old")
    assert [one["state"] for one in report.tools] == ["input-available"]
    (action,) = report.metadata["requiresAction"]
    path = f"/api/runs/{report.metadata['runId']}/approvals/{action['approval_id']}"
    assert server.post(path, {"approved": True}).json["answers"][0]["approved"] is True
    again = server.get(f"/api/ai-sdk/chat/old-{ai.package}/stream")
    assert again.status in {200, 204}
    assert server.wait_until(lambda: called(server.folder).count("send old") == 1)
