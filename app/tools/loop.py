"""The loop of a model and its tools: asked, its calls run, asked again with the results, until it
answers; in the run's own task.

It is a provider around the provider. A call of the client's, and one that a person must allow, ends
the step: the run waits (the last piece says for what), and goes on by another loop once there are
answers. A tool never ends a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from app.core.entries import (
    APPROVAL,
    STEP_END,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    parts_of,
    storable,
)
from app.core.messages import ProviderMessage
from app.core.runs import ProviderRequest
from app.core.tools import CLIENT, TOOL_KINDS, Call, Calls, new_approval_id, result_text
from app.core.usage import Usage
from app.runs.ports import (
    ALIVE,
    FINISH,
    USAGE,
    Clock,
    Piece,
    PieceStream,
    Provider,
    Runtime,
    own_patience_s,
)
from app.tools.running import Bounds, Ready, Running
from app.tools.tool import Question, Tool, ToolError

FINISH_GRACE_S = 5.0  # from a step's finish reason to its stream's end, as of a run
NOT_HERE = "There is no tool by that name."
NOBODY_TO_ASK = "This call needs somebody's approval, and nobody can be asked here."
INVALID = "The arguments were no JSON object, or were cut off."


class LoopRules(Protocol):
    """What bounds the loop; times in seconds."""

    @property
    def max_tool_steps(self) -> int: ...

    @property
    def tool_timeout_s(self) -> float: ...

    @property
    def max_tools_at_once(self) -> int: ...

    @property
    def max_tool_result_bytes(self) -> int: ...

    @property
    def action_ttl_s(self) -> float:
        """How long a run waits for a person, or for its client."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tools run on."""

    runtime: Runtime
    clock: Clock


@dataclass(slots=True)
class _Step:
    """What one answer of the model's has brought."""

    start: int  # of the pieces of the run, where it begins
    pieces: list[Piece] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)
    finish: str | None = None
    usage: Usage | None = None

    def note(self, kind: str, data: Any) -> None:
        self.pieces.append((kind, data))
        if kind in TOOL_KINDS:
            self.calls.add(kind, data)


