"""The tools that the server has: registered functions, those that come with it, those of MCP
servers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from app.core.errors import InvalidRequest
from app.core.tools import Calls, OfferedTool
from app.runs.ports import Provider
from app.tools.loop import LoopRules, Surroundings, ToolLoop
from app.tools.tool import Tool, tool_of

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")  # what all providers take


class More(Protocol):
    """Tools that are known only when somebody asks."""

    def __call__(self) -> Sequence[Tool]:
        """Return those that there are now."""


@runtime_checkable
class Expecting(Protocol):
    """What may have more tools than it knows yet: an ability of some `More`, not a duty."""

    def expected(self, name: str) -> Tool | None:
        """Return what stands for a tool by that name, if it may come to be known."""


class NoSuchTool(ValueError):
    """What TOOLS names cannot be used as a tool."""


def load_tools(written: Iterable[str]) -> list[Tool]:
    """Return the tools that `module:name` each name. Raises NoSuchTool."""
    return [_loaded(one) for one in written]


def _loaded(written: str) -> Tool:
    module, _, name = written.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise NoSuchTool(written) from None
    if not isinstance(found, Tool) and not callable(found):
        raise NoSuchTool(written)
    made = found if isinstance(found, Tool) else tool_of(found)
    if not NAME.match(made.name):
        raise NoSuchTool(written)
    return made


class Toolbox:
    """All of them by name. `more` are asked for when they are needed, and may come and go."""

    def __init__(
        self,
        tools: Iterable[Tool],
        rules: LoopRules,
        around: Surroundings,
        more: Sequence[More] = (),
    ) -> None:
        self._own = {one.name: one for one in tools}
        self.max_result_bytes = rules.max_tool_result_bytes
        self._rules = rules
        self._around = around
        self._more = more

    def add(self, one: Tool) -> None:
        """Have one tool more."""
        self._own[one.name] = one

    def tools(self) -> dict[str, Tool]:
        """Return what there is now, by name."""
        found = {one.name: one for more in self._more for one in more()}
        return {**found, **self._own}

    def _known(self, names: Iterable[str]) -> Mapping[str, Tool]:
        """Return what these can be looked up in: others are asked only for what is not our own."""
        return self._own if all(name in self._own for name in names) else self.tools()

    def _expected(self, name: str) -> Tool | None:
        found = (more.expected(name) for more in self._more if isinstance(more, Expecting))
        return next((one for one in found if one is not None), None)

    def offered(self) -> list[OfferedTool]:
        """Return all that there are now, by name."""
        return [_offered(one) for _, one in sorted(self.tools().items())]

    def check(self, names: Iterable[str], field: str) -> None:
        """Raise InvalidRequest for a name that is no tool's."""
        known = self._known(names)
        for name in names:
            if name not in known and self._expected(name) is None:
                have = ", ".join(sorted(self.tools())) or "none: none is set up"
                raise InvalidRequest({field: f"{name} is no tool of this server; it has {have}"})

    def definitions(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return these tools as a provider is told of them; without those that have gone."""
        known = self._known(names)
        return [known[name].definition for name in names if name in known]

    def loop(
        self,
        provider: Provider,
        names: Sequence[str],
        calls: Calls,
        may_wait: bool,
        who: Mapping[str, str],
    ) -> Provider:
        """Return the provider with its calls of these tools run; `calls` are those of the run
        before it waited, `who` the owner, session and run."""
        known = self._known(names)
        found = ((name, known.get(name) or self._expected(name)) for name in names)
        tools = {name: one for name, one in found if one is not None}
        return ToolLoop(provider, tools, self._rules, self._around, calls, may_wait, who)


def _offered(one: Tool) -> OfferedTool:
    approval: Literal["never", "always", "sometimes"] = (
        "sometimes" if callable(one.approval) else one.approval
    )
    return OfferedTool(one.name, one.description, one.schema, approval, one.source)
