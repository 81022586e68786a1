"""The dialect of OpenAI's Responses: `POST /v1/responses`.

Source: OpenAI API reference, "Responses", "Conversations", "Streaming events"; OpenAI guides,
"Background mode". A response is a run, its id the run's. The number of an event is how many come
before it in a log that is read piece by piece: it follows from the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.chats.placing import Place
from app.chats.request import ChatRequest
from app.core.entries import Entry, storable
from app.core.errors import ChatError, InvalidRequest
from app.dialects.calls import CallParameters, checked_tools
from app.dialects.client_held import HELLO, unsupported
from app.dialects.dialect import OPEN, Dialect, Encoder, Reply, Spoken
from app.dialects.frames import json_line, validated
from app.dialects.openai.chat import error_details
from app.dialects.openai.shapes import CompletionProblem
from app.dialects.responses.described import (
    as_asked,
    described,
    output_of,
    run_id_of,
    session_of,
)
from app.dialects.responses.items import conversation
from app.dialects.responses.output import Event, Output
from app.dialects.responses.shapes import (
    ConversationId,
    ResponseEvent,
    ResponseObject,
    ResponsesBody,
)

SEALED = "reasoning.encrypted_content"
IGNORED_INCLUDES = ("web_search_call.action.sources",)
REFUSED = {
    "prompt": "send the text itself, as `instructions` and `input`",
    "top_logprobs": "ask /v1/chat/completions for probabilities",
    "max_tool_calls": "the operator's limit of steps holds",
}
SEARCHES = ("web_search", "web_search_preview")  # what OpenAI calls ours, with a date or without
ENDINGS = {"completed": "completed", "failed": "failed"}  # others end as incomplete


class ResponseEncoder(Encoder):
    """Numbered events; those up to the number that a client has seen are left out, and those of the
    entries up to `after`."""

    def __init__(self, reply: Reply, after: int, options: Mapping[str, Any]) -> None:
        self._reply = reply
        self._options = options
        self._seen: int = options.get("starting_after", -1)
        self._number = 0  # of the next event
        self._output = Output(reply.record.id, bool(options.get("seals")))
        before = ["created", "queued"] if options.get("background") else ["created"]
        asked = as_asked(reply, options)
        frames = [self._frame((name, {"response": asked})) for name in before]
        begun = {**asked, "status": "in_progress"}
        frames.append(self._frame(("in_progress", {"response": begun})))
        self.opening = OPEN if after else OPEN + b"".join(frames)
        for entry in reply.log.everything() if after else ():
            if entry.seq <= after:
                self.piece(entry, 1)

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """Return the frames; up to where the client is, entries count each by itself."""
        if self._number <= self._seen:
            return b"".join([super(ResponseEncoder, self).encode([entry]) for entry in entries])
        return super().encode(entries)

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return the events of an entry. One that stands for several has the number of the last."""
        events = self._output.take(entry)
        if not events:
            return b""
        if len(events) == 1 and count == 1:
            return self._frame(events[0])
        return b"".join([*map(self._frame, events[:-1]), self._frame(events[-1], count)])

    def ending(self, entry: Entry) -> bytes:
        """Return the last events: what was open ends, and then the response."""
        events = self._output.finish(entry)
        whole = described(self._reply, self._options, self._output)
        last = ENDINGS.get(whole["status"], "incomplete")
        return b"".join([*map(self._frame, events), self._frame((last, {"response": whole}))])

    def _frame(self, event: Event, count: int = 1) -> bytes:
        kind, said = event
        number = self._number + count - 1
        self._number += count
        if number <= self._seen:
            return b""
        name = f"response.{kind}"
        line = json_line({"type": name, "sequence_number": number, **said})
        return b"event: %s\ndata: %s\n\n" % (name.encode(), line)


