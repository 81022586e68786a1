"""The dialect of Ollama's `POST /api/chat`: one JSON object a line. At `/ollama/api/chat`.

Source: Ollama API reference, "Generate a chat completion". Clients set their host to `<us>/ollama`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.core.entries import REASONING, TEXT, TOOL_READY, Entry
from app.core.errors import ChatError, InvalidRequest
from app.core.messages import Content, Part, ProviderMessage, text_parts
from app.core.tools import CLIENT
from app.core.turns import calls_in
from app.dialects.attached import by_data, content_of, no_place
from app.dialects.calls import call_parts, checked_tools, result_part, said_with_calls
from app.dialects.client_held import HELLO, asked, explained
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import Body, OnDisconnect, json_line, timestamp, validated

NANOSECONDS = 1_000_000_000
DONE_REASONS = {"stopped": "stop", "length": "length"}
IMAGES = "Pictures, each as base64."
NO_FORMAT = 'must be "json" or a JSON schema'
Think = bool | Literal["low", "medium", "high"]


class OllamaMessage(Body):
    """One message; a user's may have `images`, in base64. A result of a call has role `tool`, and
    which one it is of by its name, or its place."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = ""
    images: Annotated[list[Any] | None, Field(description=IMAGES)] = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_name: str | None = None
    name: str | None = None  # what older clients call `tool_name`
    tool_call_id: str | None = None


class OllamaOptions(Body):
    """The options that are honoured; Ollama has more, about the model's loading."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    num_predict: int | None = None


class OllamaForm(Body):
    """What a reply is to be like; both of Ollama's requests have it."""

    options: OllamaOptions | None = None
    format: str | dict[str, Any] | None = None
    think: Think | None = None
    on_disconnect: OnDisconnect = "stop"  # as with Ollama: who hangs up is done

    def asked(self) -> dict[str, Any]:
        """Return what a request has of it. Raises InvalidRequest."""
        options = self.options or OllamaOptions()
        return {
            "temperature": options.temperature,
            "max_tokens": _longest(options),
            "stop_when_unwatched": self.on_disconnect == "stop",
        }

    def parameters(self) -> dict[str, Any]:
        """Return what is for a provider that takes it. Raises InvalidRequest."""
        found: dict[str, Any] = {}
        if isinstance(self.think, str):
            found["reasoning_effort"] = self.think
        if isinstance(self.format, dict) and self.format:
            schema = {"name": "response", "schema": self.format}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.format == "json":
            found["response_format"] = {"type": "json_object"}
        elif self.format:
            raise InvalidRequest({"format": NO_FORMAT})
        return found

    def shown(self) -> dict[str, Any]:
        """Return what the answer is to have: thoughts unless they are not wanted; a whole one only
        if they are."""
        return {} if self.think is None else {"thinking": bool(self.think)}


class OllamaBody(OllamaForm):
    """The body of `POST /api/chat`; it streams unless told otherwise."""

    model: str
    messages: list[OllamaMessage]
    stream: bool = True
    tools: list[dict[str, Any]] | None = None


class OllamaFunction(TypedDict):
    """What is called."""

    index: int
    name: str
    arguments: dict[str, Any]


class OllamaCall(TypedDict):
    """A call, whole."""

    function: OllamaFunction


class OllamaReply(TypedDict):
    """A part of the reply's message."""

    role: Literal["assistant"]
    content: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[OllamaCall]]


class OllamaFigures(TypedDict):
    """What every line may have; with `done` the figures of the end, times in nanoseconds."""

    model: NotRequired[str]
    created_at: NotRequired[str]
    done: NotRequired[bool]
    done_reason: NotRequired[str]
    total_duration: NotRequired[int]
    load_duration: NotRequired[int]
    prompt_eval_count: NotRequired[int]
    prompt_eval_duration: NotRequired[int]
    eval_count: NotRequired[int]
    eval_duration: NotRequired[int]
    error: NotRequired[str]


class OllamaLine(OllamaFigures):
    """One line: a piece, or with `done` the end."""

    message: NotRequired[OllamaReply]


class OllamaProblem(TypedDict):
    """An answer that is an error."""

    error: str


