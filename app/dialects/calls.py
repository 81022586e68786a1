"""What the dialects share that have tools: definitions and choices in a request, calls and their
results in OpenAI's messages.

Source: OpenAI API reference, "Create chat completion"; its shapes are the field's common ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from app.core.entries import storable
from app.core.errors import InvalidRequest
from app.core.messages import Content, Part, text_parts
from app.core.tools import CLIENT, new_call_id
from app.dialects.frames import Body

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MAX_TOOLS = 128
MAX_NAME = 256
CHOICES = ("none", "auto", "required")
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class CallParameters(Body):
    """What a request may say of its tools and of the reply's form; for a provider that takes it."""

    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: Effort | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | list[str] | None = None

    def passed_on(self, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what is asked for besides the default. Raises InvalidRequest."""
        found: dict[str, Any] = {}
        if tools and self.tool_choice != "none":
            found["tools"] = list(tools)
            found.update(self.of_calls())
        form = self.response_format
        if form and form.get("type") != "text":
            if form.get("type") == "json_schema" and not isinstance(form.get("json_schema"), dict):
                raise InvalidRequest({"response_format.json_schema": "must be an object"})
            found["response_format"] = storable(form)
        for name in ("reasoning_effort", "seed", "stop"):
            if (value := getattr(self, name)) is not None:
                found[name] = storable(value)
        return found

    def of_calls(self) -> dict[str, Any]:
        """Return what is said of calls besides the default. Raises InvalidRequest."""
        found: dict[str, Any] = {}
        choice = self.tool_choice
        if isinstance(choice, str) and choice not in CHOICES:
            raise InvalidRequest(
                {"tool_choice": f"must be one of {', '.join(CHOICES)}, or an object"}
            )
        if isinstance(choice, dict):
            _check_choice(choice)
        if choice is not None and choice != "auto":
            found["tool_choice"] = storable(choice)
        if self.parallel_tool_calls is False:
            found["parallel_tool_calls"] = False
        return found


def _check_choice(choice: Mapping[str, Any]) -> None:
    """Raise InvalidRequest unless it names one function, or those that are allowed."""
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        named = allowed.get("tools") if isinstance(allowed, dict) else None
        if not isinstance(allowed, dict) or allowed.get("mode") not in ("auto", "required"):
            raise InvalidRequest({"tool_choice.allowed_tools.mode": "must be auto or required"})
        checked_tools(named if isinstance(named, list) else [named], "tool_choice.allowed_tools")
        return
    _checked(choice, "tool_choice")


def checked_tools(tools: Sequence[Any] | None, field: str = "tools") -> list[dict[str, Any]]:
    """Return definitions of functions. Raises InvalidRequest naming the one that is none."""
    if len(tools or ()) > MAX_TOOLS:
        raise InvalidRequest({field: f"at most {MAX_TOOLS}"})
    return [_checked(one, f"{field}.{index}") for index, one in enumerate(tools or ())]


def _checked(tool: Any, field: str) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        raise InvalidRequest({f"{field}.type": "must be function"})
    function = tool.get("function")
    if not isinstance(function, dict):
        raise InvalidRequest({f"{field}.function": "must be an object"})
    name = function.get("name")
    if not isinstance(name, str) or not NAME.match(name):
        raise InvalidRequest({f"{field}.function.name": "must be 1 to 64 of A-Z a-z 0-9 _ -"})
    if not isinstance(function.get("parameters") or {}, dict):
        raise InvalidRequest({f"{field}.function.parameters": "must be a JSON schema"})
    if not isinstance(function.get("description") or "", str):
        raise InvalidRequest({f"{field}.function.description": "must be a text"})
    return {"type": "function", "function": storable(function)}


def call_parts(calls: Sequence[Any], field: str) -> list[Part]:
    """Return the parts that calls in an assistant's message are. Raises InvalidRequest."""
    return [_call_part(call, f"{field}.{index}") for index, call in enumerate(calls)]


def _call_part(call: Any, field: str) -> Part:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest({f"{field}.function": "must be an object with a name"})
    return {
        "type": "tool_call",
        "call_id": call_id_of(call.get("id"), f"{field}.id"),
        "name": text_of(function["name"], f"{field}.function.name"),
        "source": CLIENT,
        "input": arguments_of(function.get("arguments"), f"{field}.function.arguments"),
    }


def client_call(said: Mapping[str, Any], field: str, call_id: str, arguments: str) -> Part:
    """Return the part that a call is whose id and arguments go by these names. Raises
    InvalidRequest."""
    return {
        "type": "tool_call",
        "call_id": call_id_of(said.get(call_id), f"{field}.{call_id}"),
        "name": text_of(said.get("name"), f"{field}.name"),
        "source": CLIENT,
        "input": arguments_of(said.get(arguments), f"{field}.{arguments}"),
    }


def call_id_of(said: Any, field: str) -> str:
    """Return the id of a call, a new one where it has none. Raises InvalidRequest."""
    if said is None or said == "":
        return new_call_id()
    return text_of(said, field)


def text_of(said: Any, field: str) -> str:
    """Return a name or an id, as it can be stored. Raises InvalidRequest."""
    if not isinstance(said, str) or len(said) > MAX_NAME:
        raise InvalidRequest({field: f"must be a text of at most {MAX_NAME} characters"})
    kept: str = storable(said)
    return kept


def arguments_of(said: Any, field: str) -> dict[str, Any]:
    """Return a call's arguments, given as the text of an object, or as one. Raises
    InvalidRequest."""
    if isinstance(said, str):
        try:
            said = orjson.loads(said) if said.strip() else {}
        except orjson.JSONDecodeError:
            said = None
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise InvalidRequest({field: "must be an object, or the JSON of one"})
    arguments: dict[str, Any] = storable(said)
    return arguments


def result_part(call_id: str, name: str, output: Any) -> Part:
    """Return the part that a result is."""
    return {"type": "tool_result", "call_id": call_id, "name": name, "output": storable(output)}


def said_with_calls(text: str, calls: Sequence[Part], more: Sequence[Part] = ()) -> Content:
    """Return the content of a message that has calls."""
    return (*(text_parts(text) if text else ()), *calls, *more)
