"""MCP servers as tools, with the SDK's own servers as processes, and plain threads here."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.runs.ports import Clock
from app.runtimes.threads import ThreadRuntime
from app.tools.mcp.client import Client, last_of
from app.tools.mcp.config import servers_of
from app.tools.mcp.servers import LONGEST_PAUSE_S, McpServers
from app.tools.tool import Caller, Question, Tool, ToolError
from tests.support.clock import HandClock
from tests.support.mcp_servers.running import HttpServer, Seen, below, ended, stdio

START_S = 120.0
Make = Callable[..., McpServers]


def made_of(text: str, timeout_s: float = 60, clock: Clock | None = None) -> McpServers:
    servers = servers_of(text, Path("."), {})
    return McpServers(servers, timeout_s, 1000, ThreadRuntime(), clock or Clock())


@pytest.fixture
def make() -> Iterator[Make]:
    """Make servers that end with the test."""
    made: list[McpServers] = []

    def make_one(*options: Any, **more: Any) -> McpServers:
        made.append(made_of(*options, **more))
        return made[-1]

    yield make_one
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    server = HttpServer(tmp_path_factory.mktemp("http"))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["stdio auto", "stdio 2025", "http auto", "http 2025"])
def servers(request: pytest.FixtureRequest, http: HttpServer) -> Iterator[McpServers]:
    """One server, over each transport, in each protocol."""
    transport, protocol = request.param.split()
    table = stdio("ex", protocol) if transport == "stdio" else http.table("ex", protocol)
    servers = made_of(table)
    named(servers, "ex_add")
    yield servers
    servers.close()


def named(servers: McpServers, name: str) -> Tool:
    """Return a tool once it is listed."""

    def found() -> list[Tool]:
        return [one for one in servers() if one.name == name]

    servers._wait(Clock().monotonic() + START_S, lambda: not found())
    (tool,) = found()
    return tool


def outputs(
    servers: McpServers, tool_name: str, caller: dict[str, Any] | None = None, **given: Any
) -> list[Any]:
    tool = named(servers, tool_name)
    return ran(tool, given, **(caller or {}))


def ran(tool: Tool, given: dict[str, Any], **caller: Any) -> list[Any]:
    """Run a tool; return what it yields, then what it returns."""
    found: list[Any] = []

    def kept() -> Iterator[Any]:
        found.append((yield from tool.run(given, Caller("o", "s", "r", "c", **caller))))

    steps = list(kept())
    return steps + found


def called(servers: McpServers, tool_name: str, **given: Any) -> Any:
    """Call a tool; return its output, or what it raised."""
    try:
        return outputs(servers, tool_name, **given)[-1].output
    except ToolError as error:
        return error


def test_a_tool_is_as_its_server_says(servers: McpServers) -> None:
    tool = named(servers, "ex_add")
    assert (tool.source, tool.description) == ("mcp:ex", "Add two numbers.")
    assert tool.schema["properties"]["a"]["type"] == "integer"
    assert tool.schema["required"] == ["a", "b"]


def test_results(servers: McpServers) -> None:
    assert called(servers, "ex_add", a=1, b=2) == "3"
    assert called(servers, "ex_greet", name="Ann") == "Hello, Ann!"
    assert called(servers, "ex_weather", city="Rome") == {"city": "Rome", "nights": 3}
    assert called(servers, "ex_picture") == "[image, image/png, 7 bytes]"
    assert called(servers, "ex_long") == "x" * 1000 + "\n[cut: 299000 more bytes]"
    (links,) = outputs(servers, "ex_links")
    assert [one["url"] for one in links.sources] == ["https://example.org/a", "file:///notes.txt"]


def test_errors(servers: McpServers) -> None:
    assert "the printer is on fire" in str(called(servers, "ex_fail"))
    assert "valid integer" in str(called(servers, "ex_add", a="x", b=1))


def test_progress_is_preliminary(servers: McpServers) -> None:
    steps = outputs(servers, "ex_steps")
    assert steps[0] == {"progress": 1.0, "total": 2.0, "message": "half"}
    assert steps[-1].output == "done"


def asked(servers: McpServers, name: str, **caller: Any) -> Question:
    with pytest.raises(Question) as question:
        outputs(servers, name, {"may_ask": True, **caller})
    return question.value


def answered(servers: McpServers, name: str, question: Question, **answer: Any) -> Any:
    caller = {"may_ask": True, "answer": answer, "state": question.state}
    return outputs(servers, name, caller)[-1].output


def test_a_question_is_asked_and_answered(servers: McpServers) -> None:
    question = asked(servers, "ex_book")
    assert question.message == "Where to?"
    assert question.schema is not None and question.schema["required"] == ["city"]
    place = {"city": "Rome", "nights": 2}
    said = answered(servers, "ex_book", question, approved=True, answer=place)
    assert said == "2 nights in Rome"


def test_a_no_is_told_to_the_server(servers: McpServers) -> None:
    question = asked(servers, "ex_book")
    with pytest.raises(ToolError, match="decline"):
        answered(servers, "ex_book", question, approved=False)


def test_where_nobody_can_be_asked_that_is_an_error(servers: McpServers) -> None:
    assert isinstance(called(servers, "ex_book"), ToolError)


def test_two_questions_one_after_the_other(make: Make) -> None:
    servers = make(stdio("ex", "2025"))
    first = asked(servers, "ex_twice")
    second = asked(
        servers,
        "ex_twice",
        answer={"approved": True, "answer": {"city": "Rome"}},
        state=first.state,
    )
    assert second.message == "Second?"
    assert answered(servers, "ex_twice", second, approved=False) == "accept decline"


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    made = Seen(tmp_path / "seen")
    yield made
    made.close()


def test_a_question_that_may_be_of_either_call_is_not_asked(
    make: Make, tmp_path: Path, seen: Seen
) -> None:
    servers = make(stdio("ex", "2025", SEEN=tmp_path / "seen"), timeout_s=START_S)
    tool = named(servers, "ex_hang")
    hanging = threading.Thread(target=called, args=(servers, tool.name), daemon=True)
    hanging.start()
    assert seen.wait_for("hangs")
    with pytest.raises(ToolError, match="cancel"):
        outputs(servers, "ex_book", {"may_ask": True})


def test_a_call_that_hangs_ends_and_the_server_hears_of_it(
    make: Make, tmp_path: Path, seen: Seen
) -> None:
    servers = make(stdio("ex", more="timeout_s = 2", SEEN=tmp_path / "seen"))
    others: list[Any] = []
    thread = threading.Thread(target=lambda: others.append(called(servers, "ex_add", a=1, b=1)))
    named(servers, "ex_add")
    thread.start()
    assert str(called(servers, "ex_hang")) == "It took longer than 2 s and was ended."
    thread.join()
    assert others == ["2"]
    assert seen.wait_for("cancelled")


def test_a_server_that_dies_in_a_call_is_started_again(make: Make) -> None:
    servers = make(stdio("ex"))
    named(servers, "ex_die")
    assert "went away during the call" in str(called(servers, "ex_die"))
    assert called(servers, "ex_add", a=1, b=2) == "3"


def test_a_changed_list_is_heard_of(servers: McpServers) -> None:
    assert called(servers, "ex_grow") == "grown"
    assert called(servers, "ex_grown") == "new"


def test_many_tools(make: Make) -> None:
    servers = make(stdio("ex", MANY=200))
    named(servers, "ex_tool_199")
    assert len([one for one in servers() if one.name.startswith("ex_tool_")]) == 200
    assert called(servers, "ex_tool_123") == "123"


def test_only_the_tools_that_are_wanted(make: Make) -> None:
    servers = make(
        stdio("ex", more='tools = ["add", "nothing"]\napproval = "always"\nidempotent = ["add"]')
    )
    tool = named(servers, "ex_add")
    assert [one.name for one in servers()] == ["ex_add"]
    assert (tool.approval, tool.idempotent) == ("always", True)


def test_sessions_that_the_server_has_forgotten_are_begun_anew(make: Make, tmp_path: Path) -> None:
    server = HttpServer(tmp_path)
    try:
        servers = make(server.table("ex", "2025"))
        assert called(servers, "ex_add", a=1, b=2) == "3"
        server.restart()
        assert called(servers, "ex_add", a=2, b=2) == "4"
    finally:
        server.stop()


def test_servers_that_are_away_are_errors_and_the_others_go_on(make: Make, tmp_path: Path) -> None:
    server = HttpServer(tmp_path)
    server.stop()
    clock = HandClock()
    servers = make(
        stdio("ex") + server.table("web") + '[servers.no]\ncommand = "/no/such/command"\n',
        clock=clock.clock,
    )
    assert called(servers, "ex_add", a=1, b=2) == "3"
    for name in ("web", "no"):
        tool = servers.expected(f"{name}_tool")
        assert tool is not None
        with pytest.raises(ToolError, match=f"The MCP server {name} is away: "):
            known = servers._known[name]
            servers._wait(clock.monotonic + START_S, lambda: not known.said)
            ran(tool, {})
    assert servers.expected("ex_other") is None  # its list is known
    server.restart()
    clock.advance(LONGEST_PAUSE_S)
    try:
        tool = servers.expected("web_add")
        assert tool is not None and ran(tool, {"a": 2, "b": 2})[-1].output == "4"
    finally:
        server.stop()


def test_a_process_that_is_killed_is_an_error_and_is_started_again(make: Make) -> None:
    servers = make(stdio("ex"))
    tool = named(servers, "ex_hang")
    failed: list[ToolError] = []

    def hang() -> None:
        try:
            ran(tool, {})
        except ToolError as error:
            failed.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    child = servers.client.pid
    assert child is not None
    started = below(child)
    assert started
    os.kill(child, signal.SIGKILL)
    thread.join()
    assert "process that talks to MCP servers ended" in str(failed[0])
    assert ended(started)
    assert called(servers, "ex_add", a=1, b=2) == "3"
    assert servers.client.pid != child


def test_a_process_that_hangs_is_ended() -> None:
    news: list[Any] = []
    setup = {"max_bytes": 1000, "servers": {"nobody": {"command": "/no/such/command"}}}
    client = Client(setup, ThreadRuntime(), Clock(), news.append, silence_s=20)
    with pytest.raises(ToolError, match="/no/such/command is not there"):
        last_of(client.ask({"do": "list", "server": "nobody"}, START_S))
    child = client.pid
    assert child is not None
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(ToolError, match="ended"):
        last_of(client.ask({"do": "list", "server": "nobody"}, START_S))
    assert ended([child])
    client.close()


def test_the_end_leaves_nothing_behind(make: Make) -> None:
    servers = make(stdio("ex"))
    named(servers, "ex_add")
    child = servers.client.pid
    assert child is not None
    left = below(child) | {child}
    assert len(left) == 2
    servers.close()
    assert ended(left)
    assert "stopping" in str(called_after_close(servers))


def called_after_close(servers: McpServers) -> ToolError:
    with pytest.raises(ToolError) as error:
        last_of(servers.client.ask({"do": "list", "server": "ex"}, 5))
    return error.value
