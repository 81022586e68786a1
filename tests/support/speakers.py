"""How each dialect is spoken, told from its clients' side: what they send, what they look for."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support.server import Answer, Asked
from tests.support.sse import SseEvent, SseStream

Frame = Any
DETAIL = {"detail", "code", "retryable"}  # what an error of the documents that FastAPI wrote has


@dataclass(frozen=True)
class Speaker:
    """One dialect; `text`, `complete`, `stopped` and `failed` look at frames as they came."""

    name: str
    path: str
    body: Callable[[str], dict[str, Any]]
    text: Callable[[Frame], str]
    complete: Callable[[list[Frame]], bool]
    stopped: Callable[[list[Frame]], bool]
    failed: Callable[[list[Frame]], bool]
    problem: Callable[[Any], str]  # the sentence in an error's body, which has nothing else in it
    content_type: str = "text/event-stream; charset=utf-8"
    headers: tuple[str, ...] = ()  # that its answers have besides the common ones
    required: str = ""  # a field that a request must have
    stops_with_client: bool = False
    heartbeat: Frame = None  # where it is an event
    holds_headers: bool = False  # until the first piece or a failure

    def path_for(self, server: Asked, **headers: str) -> str:
        """Return the path, of a new session if it needs one."""
        if "{session}" not in self.path:
            return self.path
        return self.path.format(session=server.post("/sessions", **headers).json["id"])

    def start(self, server: Asked, message: str = "go", slash: str = "", **headers: str) -> Stream:
        """Send a message; return its stream."""
        path = self.path_for(server, **headers) + slash
        return Stream(self, server, path, self.body(message), headers)

    def post(self, server: Asked, message: str = "go", **headers: str) -> Answer:
        """Send a message; return the answer when it is over."""
        return server.post(self.path_for(server, **headers), self.body(message), **headers)


class LinesParser:
    """Newline-delimited JSON."""

    def __init__(self) -> None:
        self._rest = b""
        self.comments: list[str] = []

    def feed(self, received: bytes) -> list[SseEvent]:
        """Return the lines these bytes complete."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [SseEvent("", json.loads(line)) for line in lines]


class Stream(SseStream):
    """A streamed answer in a dialect; `frames` are all that came so far."""

    def __init__(
        self, speaker: Speaker, server: Asked, path: str, body: Any, headers: dict[str, str]
    ) -> None:
        super().__init__(server, "POST", path, body, headers)
        self.speaker = speaker
        self.frames: list[Frame] = []
        if "ndjson" in speaker.content_type:
            self.parser = LinesParser()  # type: ignore[assignment]

    def next(self) -> SseEvent | None:
        """Return the next frame, waiting for it; None at the end of the stream."""
        event = super().next()
        if event is not None:
            self.frames.append(event.data)
        return event

    def next_text(self) -> str | None:
        """Return the text of the next frame that has one; None if the stream ends first."""
        while (event := self.next()) is not None:
            if text := self.speaker.text(event.data):
                return text
        return None

    def read(self) -> str:
        """Read to the end; return all text that came."""
        self.rest()
        return "".join(map(self.speaker.text, self.frames))


def by_type(kind: str, key: str) -> Callable[[Frame], str]:
    """Return what reads the text of frames of that type."""
    return lambda frame: frame[key] if isinstance(frame, dict) and frame.get("type") == kind else ""


def types(frames: list[Frame]) -> list[str]:
    """Return the frames' types; what is no object, as it is."""
    return [frame["type"] if isinstance(frame, dict) else frame for frame in frames]


def detail(body: Any) -> str:
    """The error of 001, 002 and 003."""
    assert set(body) == DETAIL, body
    return str(body["detail"])


def shared_detail(body: Any) -> str:
    """The error of `/chat` before it is known who speaks: both documents' keys."""
    assert DETAIL <= set(body) <= DETAIL | {"error", "error_id"}, body
    return str(body["detail"])


def sentence_and_id(body: Any) -> str:
    """The error of 004."""
    needed = {"error", "error_id", "code", "retryable"}
    assert needed <= set(body) <= needed | {"detail"}, body
    assert body["error_id"].startswith("ERR_")
    return str(body["error"])


