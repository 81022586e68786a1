"""Prompts and numbered conversations: `POST /chat` with a prompt, `POST /chat/conversation` with
messages.

Its conversations are known by a number, 1, 2, ... for each owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from app.chats.numbers import number_of_session, numbered_session
from app.chats.request import ChatRequest
from app.core.entries import TEXT, Entry
from app.core.errors import ChatError
from app.core.messages import text_parts
from app.dialects.client_held import (
    HELLO,
    SaidMessage,
    asked,
    explained,
    facts_of,
    facts_of_failure,
    plain,
)
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken
from app.dialects.documents.completions import Detail
from app.dialects.frames import Body, OnDisconnect, Said, event_frame, validated
from app.dialects.native_shapes import UsageShape

Number = Annotated[int, Field(ge=1, le=2**53)]


class PromptBody(Body):
    """One message for a conversation that the server holds; a new one if none is named."""

    prompt: Said
    model: str | None = None
    provider: str | None = None
    conversation_id: Number | None = None
    stream: bool = False
    on_disconnect: OnDisconnect = "continue"


class ConversationBody(Body):
    """A conversation that the client holds, the last message being the new one."""

    messages: list[SaidMessage]
    model: str | None = None
    provider: str | None = None
    conversation_id: Number | None = None
    stream: bool = False
    on_disconnect: OnDisconnect = "continue"


class ChunkEvent(TypedDict):
    """A piece of the reply."""

    chunk: str
    type: Literal["content"]


class LastEvent(TypedDict):
    """The end; an error has a message."""

    type: Literal["done", "error"]
    message: NotRequired[str]
    code: NotRequired[str]
    retryable: NotRequired[bool]


class Metadata(TypedDict):
    """How the reply came about."""

    finish_reason: str
    duration: float
    usage: UsageShape


class PromptAnswer(TypedDict):
    """The reply that was not streamed."""

    response: str
    model: str
    provider: str
    metadata: Metadata
    conversation_id: int | None


class PromptEncoder(Encoder):
    """Chunks, then `done` or `error`."""

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a text's event."""
        if entry.kind != TEXT:
            return b""
        return event_frame({"chunk": entry.data, "type": "content"})

    def ending(self, entry: Entry) -> bytes:
        """Return the last event."""
        error = entry.data["error"]
        if error:
            facts = facts_of_failure(error)
            return event_frame({"type": "error", "message": error["message"], **facts})
        return event_frame({"type": "done"})


class PromptChat(Dialect):
    """A prompt, in a conversation that is known by a number."""

    name = "prompt_chat"
    body: Any = PromptBody
    event = ChunkEvent | LastEvent
    answer = PromptAnswer
    problem = Detail
    examples: Sequence[Mapping[str, Any]] = (
        {"prompt": "Hello", "stream": True},
        {"prompt": "Hello"},
    )
    own_headers = {"X-Conversation-Id": "The number of the conversation, if it has one."}

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest."""
        said = validated(PromptBody, body)
        number = said.conversation_id
        request = ChatRequest(
            text_parts(said.prompt),
            session_id=None if number is None else numbered_session(number),
            must_exist=number is not None,
            numbered=True,
            model=said.model,
            provider=said.provider,
            fall_back_whole=True,
            stop_when_unwatched=said.on_disconnect == "stop",
            names={"message": "prompt", "session_id": "conversation_id"},
        )
        return Spoken(self, request, streams=said.stream)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; it is the same from any cursor on."""
        return PromptEncoder()

    def headers(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the header that names the conversation."""
        number = self._number(reply, options)
        return {} if number is None else {"X-Conversation-Id": str(number)}

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer without `stream`."""
        end, answerer = reply.ended, reply.answerer
        return {
            "response": reply.log.text(),
            "model": answerer.model,
            "provider": answerer.provider,
            "metadata": {
                "finish_reason": end["finish_reason"],
                "duration": round(end["duration_s"], 3),
                "usage": end["usage"],
            },
            "conversation_id": self._number(reply, options),
        }

    def _number(self, reply: Reply, options: Mapping[str, Any]) -> int | None:
        given: int | None = options.get("conversation_id")
        return given or number_of_session(reply.record.session_id)

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the key that FastAPI's clients look for, and what the error is."""
        return {"detail": explained(error.message, error.fields), **facts_of(error)}


class PromptConversation(PromptChat):
    """Messages that the client holds, answered as a prompt is."""

    name = "prompt_conversation"
    body = ConversationBody
    examples = ({"messages": HELLO, "stream": True}, {"messages": HELLO})

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request; a number that the client gives is only said back. Raises
        InvalidRequest."""
        said = validated(ConversationBody, body)
        request = asked(
            plain(said.messages),
            "messages",
            numbered=said.conversation_id is None,
            model=said.model,
            provider=said.provider,
            fall_back_whole=True,
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        options = {"conversation_id": said.conversation_id}
        return Spoken(self, request, options, streams=said.stream)
