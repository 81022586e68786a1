"""Tools of MCP servers, made with the official SDK: calls in replies, questions to the user, and
what is left when Tandem ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import topology
from tests.support.mcp_servers.running import HttpServer, Seen, below, ended, stdio
from tests.support.server import Server
from tests.support.sse import stream_chat

pytestmark = topology.in_one_process

DEMO = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "STREAM_DELAY_S": "0", "TOOL_TIMEOUT_S": "120"}
AWAY = '[servers.away]\ncommand = "/no/such/command"\n'
PLACE = {"city": "Rome", "nights": 2}


class Tandem:
    """A server with MCP servers."""

    def __init__(self, start: Callable[..., Server], file: Path, text: str) -> None:
        file.write_text(text)
        self.server = start(**DEMO, MCP_SERVERS=file)
        self.ask = self.server.post

    def names(self) -> set[str]:
        """Return the tools that /api/tools has."""
        return {one["name"] for one in self.server.get("/api/tools").json["tools"]}

    def wait_for(self, *names: str) -> None:
        """Wait until these are listed."""
        found = self.server.wait_until(lambda: self.names() >= {*names}, 170)
        assert found, (self.names(), self.server.output)

    def body(self, name: str, given: str = "{}", **more: Any) -> dict[str, Any]:
        return {"message": f"/call {name} {given}", "tools": [name], **more}

    def said(self, name: str, given: str = "{}") -> str:
        """Have the demo call a tool; return what it says of the result."""
        return str(self.ask("/api/chat", self.body(name, given)).json["response"])

    def asked(self, name: str, given: str = "{}") -> dict[str, Any]:
        """Have the demo call a tool that asks the user; return the answer that says so."""
        answer: dict[str, Any] = self.ask("/api/chat", self.body(name, given)).json
        assert [one["kind"] for one in answer["requires_action"]] == ["question"], answer
        return answer

    def answer(self, waiting: dict[str, Any], **answer: Any) -> Any:
        """Answer what a run has asked."""
        approval_id = waiting["requires_action"][0]["approval_id"]
        return self.ask(f"/api/runs/{waiting['run_id']}/approvals/{approval_id}", answer)

    def record(self, waiting: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a run once it does not go on any more."""
        path = f"/api/runs/{waiting['run_id']}"
        assert self.server.wait_until(lambda: self.server.get(path).json["status"] != "running")
        record: dict[str, Any] = self.server.get(path).json
        return record

    def reply(self, waiting: dict[str, Any]) -> str:
        """Return the text of the reply."""
        self.record(waiting)
        path = f"/api/chat/sessions/{waiting['session_id']}/messages"
        return str(self.server.get(path).json["messages"][-1]["content"])


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    server = HttpServer(tmp_path_factory.mktemp("http"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp")


@pytest.fixture(scope="module")
def seen(folder: Path) -> Iterator[Seen]:
    made = Seen(folder / "seen")
    yield made
    made.close()


@pytest.fixture(scope="module")
def tandem(start_one: Callable[..., Server], folder: Path, http: HttpServer, seen: Seen) -> Tandem:
    text = [
        stdio("new", SEEN=folder / "seen", MANY=200),
        stdio("old", "2025"),
        http.table("web"),
        http.table("sure", more='tools = ["add"]\napproval = "always"'),
        stdio("quick", more="timeout_s = 1"),
        AWAY,
    ]
    tandem = Tandem(start_one, folder / "mcp.toml", "".join(text))
    tandem.wait_for("new_add", "old_add", "web_add", "sure_add", "quick_add")
    return tandem


def test_the_list_says_where_tools_are_from(tandem: Tandem) -> None:
    tools = {one["name"]: one for one in tandem.server.get("/api/tools").json["tools"]}
    assert tools["web_add"]["source"] == "mcp:web"
    assert tools["web_add"]["parameters"]["required"] == ["a", "b"]
    assert (tools["web_add"]["approval"], tools["sure_add"]["approval"]) == ("never", "always")
    assert len([name for name in tools if name.startswith("new_tool_")]) == 200
    assert "sure_greet" not in tools and "current_time" in tools


@pytest.mark.parametrize("server", ["new", "old", "web"])
def test_a_call(tandem: Tandem, server: str) -> None:
    assert "answered:\n\n> 42" in tandem.said(f"{server}_add", '{"a": 40, "b": 2}')
    assert "Error: Error executing tool fail: the printer" in tandem.said(f"{server}_fail")


def test_events_of_a_call(tandem: Tandem) -> None:
    body = tandem.body("web_links")
    stream = stream_chat(tandem.server, body["message"], tools=body["tools"])
    events = [event.data["tool"] for event in stream.rest() if "tool" in event.data]
    assert [one["state"] for one in events] == ["calling", "ready", "running", "done"]
    assert events[0]["source"] == "mcp:web"
    assert events[-1]["sources"][0] == {"url": "https://example.org/a", "title": "The first"}


def test_a_tool_that_must_be_allowed(tandem: Tandem) -> None:
    body = tandem.body("sure_add", '{"a": 1, "b": 2}')
    waiting = tandem.ask("/api/chat", body).json
    assert [one["kind"] for one in waiting["requires_action"]] == ["approval"]
    assert tandem.answer(waiting, approved=True).status == 200
    assert "> 3" in tandem.reply(waiting)


@pytest.mark.parametrize("server", ["new", "old", "web"])
def test_a_question(tandem: Tandem, server: str) -> None:
    waiting = tandem.asked(f"{server}_book")
    (action,) = waiting["requires_action"]
    assert action["message"] == "Where to?" and action["schema"]["required"] == ["city"]
    assert "state" not in action  # the server's own
    assert tandem.record(waiting)["status"] == "requires_action"
    assert tandem.answer(waiting, approved=True, answer=PLACE).status == 200
    assert "2 nights in Rome" in tandem.reply(waiting)


@pytest.mark.parametrize("server", ["old", "web"])
def test_a_question_that_is_declined(tandem: Tandem, server: str) -> None:
    waiting = tandem.asked(f"{server}_book")
    assert tandem.answer(waiting, approved=False).status == 200
    assert "elicitation was decline" in tandem.reply(waiting)


def test_two_questions_of_one_call(tandem: Tandem) -> None:
    waiting = tandem.asked("old_twice")
    tandem.answer(waiting, approved=True, answer=PLACE)
    record = tandem.record(waiting)
    assert (record["status"], record["pending"][0]["message"]) == ("requires_action", "Second?")
    tandem.answer({**waiting, "requires_action": record["pending"]}, approved=False)
    assert "accept decline" in tandem.reply(waiting)


@pytest.mark.parametrize(
    "answer,field",
    [
        ({}, "answer"),
        ({"answer": "Rome"}, "answer"),
        ({"answer": {}}, "answer.city"),
        ({"answer": {"city": 1}}, "answer.city"),
        ({"answer": {"city": "Rome", "nights": "2"}}, "answer.nights"),
        ({"answer": {"city": "Rome", "other": 1}}, "answer.other"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    tandem: Tandem, answer: dict[str, Any], field: str
) -> None:
    waiting = tandem.asked("web_book")
    refused = tandem.answer(waiting, approved=True, **answer)
    assert (refused.status, list(refused.json["error"]["fields"])) == (400, [field])
    assert tandem.answer(waiting, approved=True, answer=PLACE).status == 200
    assert "2 nights in Rome" in tandem.reply(waiting)


def test_a_call_that_hangs_ends_while_others_go_on(tandem: Tandem) -> None:
    said: list[str] = []
    hanging = threading.Thread(target=lambda: said.append(tandem.said("quick_hang")))
    hanging.start()
    assert "> 3" in tandem.said("new_add", '{"a": 1, "b": 2}')
    hanging.join()
    assert "It took longer than 1 s and was ended." in said[0]


def test_a_stop_cancels_the_call(tandem: Tandem, seen: Seen) -> None:
    body = tandem.body("new_hang")
    stream = stream_chat(tandem.server, body["message"], tools=body["tools"])
    assert seen.wait_for("hangs")
    assert tandem.ask(f"/api/runs/{stream.run_id}/stop").json["status"] == "stopped"
    assert seen.wait_for("cancelled")


def test_a_server_that_dies_in_a_call(tandem: Tandem) -> None:
    assert "went away during the call" in tandem.said("new_die")
    assert "> 3" in tandem.said("new_add", '{"a": 1, "b": 2}')


def test_a_server_that_is_away(tandem: Tandem) -> None:
    assert tandem.server.wait_until(lambda: "away is away: /no/such" in tandem.server.output)
    body = {"message": "hello", "tools": ["away_tool", "current_time"]}
    assert tandem.ask("/api/chat", body).status == 200
    assert tandem.ask("/api/chat", {"message": "hello", "tools": ["nobody_tool"]}).status == 400


def test_a_question_of_the_newer_protocol_outlives_the_process(
    start_server: Callable[..., Server], tmp_path: Path, http: HttpServer
) -> None:
    tandem = Tandem(start_server, tmp_path / "mcp.toml", http.table("web") + stdio("old", "2025"))
    tandem.wait_for("web_book", "old_book")
    waiting, in_session = tandem.asked("web_book"), tandem.asked("old_book")
    left = below(tandem.server.process.pid)
    assert len(left) == 2
    tandem.server.kill()
    assert ended(left)

    tandem.server.restart()
    assert tandem.answer(waiting, approved=True, answer=PLACE).status == 200
    assert "2 nights in Rome" in tandem.reply(waiting)
    assert tandem.answer(in_session, approved=True, answer=PLACE).status == 200
    assert "waits for this answer no longer" in tandem.reply(in_session)


def test_the_end_of_tandem_is_that_of_its_children(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    tandem = Tandem(start_server, tmp_path / "mcp.toml", stdio("a") + stdio("b"))
    assert below(tandem.server.process.pid) == set()  # nobody has asked for a tool yet
    tandem.wait_for("a_add", "b_add")
    left = below(tandem.server.process.pid)
    assert len(left) == 3
    assert tandem.server.stop(60) == 0
    assert ended(left)


@pytest.mark.parametrize(
    "text,said",
    [(None, "No such file"), ("[servers.a]\n", "servers.a: must have either command or url")],
)
def test_a_wrong_file_stops_the_start(
    start_server: Callable[..., Server], tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "mcp.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(AssertionError, match=f"MCP_SERVERS is .*: .*{said}"):
        start_server(MCP_SERVERS=file)
