"""The dialect of Ollama's `POST /api/chat`: one JSON object a line. At `/ollama/api/chat`.

Source: Ollama API reference, "Generate a chat completion". Clients set their host to `<us>/ollama`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.core.entries import REASONING, TEXT, Entry
from app.core.errors import ChatError, UnsupportedParameter
from app.core.messages import ProviderMessage, text_parts
from app.dialects.client_held import HELLO, asked, explained
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import Body, OnDisconnect, json_line, timestamp, validated

NANOSECONDS = 1_000_000_000
FIELDS = {TEXT: "content", REASONING: "thinking"}  # of a message, by kind of entry
DONE_REASONS = {"stopped": "stop", "length": "length"}
REFUSED = ("format", "tools")


class OllamaMessage(Body):
    """One message; `images` are refused."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    images: list[Any] | None = None


class OllamaOptions(Body):
    """The options that are honoured; Ollama has more, about the model's loading."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    num_predict: int | None = None


class OllamaBody(Body):
    """The body of `POST /api/chat`; it streams unless told otherwise."""

    model: str
    messages: list[OllamaMessage]
    stream: bool = True
    options: OllamaOptions | None = None
    on_disconnect: OnDisconnect = "stop"  # as with Ollama: who hangs up is done


class OllamaReply(TypedDict):
    """A part of the reply's message."""

    role: Literal["assistant"]
    content: str
    thinking: NotRequired[str]


class OllamaLine(TypedDict):
    """One line: a piece, or with `done` the end; times in nanoseconds."""

    model: NotRequired[str]
    created_at: NotRequired[str]
    message: NotRequired[OllamaReply]
    done: NotRequired[bool]
    done_reason: NotRequired[str]
    total_duration: NotRequired[int]
    load_duration: NotRequired[int]
    prompt_eval_count: NotRequired[int]
    prompt_eval_duration: NotRequired[int]
    eval_count: NotRequired[int]
    eval_duration: NotRequired[int]
    error: NotRequired[str]


class OllamaProblem(TypedDict):
    """An answer that is an error."""

    error: str


class OllamaEncoder(Encoder):
    """Lines. There are no comments, so silence is told by a piece without text."""

    def __init__(self, reply: Reply) -> None:
        self._began_at = reply.record.created_at
        self.opening = self._name(reply.answerer.model)

    def _name(self, model: str) -> bytes:
        """Name that model from here on; return a line without text."""
        self._model = model
        self.heartbeat = self._line(self._began_at, content="")
        return self.heartbeat

    def _line(self, at: float, **message: str) -> bytes:
        payload = _message(self._model, at, {"role": "assistant", "content": "", **message})
        return json_line({**payload, "done": False}) + b"\n"

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a line of text, or of thinking."""
        name = FIELDS.get(entry.kind)
        if name:
            return self._line(entry.at, **{name: entry.data})
        named = named_by(entry)
        if named is not None:
            self._name(named.model)
        return b""

    def ending(self, entry: Entry) -> bytes:
        """Return the last line."""
        error = entry.data["error"]
        if error:
            return json_line({"error": error["message"]}) + b"\n"
        return json_line(_last(self._model, entry, "")) + b"\n"


class OllamaChat(Dialect):
    """The dialect of Ollama."""

    name = "ollama_chat"
    body = OllamaBody
    event = OllamaLine
    answer = OllamaLine
    problem = OllamaProblem
    examples = (
        {"model": "demo", "messages": HELLO},
        {"model": "demo", "messages": HELLO, "stream": False},
    )
    content_type = "application/x-ndjson"

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(OllamaBody, body)
        for name in REFUSED:
            if body.get(name):
                raise _unsupported(name)
        options = said.options or OllamaOptions()
        predicted = options.num_predict
        request = asked(
            [_plain(message, index) for index, message in enumerate(said.messages)],
            "messages",
            model=said.model,
            temperature=options.temperature,
            max_tokens=predicted if predicted and predicted > 0 else None,
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        return Spoken(self, request, streams=said.stream)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return OllamaEncoder(reply)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with `"stream": false`."""
        end = reply.log.end
        assert end is not None
        return _last(reply.answerer.model, end, reply.log.text())

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the one key that Ollama's clients look for."""
        return {"error": explained(error.message, error.fields)}


def _message(model: str, at: float, message: dict[str, str]) -> dict[str, Any]:
    return {"model": model, "created_at": timestamp(at), "message": message}


def _last(model: str, entry: Entry, text: str) -> dict[str, Any]:
    end = entry.data
    first_s = end["ttft_s"] or 0.0
    return {
        **_message(model, entry.at, {"role": "assistant", "content": text}),
        "done": True,
        "done_reason": DONE_REASONS.get(end["finish_reason"], "stop"),
        "total_duration": int(end["duration_s"] * NANOSECONDS),
        "load_duration": 0,
        "prompt_eval_count": end["usage"]["input_tokens"],
        "prompt_eval_duration": int(first_s * NANOSECONDS),
        "eval_count": end["usage"]["output_tokens"],
        "eval_duration": int(max(0.0, end["duration_s"] - first_s) * NANOSECONDS),
    }


def _plain(message: OllamaMessage, index: int) -> ProviderMessage:
    if message.role == "tool":
        raise _unsupported(f"messages.{index}.role")
    if message.images:
        raise _unsupported(f"messages.{index}.images")
    return ProviderMessage(message.role, text_parts(message.content))


def _unsupported(name: str) -> UnsupportedParameter:
    why = {name: "this server takes text only"}
    return UnsupportedParameter(f"`{name}` cannot be honoured here.", fields=why)
