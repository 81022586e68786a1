"""What a tool is: a function with a name, a description, and a schema that its type hints are.

    @tool(approval="always")
    def send_mail(to: str, text: str) -> str:
        \"\"\"Send a mail.\"\"\"

A tool returns text or JSON, or a `Result` with its sources; one that yields is shown as it goes,
and what it returns in the end, else what it yielded last, is its result. What it raises as
ToolError the model reads; of any other error it is told only that there was one. One that raises a
Question is run again with the answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

Input = Mapping[str, Any]
Approval = Literal["never", "always"] | Callable[[Input], bool]
Yielded = Iterator[Any]


class ToolError(Exception):
    """Why a call has no output, in words for the model and the user."""


class Question(Exception):
    """What a person must say before a tool can go on. The run waits, as for an approval; then the
    tool is run again, its caller with the answer, also if that is no. Only where `may_ask`."""

    def __init__(
        self,
        message: str,
        schema: Mapping[str, Any] | None = None,
        state: Any = None,
        ttl_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.schema = schema  # of an object of plain values; None: yes or no is all there is to say
        self.state = state  # JSON, stored, which comes back with the answer
        self.ttl_s = ttl_s  # how long the answer is of use


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's output, with where it is from: `{"url": .., "title": ..}` each."""

    output: Any
    sources: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a tool is called for. A function that has a parameter of this type is handed it; the
    model does not see that. `answer` is to the question that the call has asked before:
    {approved, answer?, reason?}; `state` is that of the question."""

    owner: str
    session_id: str
    run_id: str
    call_id: str
    may_ask: bool = False
    answer: Mapping[str, Any] | None = None
    state: Any = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `run` gets checked input; `schema` is a JSON schema of an object."""

    name: str
    description: str
    schema: Mapping[str, Any]
    run: Callable[[Input, Caller], Any]
    approval: Approval = "never"
    idempotent: bool = False  # to be run again by itself where a crash left it unknown
    source: str = "server"
    timeout_s: float | None = None  # None: as long as all
    check: Callable[[Input], Input] = dict  # raises ToolError

    def needs_approval(self, given: Input) -> bool:
        """Whether a person must allow the call."""
        return self.approval(given) if callable(self.approval) else self.approval == "always"

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as OpenAI's API has it."""
        said = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": said}


def tool(
    *, name: str = "", approval: Approval = "never", idempotent: bool = False
) -> Callable[[Callable[..., Any]], Tool]:
    """Return a decorator that makes a tool of a function."""
    return lambda function: tool_of(function, name, approval, idempotent)


def tool_of(
    function: Callable[..., Any],
    name: str = "",
    approval: Approval = "never",
    idempotent: bool = False,
) -> Tool:
    """Return the tool that a function is."""
    model, caller_name = _model_of(function)

    def check(given: Input) -> Input:
        try:
            return dict(model.model_validate(dict(given)))
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ToolError(f"The arguments are wrong. {'; '.join(wrong)}") from None

    def run(given: Input, caller: Caller) -> Any:
        return function(**given, **({caller_name: caller} if caller_name else {}))

    return Tool(
        name=name or function.__name__,
        description=inspect.getdoc(function) or "",
        schema=_without_titles(model.model_json_schema()),
        run=run,
        approval=approval,
        idempotent=idempotent,
        check=check,
    )


def _model_of(function: Callable[..., Any]) -> tuple[type[BaseModel], str]:
    """Return the model of a function's parameters, and the name of the one that is the caller's."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    caller_name = ""
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, Any)
        if hint is Caller:
            caller_name = parameter.name
            continue
        missing = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hint, ... if missing else parameter.default)
    config = ConfigDict(extra="forbid")
    return create_model(function.__name__, __config__=config, **fields), caller_name


def _without_titles(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of names: the model pays for them."""
    if isinstance(schema, dict):
        kept = ((n, v) for n, v in schema.items() if n != "title" or not isinstance(v, str))
        return {name: _without_titles(value) for name, value in kept}
    return [_without_titles(one) for one in schema] if isinstance(schema, list) else schema