def native_problem(body: Any) -> str:
    """The native error."""
    assert {"code", "message", "error_id", "retryable"} <= set(body["error"]), body
    return str(body["error"]["message"])


def anthropic_problem(body: Any) -> str:
    """The error of Anthropic's API, which has a type and a sentence, and ours beside them."""
    assert (body["type"], set(body["error"])) == ("error", {"type", "message"}), body
    assert set(body) == {"type", "error", "code", "retryable"}, body
    return str(body["error"]["message"])


def openai_problem(body: Any) -> str:
    """OpenAI's error."""
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    return str(body["error"]["message"])


def ollama_problem(body: Any) -> str:
    """Ollama's error."""
    assert set(body) == {"error"}, body
    return str(body["error"])


def said(message: str) -> list[dict[str, str]]:
    """Return a conversation of one message."""
    return [{"role": "user", "content": message}]


def openai_text(frame: Frame) -> str:
    """The text of a chunk."""
    return "".join(choice["delta"].get("content", "") for choice in choices(frame))


def choices(frame: Frame) -> list[Any]:
    """The choices of a chunk; what is none has none."""
    return [] if frame == "[DONE]" or "error" in frame else list(frame["choices"])


def openai_ended(frames: list[Frame]) -> bool:
    """A finish reason of OpenAI's, then [DONE]."""
    return frames[-1] == "[DONE]" and frames[-2]["choices"][0]["finish_reason"] == "stop"


def ui_chat(message: str) -> dict[str, Any]:
    """Return what `useChat` sends for the first message of a chat."""
    parts = [{"type": "text", "text": message}]
    return {
        "id": uuid.uuid4().hex,
        "messages": [{"id": "m1", "role": "user", "parts": parts}],
        "trigger": "submit-message",
    }