class OllamaEncoder(Encoder):
    """Lines. There are no comments, so silence is told by a piece without text."""

    fields = {TEXT: "content", REASONING: "thinking"}  # of what is said, by kind of entry

    @staticmethod
    def said(texts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a line has of the reply."""
        return {"message": {"role": "assistant", "content": "", **texts}}

    def __init__(self, reply: Reply, thinking: bool = True) -> None:
        self._began_at = reply.record.created_at
        self._shown = dict(self.fields)
        if not thinking:
            del self._shown[REASONING]
        self._calls = 0
        self.opening = self._name(reply.answerer.model)

    def _name(self, model: str) -> bytes:
        """Name that model from here on; return a line without text."""
        self._model = model
        self.heartbeat = self._line(self._began_at, {})
        return self.heartbeat

    def _line(self, at: float, texts: Mapping[str, Any]) -> bytes:
        payload = {**_named(self._model, at), **self.said(texts), "done": False}
        return json_line(payload) + b"\n"

    @classmethod
    def last(cls, model: str, entry: Entry, texts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the last line, or all of an answer that has these texts."""
        return {**_named(model, entry.at), **cls.said(texts), **_figures(entry)}

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a line of text, or of thinking, or of a call that has become whole."""
        name = self._shown.get(entry.kind)
        if name:
            return self._line(entry.at, {name: entry.data})
        if entry.kind == TOOL_READY:
            return self._call(entry)
        named = named_by(entry)
        if named is not None:
            self._name(named.model)
        return b""

    def _call(self, entry: Entry) -> bytes:
        call = _call(entry.data, self._calls)
        if call is None:
            return b""
        self._calls += 1
        return self._line(entry.at, {"tool_calls": [call]})

    def ending(self, entry: Entry) -> bytes:
        """Return the last line."""
        error = entry.data["error"]
        if error:
            return json_line({"error": error["message"]}) + b"\n"
        return json_line(self.last(self._model, entry, {})) + b"\n"


class OllamaChat(Dialect):
    """The dialect of Ollama."""

    name = "ollama_chat"
    body: Any = OllamaBody
    event: Any = OllamaLine
    answer: Any = OllamaLine
    problem = OllamaProblem
    examples = (
        {"model": "demo", "messages": HELLO},
        {"model": "demo", "messages": HELLO, "stream": False},
    )
    content_type = "application/x-ndjson"
    takes_parts = True
    lines: type[OllamaEncoder] = OllamaEncoder

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(OllamaBody, body)
        parameters = said.parameters()
        if said.tools:
            parameters["tools"] = checked_tools(said.tools)
        request = asked(
            _conversation(said.messages),
            "messages",
            model=said.model,
            parameters=parameters,
            **said.asked(),
        )
        return Spoken(self, request, said.shown(), streams=said.stream)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return self.lines(reply, options.get("thinking", True))

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with `"stream": false`."""
        end = reply.log.end
        assert end is not None
        texts: dict[str, Any] = {self.lines.fields[TEXT]: reply.log.text()}
        if options.get("thinking"):
            thoughts = (one.data for one in reply.log.everything() if one.kind == REASONING)
            texts[self.lines.fields[REASONING]] = "".join(thoughts)
        calls: list[OllamaCall] = []
        for part in calls_in(reply.log.content()):
            call = _call(part, len(calls))
            calls += [call] if call is not None else []
        if calls:
            texts["tool_calls"] = calls
        return self.lines.last(reply.answerer.model, end, texts)

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the one key that Ollama's clients look for."""
        return {"error": explained(error.message, error.fields)}


def _longest(options: OllamaOptions) -> int | None:
    """Return the longest reply asked for; Ollama's numbers below one mean none."""
    predicted = options.num_predict
    return predicted if predicted and predicted > 0 else None


def _call(said: Mapping[str, Any], index: int) -> OllamaCall | None:
    """Return a call that the client is to run; there is no place for others, nor for arguments that
    are none."""
    if said["source"] != CLIENT or "input" not in said:
        return None
    return {"function": {"index": index, "name": said["name"], "arguments": said["input"]}}


def _named(model: str, at: float) -> dict[str, Any]:
    return {"model": model, "created_at": timestamp(at)}


def _figures(entry: Entry) -> dict[str, Any]:
    end = entry.data
    first_s = end["ttft_s"] or 0.0
    return {
        "done": True,
        "done_reason": DONE_REASONS.get(end["finish_reason"], "stop"),
        "total_duration": int(end["duration_s"] * NANOSECONDS),
        "load_duration": 0,
        "prompt_eval_count": end["usage"]["input_tokens"],
        "prompt_eval_duration": int(first_s * NANOSECONDS),
        "eval_count": end["usage"]["output_tokens"],
        "eval_duration": int(max(0.0, end["duration_s"] - first_s) * NANOSECONDS),
    }


def _conversation(messages: Sequence[OllamaMessage]) -> list[ProviderMessage]:
    """Return the messages. Raises InvalidRequest for a result that no call waits for."""
    waiting: list[Part] = []
    said = []
    for index, message in enumerate(messages):
        field = f"messages.{index}"
        if message.images and message.role != "user":
            raise no_place(message.role, f"{field}.images")
        if message.role == "tool":
            call = _answered(message, waiting, field)
            waiting.remove(call)
            result = result_part(call["call_id"], call["name"], message.content or "")
            said.append(ProviderMessage("tool", (result,)))
            continue
        calls = _calls(message, field)
        waiting += calls
        content = said_with_calls(message.content or "", calls) if calls else None
        content = content or with_images(message.content or "", message.images, f"{field}.images")
        said.append(ProviderMessage(message.role, content))
    return said


def with_images(text: str, images: Sequence[Any] | None, field: str) -> Content:
    """Return what a message says, and its pictures. Raises InvalidRequest."""
    pictures = [by_data(one, f"{field}.{index}") for index, one in enumerate(images or ())]
    return content_of([*text_parts(text), *pictures])


def _calls(message: OllamaMessage, field: str) -> list[Part]:
    if message.tool_calls and message.role != "assistant":
        raise InvalidRequest({f"{field}.tool_calls": "only an assistant's message has them"})
    return call_parts(message.tool_calls or (), f"{field}.tool_calls")


def _answered(message: OllamaMessage, waiting: Sequence[Part], field: str) -> Part:
    """Return the call that the result is of: the first without one that is named so, or that there
    is."""
    if not waiting:
        raise InvalidRequest({field: "must follow a message whose `tool_calls` it is a result of"})
    call_id, name = message.tool_call_id, message.tool_name or message.name
    by_id = next((call for call in waiting if call["call_id"] == call_id), None)
    named = next((call for call in waiting if call["name"] == name), None)
    call = by_id or (named if name else waiting[0])
    if call is None:
        raise InvalidRequest({f"{field}.tool_name": "must be the name of a call without a result"})
    return call
