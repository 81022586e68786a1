"""Calls as a provider yields them, tools to be called, and a loop around a scripted provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.core.entries import TOOL_ARGS, TOOL_CALL, TOOL_READY
from app.core.runs import ProviderRequest
from app.core.tools import Calls
from app.runs.ports import FINISH, STORED, Clock, Piece, Runtime
from app.runtimes.threads import ThreadRuntime
from app.tools.loop import Surroundings, ToolLoop
from app.tools.tool import Tool, tool_of
from tests.support.samples import provider_request
from tests.support.scripted import ScriptedProvider

CALLED: Piece = (FINISH, "tool_calls")
WHO = {"owner": "ann", "session_id": "s-1", "run_id": "run-1"}


@dataclass(frozen=True)
class ToolOptions:
    """What bounds a loop in a test."""

    max_tool_steps: int = 5
    tool_timeout_s: float = 30.0
    max_tools_at_once: int = 3
    max_tool_result_bytes: int = 1000
    action_ttl_s: float = 60.0


def call(n: int, name: str, given: Mapping[str, Any] | None = None, raw: str = "") -> list[Piece]:
    """Return the pieces of one whole call; `raw` are arguments that are no object."""
    names = {"n": n, "call_id": f"c{n}", "name": name}
    text = raw or orjson.dumps(given or {}).decode()
    whole = {"invalid": raw} if raw else {"input": given or {}}
    return [
        (TOOL_CALL, {**names, "source": "client"}),
        (TOOL_ARGS, {"n": n, "delta": text}),
        (TOOL_READY, {**names, "source": "client", **whole}),
    ]


def definition(name: str) -> dict[str, Any]:
    """Return a tool of the client's."""
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


@dataclass
class Looped:
    """A loop, what was stored while it was read, and what it was asked."""

    tools: Mapping[str, Tool]
    scripted: ScriptedProvider = field(default_factory=ScriptedProvider)
    options: ToolOptions = ToolOptions()
    runtime: Runtime = field(default_factory=ThreadRuntime)
    clock: Clock = Clock()
    may_wait: bool = True
    calls: Calls = field(default_factory=Calls)
    stored: list[int] = field(default_factory=list)  # how many pieces there were at each STORED

    def run(self, *theirs: str, **parameters: Any) -> list[Piece]:
        """Return all pieces that come; the client has these tools besides."""
        found: list[Piece] = []
        for batch in self.loop().stream(self.request(*theirs, **parameters)):
            for piece in batch:
                if piece[0] == STORED:
                    self.stored.append(len(found))
                elif piece[0] != "alive":
                    found.append(piece)
        return found

    def request(self, *theirs: str, **parameters: Any) -> ProviderRequest:
        """Return the request of a run with all of these tools."""
        tools = [definition(name) for name in theirs]
        tools += [one.definition for one in self.tools.values()]
        request = provider_request()
        return ProviderRequest(
            request.messages, request.model, parameters={"tools": tools, **parameters}
        )

    def loop(self) -> ToolLoop:
        """Return a loop, as one run has it."""
        around = Surroundings(self.runtime, self.clock)
        return ToolLoop(
            self.scripted, self.tools, self.options, around, self.calls, self.may_wait, WHO
        )


def looped(*functions: Callable[..., Any] | Tool, **options: Any) -> Looped:
    """Return a loop over tools that these functions are."""
    tools = [one if isinstance(one, Tool) else tool_of(one) for one in functions]
    return Looped({one.name: one for one in tools}, **options)


def of_kind(pieces: Sequence[Piece], kind: str) -> list[Any]:
    """Return the data of the pieces of that kind."""
    return [data for found, data in pieces if found == kind]
