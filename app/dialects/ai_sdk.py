"""The dialect of Vercel's AI SDK: UI message stream v1, `POST /api/ai-sdk/chat`.

Source: AI SDK, "Stream Protocols", data stream protocol. Its versions 5 and 6 fail on any field or
type that they do not know, so there is none. The chat's id is the session; of what the client sends
only the last user's message is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.chats.placing import AT_LEAF, Place
from app.chats.request import ChatRequest
from app.core.entries import REASONING, TEXT, Entry
from app.core.errors import ChatError, InvalidRequest, UnsupportedParameter
from app.core.messages import text_parts
from app.dialects.client_held import explained
from app.dialects.dialect import OPEN, Dialect, Encoder, Reply, Spoken
from app.dialects.frames import Body, Id, OnDisconnect, event_frame, validated
from app.dialects.native_shapes import Problem

LAST_DATA = "[DONE]"
DONE = b"data: %s\n\n" % LAST_DATA.encode()
HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
STREAMED_PARTS = frozenset({TEXT, REASONING})  # kinds that are parts of their own name
FINISH_REASONS = {"content_filter": "content-filter", "tool_calls": "tool-calls"}


class UiMessage(Body):
    """One message of the client's; only texts are read."""

    id: str = ""
    role: Literal["system", "user", "assistant"]
    parts: list[dict[str, Any]] = []

    def text(self) -> str:
        """Return the text parts, joined."""
        texts = (part.get("text") for part in self.parts if part.get("type") == "text")
        return "".join(text for text in texts if isinstance(text, str))


class UiChatBody(Body):
    """What `useChat` sends; from `model` on it may be given in its `body` option."""

    id: Id
    messages: list[UiMessage]
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    messageId: str | None = None
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    on_disconnect: OnDisconnect = "continue"


class UiPart(TypedDict):
    """One part of the stream; which fields it has depends on its type."""

    type: Literal[
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "finish-step",
        "finish",
        "error",
        "abort",
    ]
    id: NotRequired[str]
    delta: NotRequired[str]
    messageId: NotRequired[str]
    messageMetadata: NotRequired[dict[str, Any]]
    errorText: NotRequired[str]


class UiReply(TypedDict):
    """The reply as one message of the client's."""

    id: str
    role: Literal["assistant"]
    parts: list[dict[str, str]]


class UiEncoder(Encoder):
    """The parts of one message: steps, reasoning, texts; then finish, abort or error."""

    def __init__(self, reply: Reply, after: int) -> None:
        record = reply.record
        self._reply = reply
        self._open: str | None = None  # the kind of part that has begun
        self._parts = 0
        start = {
            "type": "start",
            "messageId": record.message_id,
            "messageMetadata": {"runId": record.id},
        }
        self.opening = OPEN + event_frame(start) + event_frame({"type": "start-step"})

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a delta, after what begins its part."""
        if entry.kind not in STREAMED_PARTS:
            return b""
        begun = self._begin(entry.kind)
        delta = {"type": f"{entry.kind}-delta", "id": self._part_id(), "delta": entry.data}
        return begun + event_frame(delta)

    def ending(self, entry: Entry) -> bytes:
        """Return the last frames."""
        end = entry.data
        if end["error"]:
            return event_frame({"type": "error", "errorText": end["error"]["message"]}) + DONE
        closed = self._finish_part()
        if end["status"] == "stopped":
            return closed + event_frame({"type": "abort"}) + DONE
        reason = FINISH_REASONS.get(end["finish_reason"], end["finish_reason"])
        metadata = {
            "finishReason": reason,
            "usage": _usage(end["usage"]),
        }
        finish = event_frame({"type": "finish", "messageMetadata": metadata})
        return closed + event_frame({"type": "finish-step"}) + finish + DONE

    def _begin(self, kind: str) -> bytes:
        if self._open == kind:
            return b""
        closed = self._finish_part()
        self._open, self._parts = kind, self._parts + 1
        return closed + event_frame({"type": f"{kind}-start", "id": self._part_id()})

    def _finish_part(self) -> bytes:
        kind, self._open = self._open, None
        return event_frame({"type": f"{kind}-end", "id": self._part_id()}) if kind else b""

    def _part_id(self) -> str:
        return f"part-{self._parts}"


class AiSdk(Dialect):
    """The dialect of Vercel's AI SDK."""

    name = "ai_sdk"
    body = UiChatBody
    event = UiPart
    answer = UiReply
    problem = Problem
    examples = (
        {
            "id": "chat-1",
            "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}],
        },
    )
    last_data = LAST_DATA
    own_headers = {"x-vercel-ai-ui-message-stream": "The protocol's version, `v1`."}

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(UiChatBody, body)
        asked = [index for index, one in enumerate(said.messages) if one.role == "user"]
        if not asked:
            raise InvalidRequest({"messages": "must have a message of the user"})
        last = said.messages[asked[-1]]
        _check_parts(last, asked[-1])
        systems = [one.text() for one in said.messages if one.role == "system"]
        request = ChatRequest(
            text_parts(last.text()),
            session_id=said.id,
            model=said.model,
            provider=said.provider,
            system=said.system or "\n\n".join(systems) or None,
            temperature=said.temperature,
            stop_when_unwatched=said.on_disconnect == "stop",
            place=_place(said, said.messages[: asked[-1]]),
            names={"message": f"messages.{asked[-1]}.parts", "session_id": "id"},
        )
        return Spoken(self, request)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; its client makes a message anew, so it is asked from the start."""
        return UiEncoder(reply, after)

    def headers(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the header by which clients know the protocol."""
        return HEADERS

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the reply as the client's own message; no route asks for it yet."""
        parts = [{"type": "text", "text": reply.log.text()}]
        return {"id": reply.record.message_id, "role": "assistant", "parts": parts}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the native error body: the client shows whatever it is."""
        payload = error.payload()
        return {"error": {**payload, "message": explained(error.message, error.fields)}}


def _check_parts(message: UiMessage, index: int) -> None:
    if any(part.get("type") == "file" for part in message.parts):
        name = f"messages.{index}.parts"
        why = {name: "this server takes text only"}
        raise UnsupportedParameter(f"`{name}` cannot be honoured here.", fields=why)


def _place(said: UiChatBody, before: Sequence[UiMessage]) -> Place:
    """Return where the turn goes: replies carry our ids, users' messages the client's own."""
    replies = [one.id for one in before if one.role == "assistant"]
    reply = replies[-1] if replies else None
    if said.trigger == "regenerate-message":
        return Place("again", reply)
    return AT_LEAF if said.messageId is None else Place("after", reply)


def _usage(usage: Mapping[str, Any]) -> dict[str, int]:
    tokens_in, tokens_out = usage["input_tokens"], usage["output_tokens"]
    return {
        "inputTokens": tokens_in,
        "outputTokens": tokens_out,
        "totalTokens": tokens_in + tokens_out,
    }