NATIVE = Speaker(
    name="native",
    path="/api/chat/stream",
    body=lambda message: {"message": message},
    text=lambda frame: frame.get("token", ""),
    complete=lambda frames: frames[-1]["done"] and frames[-1]["finish_reason"] == "stop",
    stopped=lambda frames: frames[-1]["done"] and frames[-1]["finish_reason"] == "stopped",
    failed=lambda frames: {"error", "code", "error_id", "retryable"} <= set(frames[-1]),
    problem=native_problem,
    required="message",
)
COMPLETIONS = Speaker(
    name="001 completions_stream",
    path="/chat/completions/stream",
    body=lambda message: {"messages": said(message)},
    text=lambda frame: frame["content"],
    complete=lambda frames: frames[-1]["done"] and "error" not in frames[-1],
    stopped=lambda frames: frames[-1]["done"] and "error" not in frames[-1],
    failed=lambda frames: frames[-1]["done"] and bool(frames[-1]["error"]),
    problem=detail,
    required="messages",
)
SESSION_MESSAGES = Speaker(
    name="002 session_messages",
    path="/sessions/{session}/messages/stream",
    body=lambda message: {"content": message, "role": "user"},
    text=by_type("token", "content"),
    complete=lambda frames: (types(frames)[0], types(frames)[-1]) == ("start", "end"),
    stopped=lambda frames: (types(frames)[0], types(frames)[-1]) == ("start", "end"),
    failed=lambda frames: set(frames[-1]) == {"type", "error", "code", "retryable"},
    problem=detail,
    required="content",
)
PROMPT = Speaker(
    name="003 prompt_chat",
    path="/chat",
    body=lambda message: {"prompt": message, "stream": True},
    text=by_type("content", "chunk"),
    complete=lambda frames: frames[-1] == {"type": "done"},
    stopped=lambda frames: frames[-1] == {"type": "done"},
    failed=lambda frames: frames[-1]["type"] == "error" and bool(frames[-1]["message"]),
    problem=shared_detail,
    headers=("x-conversation-id",),
    required="prompt",
)
PROMPT_CONVERSATION = Speaker(
    name="003 prompt_conversation",
    path="/chat/conversation",
    body=lambda message: {"messages": said(message), "stream": True},
    text=by_type("content", "chunk"),
    complete=lambda frames: frames[-1] == {"type": "done"},
    stopped=lambda frames: frames[-1] == {"type": "done"},
    failed=lambda frames: frames[-1]["type"] == "error" and bool(frames[-1]["message"]),
    problem=detail,
    headers=("x-conversation-id",),
    required="messages",
)
CONVERSATION = Speaker(
    name="004 conversation_chat",
    path="/chat",
    body=lambda message: {"conversation": said(message), "stream": True},
    text=lambda frame: frame["content"],
    complete=lambda frames: frames[-1]["done"] and "error" not in frames[-1],
    stopped=lambda frames: frames[-1]["done"] and "error" not in frames[-1],
    failed=lambda frames: frames[-1]["done"] and frames[-1]["error_id"].startswith("ERR_"),
    problem=sentence_and_id,
    required="conversation",
)
OPENAI = Speaker(
    name="openai",
    path="/v1/chat/completions",
    body=lambda message: {"model": "any/model", "messages": said(message), "stream": True},
    text=openai_text,
    complete=openai_ended,
    stopped=openai_ended,
    failed=lambda frames: set(frames[-1]) == {"error"} and "[DONE]" not in frames,
    problem=openai_problem,
    required="messages",
    stops_with_client=True,
    holds_headers=True,
)
OPENAI_COMPLETIONS = replace(
    OPENAI,
    name="openai_completions",
    path="/v1/completions",
    body=lambda message: {"model": "any/model", "prompt": message, "stream": True},
    text=lambda frame: "".join(choice["text"] for choice in choices(frame)),
    required="prompt",
)
ANTHROPIC = Speaker(
    name="anthropic",
    path="/v1/messages",
    body=lambda message: {
        "model": "any/model",
        "max_tokens": 1000,
        "messages": said(message),
        "stream": True,
    },
    text=lambda frame: frame.get("delta", {}).get("text", ""),
    complete=lambda frames: types(frames)[-2:] == ["message_delta", "message_stop"],
    stopped=lambda frames: types(frames)[-2:] == ["message_delta", "message_stop"],
    failed=lambda frames: types(frames)[-1] == "error" and "message_stop" not in types(frames),
    problem=anthropic_problem,
    required="messages",
    stops_with_client=True,
    heartbeat={"type": "ping"},
    holds_headers=True,
)
AI_SDK = Speaker(
    name="ai_sdk",
    path="/api/ai-sdk/chat",
    body=ui_chat,
    text=by_type("text-delta", "delta"),
    complete=lambda frames: (types(frames)[-4:] == ["text-end", "finish-step", "finish", "[DONE]"]),
    stopped=lambda frames: types(frames)[-3:] == ["text-end", "abort", "[DONE]"],
    failed=lambda frames: types(frames)[-2:] == ["error", "[DONE]"],
    problem=native_problem,
    headers=("x-vercel-ai-ui-message-stream",),
    required="messages",
)
OLLAMA = Speaker(
    name="ollama",
    path="/ollama/api/chat",
    body=lambda message: {"model": "any/model", "messages": said(message)},
    text=lambda frame: frame.get("message", {}).get("content", ""),
    complete=lambda frames: frames[-1]["done"] and frames[-1]["done_reason"] == "stop",
    stopped=lambda frames: frames[-1]["done"] and frames[-1]["done_reason"] == "stop",
    failed=lambda frames: set(frames[-1]) == {"error"},
    problem=ollama_problem,
    content_type="application/x-ndjson",
    required="messages",
    stops_with_client=True,
)
GENERATE = replace(
    OLLAMA,
    name="ollama_generate",
    path="/ollama/api/generate",
    body=lambda message: {"model": "any/model", "prompt": message},
    text=lambda frame: frame.get("response", ""),
    required="prompt",
)

SPEAKERS = (
    NATIVE,
    COMPLETIONS,
    SESSION_MESSAGES,
    PROMPT,
    PROMPT_CONVERSATION,
    CONVERSATION,
    OPENAI,
    OPENAI_COMPLETIONS,
    ANTHROPIC,
    AI_SDK,
    OLLAMA,
    GENERATE,
)
every = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
