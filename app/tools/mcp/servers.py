"""What is known of MCP servers, and their tools as the toolbox has them.

A server's list is asked for in the background when somebody wants to know the tools, and again
when it is old; what is known is what the last answer said, however the server is now. Only
somebody who comes while the first lists are under way waits for them, a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from app.runs.ports import Clock, Runtime, Waiter
from app.tools.mcp.client import Client, last_of
from app.tools.mcp.config import ServerOptions
from app.tools.mcp.names import names_of
from app.tools.mcp.process import Line
from app.tools.tool import Caller, Input, Question, Result, Tool, ToolError

log = logging.getLogger(__name__)
FIRST_WAIT_S = 5.0  # at most, for the first lists
LIST_AGE_S = 300.0  # then a list is asked for again: not every server tells of changes
LIST_S = 100.0  # for a list: connecting may take 60 s of it
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0  # before a server that is away is asked again
SPARE_S = 5.0  # the process ends calls itself; longer than that, and it hangs
READ_S = 300.0  # that a stream of a server's may be silent
Outputs = Generator[Any, None, Result]  # how far a call has come; and its result


@dataclass(slots=True)
class _Known:
    """One server."""

    options: ServerOptions
    listed: Sequence[Mapping[str, Any]] | None = None
    is_asked: bool = False
    was_asked: bool = False  # and has answered, or failed
    ask_at: float = 0.0
    failures: int = 0
    said: str = field(default="", repr=False)  # in the log, last

    @property
    def first_is_under_way(self) -> bool:
        """Whether it has not said yet what it has."""
        return self.is_asked and not self.was_asked


class McpServers:
    """All of them. Called, it returns their tools; that is what a toolbox does."""

    def __init__(
        self,
        servers: Mapping[str, ServerOptions],
        timeout_s: float,
        max_result_bytes: int,
        runtime: Runtime,
        clock: Clock,
    ) -> None:
        self._known = {name: _Known(options) for name, options in servers.items()}
        self._timeout_s = timeout_s
        self._runtime = runtime
        self._clock = clock
        self._tools: list[Tool] = []
        self._waiters: set[Waiter] = set()
        self._wait_until: float | None = None
        read_s = {name: max(READ_S, self._time_of(name) + SPARE_S) for name in servers}
        setup = {
            "max_bytes": max_result_bytes,
            "servers": {
                name: {**options.reached(), "read_s": read_s[name]}
                for name, options in servers.items()
            },
        }
        self.client = Client(setup, runtime, clock, self._take)

    def __call__(self) -> Sequence[Tool]:
        """Return the tools that are known; see that the lists are asked for."""
        self._ask_for_lists()
        if self._wait_until is None:
            self._wait_until = self._clock.monotonic() + FIRST_WAIT_S
        servers = self._known.values()
        self._wait(self._wait_until, lambda: any(one.first_is_under_way for one in servers))
        return self._tools

    def expected(self, name: str) -> Tool | None:
        """Return what stands for a tool of a server whose list is not known: it waits for it."""
        for server, known in self._known.items():
            if known.listed is None and name.startswith(f"{server}_"):
                options = known.options
                run = self._later(server, name)
                return Tool(name, "", {}, run, options.approval, source=f"mcp:{server}")
        return None

    def _later(self, server: str, name: str) -> Callable[[Input, Caller], Outputs]:
        def run(given: Input, caller: Caller) -> Outputs:
            until = self._clock.monotonic() + self._time_of(server)
            self._ask_for_lists()
            known = self._known[server]
            self._wait(until, lambda: known.listed is None and known.is_asked)
            for tool in self._tools:
                if tool.name == name:
                    result: Result = yield from tool.run(given, caller)
                    return result
            away = known.said or "it has no such tool."
            raise ToolError(f"The MCP server {server} is away: {away}")

        return run

    def close(self) -> None:
        """End the process and the servers that it has started."""
        self.client.close()

    def _time_of(self, name: str) -> float:
        return self._known[name].options.timeout_s or self._timeout_s

    def _ask_for_lists(self) -> None:
        now = self._clock.monotonic()
        for name, known in self._known.items():
            if not known.is_asked and now >= known.ask_at:
                known.is_asked = True
                self._runtime.spawn(self._ask, name)

    def _wait(self, until: float, holds: Callable[[], bool]) -> None:
        """Wait while something holds that a list may change, and no longer than that."""
        waiter = self._runtime.new_waiter()
        self._waiters.add(waiter)
        try:
            while holds():
                left = until - self._clock.monotonic()
                if left <= 0:
                    return
                try:
                    with self._runtime.deadline(left):
                        waiter.wait()
                except TimeoutError:
                    pass
        finally:
            self._waiters.discard(waiter)

    def _ask(self, name: str) -> None:
        """Ask one server for its tools, in a task."""
        known = self._known[name]
        try:
            answer = last_of(self.client.ask({"do": "list", "server": name}, LIST_S))
            self._note(name, answer["tools"])
        except ToolError as error:
            known.failures += 1
            pause = min(FIRST_PAUSE_S * 2 ** min(known.failures - 1, 10), LONGEST_PAUSE_S)
            known.ask_at = self._clock.monotonic() + pause
            if str(error) != known.said:
                known.said = str(error)
                log.warning("the MCP server %s is away: %s", name, error)
        finally:
            known.is_asked, known.was_asked = False, True
            for waiter in list(self._waiters):
                waiter.wake()

    def _take(self, line: Line) -> None:
        """Take a list that has changed."""
        if line.get("server") in self._known:
            self._note(line["server"], line["tools"])

    def _note(self, name: str, listed: Sequence[Mapping[str, Any]]) -> None:
        known = self._known[name]
        known.failures, known.said = 0, ""
        known.ask_at = self._clock.monotonic() + LIST_AGE_S
        if listed == known.listed:
            return
        known.listed = listed
        there = {one["name"] for one in listed}
        for missing in sorted({*(known.options.tools or ()), *known.options.idempotent} - there):
            log.warning("the MCP server %s has no tool %s", name, missing)
        log.info("the MCP server %s has %d tools", name, len(listed))
        self._tools = self._all_tools()

    def _all_tools(self) -> list[Tool]:
        used = {
            name: {
                one["name"]: one for one in known.listed or () if known.options.allows(one["name"])
            }
            for name, known in self._known.items()
        }
        return [
            self._tool(server, public, used[server][own])
            for (server, own), public in names_of(used).items()
        ]

    def _tool(self, server: str, public: str, listed: Mapping[str, Any]) -> Tool:
        options = self._known[server].options
        return Tool(
            name=public,
            description=listed["description"],
            schema=listed["schema"],
            run=self._caller_of(server, listed["name"]),
            approval=options.approval,
            idempotent=listed["name"] in options.idempotent,
            source=f"mcp:{server}",
            timeout_s=options.timeout_s,
        )

    def _caller_of(self, server: str, tool: str) -> Callable[[Input, Caller], Outputs]:
        def run(given: Input, caller: Caller) -> Outputs:
            timeout_s = self._time_of(server)
            line: dict[str, Any] = {
                "do": "call",
                "server": server,
                "tool": tool,
                "input": dict(given),
                "timeout_s": timeout_s,
                "may_ask": caller.may_ask,
            }
            if caller.answer is not None:
                line |= {"answer": dict(caller.answer), "state": caller.state}
            with closing(self.client.ask(line, timeout_s + SPARE_S)) as answers:
                for answer in answers:
                    if "progress" not in answer:
                        return _outcome(answer)
                    yield answer["progress"]
            raise ToolError("The call was ended.")

        return run


def _outcome(answer: Line) -> Result:
    """Return what a line says of a call. Raises Question."""
    if "question" in answer:
        raise Question(**answer["question"])
    return Result(answer["output"], answer.get("sources", ()))
