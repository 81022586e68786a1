"""The dialect of Ollama's `POST /api/chat`: one JSON object a line. At `/ollama/api/chat`.

Source: Ollama API reference, "Generate a chat completion". Clients set their host to `<us>/ollama`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.core.entries import REASONING, TEXT, Entry
from app.core.errors import ChatError
from app.core.messages import ProviderMessage, text_parts
from app.dialects.client_held import HELLO, asked, explained, unsupported
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import Body, OnDisconnect, json_line, timestamp, validated

NANOSECONDS = 1_000_000_000
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
    def said(texts: Mapping[str, str]) -> dict[str, Any]:
        """Return what a line has of the reply."""
        return {"message": {"role": "assistant", "content": "", **texts}}

    def __init__(self, reply: Reply) -> None:
        self._began_at = reply.record.created_at
        self.opening = self._name(reply.answerer.model)

    def _name(self, model: str) -> bytes:
        """Name that model from here on; return a line without text."""
        self._model = model
        self.heartbeat = self._line(self._began_at, {})
        return self.heartbeat

    def _line(self, at: float, texts: Mapping[str, str]) -> bytes:
        payload = {**_named(self._model, at), **self.said(texts), "done": False}
        return json_line(payload) + b"\n"

    @classmethod
    def last(cls, model: str, entry: Entry, text: str) -> dict[str, Any]:
        """Return the last line, or all of an answer that has `text`."""
        texts = {cls.fields[TEXT]: text}
        return {**_named(model, entry.at), **cls.said(texts), **_figures(entry)}

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a line of text, or of thinking."""
        name = self.fields.get(entry.kind)
        if name:
            return self._line(entry.at, {name: entry.data})
        named = named_by(entry)
        if named is not None:
            self._name(named.model)
        return b""

    def ending(self, entry: Entry) -> bytes:
        """Return the last line."""
        error = entry.data["error"]
        if error:
            return json_line({"error": error["message"]}) + b"\n"
        return json_line(self.last(self._model, entry, "")) + b"\n"


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
    lines: type[OllamaEncoder] = OllamaEncoder

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(OllamaBody, body)
        for name in REFUSED:
            if body.get(name):
                raise unsupported(name)
        options = said.options or OllamaOptions()
        request = asked(
            [_plain(message, index) for index, message in enumerate(said.messages)],
            "messages",
            model=said.model,
            temperature=options.temperature,
            max_tokens=longest_of(options),
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        return Spoken(self, request, streams=said.stream)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return self.lines(reply)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with `"stream": false`."""
        end = reply.log.end
        assert end is not None
        return self.lines.last(reply.answerer.model, end, reply.log.text())

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the one key that Ollama's clients look for."""
        return {"error": explained(error.message, error.fields)}


def longest_of(options: OllamaOptions) -> int | None:
    """Return the longest reply asked for; Ollama's numbers below one mean none."""
    predicted = options.num_predict
    return predicted if predicted and predicted > 0 else None


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


def _plain(message: OllamaMessage, index: int) -> ProviderMessage:
    if message.role == "tool":
        raise unsupported(f"messages.{index}.role")
    if message.images:
        raise unsupported(f"messages.{index}.images")
    return ProviderMessage(message.role, text_parts(message.content))
