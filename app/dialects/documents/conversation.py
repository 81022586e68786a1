"""Conversations of the client's: `POST /chat` with a conversation that the client holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import NotRequired, TypedDict

from app.core.entries import TEXT, Entry
from app.core.errors import ChatError
from app.dialects.client_held import (
    HELLO,
    SaidMessage,
    asked,
    explained,
    facts_of,
    facts_of_failure,
    plain,
)
from app.dialects.dialect import Dialect, Encoder, Reply, Spoken, named_by
from app.dialects.frames import Body, OnDisconnect, event_frame, timestamp, validated


class ConversationChatBody(Body):
    """A conversation, the last message being the new one."""

    conversation: list[SaidMessage]
    model: str | None = None
    provider: str | None = None
    stream: bool = False
    on_disconnect: OnDisconnect = "continue"


class StreamingStats(TypedDict):
    """How the stream goes; seconds, and words a second."""

    total_chunks: int
    total_characters: int
    elapsed_time: float
    words_per_second: float


class ConversationChatEvent(TypedDict):
    """A piece with all text so far; with `done` the end."""

    content: str
    full_content: str
    chunk_id: int
    timestamp: str
    done: bool
    model: str
    streaming_stats: StreamingStats
    error: NotRequired[str]
    error_id: NotRequired[str]
    code: NotRequired[str]
    retryable: NotRequired[bool]


class ConversationChatAnswer(TypedDict):
    """The reply that was not streamed."""

    message: str
    timestamp: str
    model: str


class ConversationChatProblem(TypedDict):
    """An answer that is an error."""

    error: str
    error_id: str
    code: str
    retryable: bool


class ConversationChatEncoder(Encoder):
    """Each event has all text so far: quadratic in the reply, as the document says it."""

    def __init__(self, reply: Reply, after: int) -> None:
        self._record = reply.record
        self._model = reply.answerer.model
        self._text = reply.log.text(after) if after else ""
        self._chunks = reply.log.text_count(after) if after else 0
        self._words = len(self._text.split())

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a text's event."""
        if entry.kind != TEXT:
            named = named_by(entry)
            if named is not None:
                self._model = named.model
            return b""
        self._count_words(entry.data)
        self._text += entry.data
        self._chunks += count
        return event_frame(self._payload(entry, entry.data, self._chunks, done=False))

    def ending(self, entry: Entry) -> bytes:
        """Return the last event."""
        payload = self._payload(entry, "", self._chunks + 1, done=True)
        error = entry.data["error"]
        if error:
            payload |= {"error": error["message"], "error_id": error["error_id"]}
            payload |= facts_of_failure(error)
        return event_frame(payload)

    def _payload(self, entry: Entry, content: str, chunk_id: int, done: bool) -> dict[str, Any]:
        elapsed_s = max(0.0, entry.at - self._record.created_at)
        return {
            "content": content,
            "full_content": self._text,
            "chunk_id": chunk_id,
            "timestamp": timestamp(entry.at),
            "done": done,
            "model": self._model,
            "streaming_stats": {
                "total_chunks": self._chunks,
                "total_characters": len(self._text),
                "elapsed_time": round(elapsed_s, 3),
                "words_per_second": round(self._words / elapsed_s, 1) if elapsed_s else 0.0,
            },
        }

    def _count_words(self, piece: str) -> None:
        """Count the words that begin in this piece: one that the last piece broke off goes on."""
        self._words += len(piece.split())
        if self._text and not self._text[-1].isspace() and piece and not piece[0].isspace():
            self._words -= 1


class ConversationChat(Dialect):
    """A conversation that the client holds, answered with statistics of the stream."""

    name = "conversation_chat"
    body = ConversationChatBody
    event = ConversationChatEvent
    answer = ConversationChatAnswer
    problem = ConversationChatProblem
    examples = ({"conversation": HELLO, "stream": True}, {"conversation": HELLO})

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest."""
        said = validated(ConversationChatBody, body)
        request = asked(
            plain(said.conversation),
            "conversation",
            model=said.model,
            provider=said.provider,
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        return Spoken(self, request, streams=said.stream)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder."""
        return ConversationChatEncoder(reply, after)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer without `stream`."""
        end = reply.log.end
        assert end is not None
        at = timestamp(end.at)
        return {"message": reply.log.text(), "timestamp": at, "model": reply.answerer.model}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the message, its id, and what the error is."""
        message = explained(error.message, error.fields)
        return {"error": message, "error_id": error.error_id, **facts_of(error)}