class Responses(Dialect):
    """The dialect of OpenAI's Responses."""

    name = "openai_responses"
    body = ResponsesBody
    event = ResponseEvent
    answer = ResponseObject
    problem = CompletionProblem
    examples = (
        {"model": "demo", "input": "Hello", "stream": True},
        {"model": "demo", "input": HELLO, "background": True},
        {"model": "demo", "input": "Hello", "instructions": "Be brief."},
    )

    accepted_status = 200
    takes_parts = True

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(ResponsesBody, body)
        for name, why in REFUSED.items():
            if body.get(name):
                raise unsupported(name, why)
        for name in set(said.include or ()) - {SEALED, *IGNORED_INCLUDES}:
            raise unsupported("include", f"there is no {name[:64]} here")
        if said.background and said.store is False:
            raise InvalidRequest({"background": "a response in the background is stored"})
        if said.background and said.on_disconnect == "stop":
            raise InvalidRequest({"on_disconnect": "a response in the background goes on"})
        if said.previous_response_id is not None and said.conversation is not None:
            raise InvalidRequest({"conversation": "not beside `previous_response_id`"})
        options = _options(said, body)
        request = self._request(said, options)
        streams, leaves = bool(said.stream), bool(said.background) and not said.stream
        return Spoken(self, request, options, streams=streams, detached=leaves)

    def _request(self, said: ResponsesBody, options: Mapping[str, Any]) -> ChatRequest:
        before, named = said.previous_response_id, said.conversation
        conversation_id = named.id if isinstance(named, ConversationId) else named
        has_more = before is not None or conversation_id is not None
        messages = conversation(said.input, has_more)
        if not messages:
            raise InvalidRequest({"input": "must not be empty"})
        tools, server_tools = _tools(said)
        at = f"input.{len(said.input) - 1}.content" if isinstance(said.input, list) else "input"
        names = {
            "message": at,
            "history": "input",
            "session_id": "conversation",
            "run_id": "previous_response_id",
            "system": "instructions",
        }
        stops = said.on_disconnect == "stop" if said.on_disconnect else not said.background
        return ChatRequest(
            messages[-1].content,
            session_id=session_of(conversation_id) if conversation_id is not None else None,
            must_exist=conversation_id is not None,
            place=Place("after_run", run_id_of(before)) if before is not None else Place(),
            role=messages[-1].role,
            history=messages[:-1],
            listed=said.store is not False,
            model=said.model,
            system=said.instructions,
            temperature=said.temperature,
            max_tokens=said.max_output_tokens,
            parameters=_parameters(said, tools),
            server_tools=server_tools,
            stop_when_unwatched=stops,
            options=options,
            names=names,
        )

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; `options` may say from which event on, of a log that is read from its
        start."""
        return ResponseEncoder(reply, after, options)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response, as far as it has come."""
        return described(reply, options, output_of(reply, options))

    def accepted(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response as it is: it goes on in the background."""
        return self.whole(reply, options)

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body that OpenAI's SDKs make their exceptions of."""
        return {"error": error_details(error)}


def _tools(said: ResponsesBody) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the definitions of the client's, and the names of ours."""
    functions: list[Any] = []
    ours = list(said.server_tools or ())
    for index, tool in enumerate(said.tools or ()):
        kind = str(tool.get("type"))
        if kind == "function":
            functions.append({"type": kind, "function": {**tool, "type": None}})
        elif kind.startswith(SEARCHES):
            ours.append("web_search")
        else:
            why = f"must be function, or {SEARCHES[0]} where this server searches"
            raise unsupported(f"tools.{index}.type", why)
    try:
        checked = checked_tools(functions)
    except InvalidRequest as wrong:
        fields = {name.replace(".function", ""): why for name, why in wrong.fields.items()}
        raise InvalidRequest(fields) from None
    for tool in checked:
        kept = {name: one for name, one in tool["function"].items() if one is not None}
        tool["function"] = kept
    return checked, tuple(dict.fromkeys(ours))


def _parameters(said: ResponsesBody, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    asked = CallParameters(
        tool_choice=_choice(said.tool_choice),
        parallel_tool_calls=said.parallel_tool_calls,
        response_format=_form(said),
        reasoning_effort=said.reasoning.effort if said.reasoning else None,
    )
    found = asked.passed_on(tools)
    if said.top_p is not None:
        found["top_p"] = said.top_p
    return found


def _choice(choice: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    """Return a choice as chat completions have it, where it is an object."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == "allowed_tools":
        named = choice.get("tools")
        tools = [_choice(one) for one in named] if isinstance(named, list) else named
        return {
            "type": "allowed_tools",
            "allowed_tools": {"mode": choice.get("mode"), "tools": tools},
        }
    if choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice


def _form(said: ResponsesBody) -> dict[str, Any] | None:
    form = said.text.format if said.text else None
    if not form or form.get("type") == "text":
        return None
    if form.get("type") == "json_object":
        return {"type": "json_object"}
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise InvalidRequest(
            {"text.format": "must be text, json_object, or json_schema with a schema"}
        )
    schema = {name: one for name, one in form.items() if name != "type" and one is not None}
    return {"type": "json_schema", "json_schema": schema}


ECHOED = (
    "instructions",
    "metadata",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "truncation",
)


def _options(said: ResponsesBody, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the response is to say again of its request."""
    found = {name: storable(body[name]) for name in ECHOED if body.get(name) is not None}
    if said.conversation is not None:
        found["conversation"] = _named(said.conversation)
    if said.background:
        found["background"] = True
    if said.store is False:
        found["store"] = False
    if SEALED in (said.include or ()):
        found["seals"] = True
    return found


def _named(conversation: str | ConversationId) -> str:
    return conversation if isinstance(conversation, str) else conversation.id