class ToolLoop:
    """A provider that runs what its model calls. One for a run, or for what is left of one."""

    def __init__(
        self,
        provider: Provider,
        tools: Mapping[str, Tool],
        rules: LoopRules,
        around: Surroundings,
        before: Calls,
        may_wait: bool,
        who: Mapping[str, str],
    ) -> None:
        self.name = provider.name
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self.first_delta_timeout_s = own_patience_s(provider)
        self._provider = provider
        self._tools = tools
        self._rules = rules
        self._around = around
        self._calls = before
        self._may_wait = may_wait
        self._who = who

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of all steps. Raises what the provider raises."""
        offered = {one["function"]["name"] for one in request.parameters.get("tools", ())}
        said: list[Piece] = []
        pending: list[dict[str, Any]] = []
        allowed = [call for call in self._calls.open() if call.is_whole]
        yield from self._noted(said, self._acted(allowed, offered, pending))
        if pending:  # a tool has asked (again) before it went on
            asked = _Step(len(said), finish="tool_calls", usage=Usage(0, 0, "reported"))
            yield from self._step_end(request, said, asked, pending)
            return
        steps = len(self._calls.steps)
        while True:
            is_last = steps >= self._rules.max_tool_steps
            step = _Step(len(said))
            yield from self._answer(self._asked(request, said, is_last), step)
            said += step.pieces
            if step.finish is None or not len(step.calls) or is_last:
                yield from self._ended(request, said, step)
                return
            steps += 1
            yield from self._noted(
                said, self._acted(list(step.calls.by_number.values()), offered, pending)
            )
            yield from self._step_end(request, said, step, pending)
            if pending and not self._may_wait:
                yield [(FINISH, step.finish)]
            if pending:
                return

    def _asked(
        self, request: ProviderRequest, said: Sequence[Piece], is_last: bool
    ) -> ProviderRequest:
        """Return the request for the next step; the last one is to be an answer."""
        messages, parameters = request.messages, request.parameters
        if said:
            messages = (*messages, ProviderMessage("assistant", parts_of(said)))
        if is_last:
            parameters = {**parameters, "tool_choice": "none"}
        elif said and "tool_choice" in parameters and parameters["tool_choice"] != "none":
            # Who must call a tool has called it; asked so again it would never answer.
            parameters = {**parameters, "tool_choice": "auto"}
        first = max(self._calls.by_number, default=0) + 1
        return replace(request, messages=messages, parameters=parameters, first_call=first)

    def _answer(self, request: ProviderRequest, step: _Step) -> PieceStream:
        """Yield one answer of the model's, but for what ends it."""
        with closing(self._provider.stream(request)) as stream:
            while (batch := self._next(stream, step)) is not None:
                shown: list[Piece] = []
                for kind, data in batch:
                    if kind == FINISH:
                        step.finish = data
                    elif kind == USAGE:
                        step.usage = data
                    else:
                        if kind in (TOOL_CALL, TOOL_READY):
                            data = {**data, "source": self._source_of(data["name"])}
                        if kind != ALIVE:
                            step.note(kind, data)
                        shown.append((kind, data))
                yield shown or ([(ALIVE, None)] if batch else [])
        for n, call in step.calls.by_number.items():
            self._calls.by_number[n] = call

    def _next(self, stream: PieceStream, step: _Step) -> Sequence[Piece] | None:
        if step.finish is None:
            return next(stream, None)
        try:
            with self._around.runtime.deadline(FINISH_GRACE_S):
                return next(stream, None)
        except TimeoutError:
            return None

    def _source_of(self, name: str) -> str:
        return self._tools[name].source if name in self._tools else CLIENT

    def _acted(
        self, calls: Sequence[Call], offered: set[str], pending: list[dict[str, Any]]
    ) -> PieceStream:
        """Yield what is made of the calls here; add what has to be waited for to `pending`."""
        refused: list[Piece] = []
        asked: list[Piece] = []
        ready: list[Ready] = []
        expires_at = self._around.clock.wall() + self._rules.action_ttl_s
        for call in calls:
            try:
                tool, given = self._checked(call, offered)
            except ToolError as error:
                refused.append((TOOL_RESULT, {**call.names, "error": str(error)}))
                continue
            if tool is None:
                pending.append(_pending(call, "result", expires_at))
            elif call.answer is None and tool.needs_approval(given):
                approval_id = new_approval_id()
                about = {"approval_id": approval_id, "expires_at": expires_at}
                asked.append((APPROVAL, {**call.names, **about}))
                action = _pending(call, "approval", expires_at)
                pending.append({**action, "approval_id": approval_id})
            else:
                ready.append(Ready(call, tool, given))
        if refused or asked:
            yield [*refused, *asked]
        rules, around = self._rules, self._around
        bounds = Bounds(rules.tool_timeout_s, rules.max_tools_at_once, rules.max_tool_result_bytes)
        running = Running(ready, bounds, around.runtime, around.clock, self._who, self._may_wait)
        yield from running.pieces()
        if running.questions:
            yield [self._question(call, asked, pending) for call, asked in running.questions]

    def _question(self, call: Call, question: Question, pending: list[dict[str, Any]]) -> Piece:
        """Return the piece that asks; add what is asked to `pending`."""
        ttl_s = self._rules.action_ttl_s
        if question.ttl_s is not None:
            ttl_s = min(ttl_s, question.ttl_s)
        expires_at = self._around.clock.wall() + ttl_s
        about: dict[str, Any] = {
            "approval_id": new_approval_id(),
            "message": storable(question.message),
        }
        if question.schema is not None:
            about["schema"] = storable(question.schema)
        pending.append({**_pending(call, "question", expires_at), **about})
        data = {**call.names, "kind": "question", "expires_at": expires_at, **about}
        return APPROVAL, {**data, "state": storable(question.state)}

    def _checked(self, call: Call, offered: set[str]) -> tuple[Tool | None, Mapping[str, Any]]:
        """Return the tool of a call, None for the client's, and its input. Raises ToolError for
        what the model is to be told."""
        tool = self._tools.get(call.name)
        if tool is None and call.name not in offered:
            raise ToolError(NOT_HERE)
        if not call.is_whole:
            raise ToolError(INVALID)
        given = call.input or {}
        if tool is None:
            return None, given
        if call.answer is None and tool.needs_approval(given) and not self._may_wait:
            raise ToolError(NOBODY_TO_ASK)
        return tool, tool.check(given)

    def _noted(self, said: list[Piece], stream: PieceStream) -> PieceStream:
        """Yield the stream; note what the model is to hear of it."""
        with closing(stream):
            for batch in stream:
                for kind, data in batch:
                    if kind in TOOL_KINDS:
                        said.append((kind, data))
                        self._calls.add(kind, data)
                yield batch

    def _step_end(
        self,
        request: ProviderRequest,
        said: Sequence[Piece],
        step: _Step,
        pending: Sequence[Mapping[str, Any]],
    ) -> PieceStream:
        usage = step.usage or _estimated(request, said, step)
        data: dict[str, Any] = {"usage": usage.to_json(), "finish_reason": step.finish}
        if pending and self._may_wait:
            data["requires_action"] = list(pending)
        self._calls.add(STEP_END, data)
        yield [(STEP_END, data), (USAGE, self._used(None))]

    def _ended(self, request: ProviderRequest, said: Sequence[Piece], step: _Step) -> PieceStream:
        """Yield what ends the last step. Of a reply without any call nothing is reckoned here."""
        found: list[Piece] = []
        if self._calls.steps:
            found.append((USAGE, self._used(step.usage or _estimated(request, said, step))))
        elif step.usage is not None:
            found.append((USAGE, step.usage))
        if step.finish is not None:
            found.append((FINISH, step.finish))
        if found:
            yield found

    def _used(self, more: Usage | None) -> Usage:
        """Return what all steps have used."""
        parts = [Usage.from_json(one["usage"]) for one in self._calls.steps]
        parts += [more] if more is not None else []
        reported = all(part.source == "reported" for part in parts)
        return Usage(
            sum(part.input_tokens for part in parts),
            sum(part.output_tokens for part in parts),
            "reported" if reported else "estimated",
        )


def _pending(call: Call, kind: str, expires_at: float) -> dict[str, Any]:
    return {**call.names, "input": dict(call.input or {}), "kind": kind, "expires_at": expires_at}


def _estimated(request: ProviderRequest, said: Sequence[Piece], step: _Step) -> Usage:
    """Return a guess of what a step has used whose provider did not say."""
    texts = [message.text for message in request.messages]
    texts += [_text_of(kind, data) for kind, data in said[: step.start]]
    return Usage.estimated("".join(texts), "".join(_text_of(*piece) for piece in step.pieces))


def _text_of(kind: str, data: Any) -> str:
    if isinstance(data, str):
        return data
    if kind == TOOL_RESULT:
        return result_text(data)
    return str(data.get("delta", "")) if isinstance(data, dict) else ""
