"""Messages of a session: a message to a session that was made before, streamed or not.

Its sessions are the native ones; app/transports/http/peers/ lists, reads and deletes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from app.chats.request import ChatRequest
from app.core.entries import TEXT, Entry
from app.core.errors import ChatError
from app.core.messages import Message, text_parts
from app.dialects.client_held import explained, facts_of, facts_of_failure
from app.dialects.dialect import OPEN, Dialect, Encoder, Reply, Spoken
from app.dialects.documents.completions import Detail
from app.dialects.frames import Body, OnDisconnect, Said, event_frame, timestamp, validated


class MessageBody(Body):
    """A user's message."""

    content: Said
    role: Literal["user"] = "user"
    on_disconnect: OnDisconnect = "continue"


class MessageEdgeEvent(TypedDict):
    """The stream begins, or is complete."""

    type: Literal["start", "end"]
    messageId: str


class MessageTokenEvent(TypedDict):
    """A piece of the reply."""

    type: Literal["token"]
    content: str


class MessageErrorEvent(TypedDict):
    """The reply did not complete."""

    type: Literal["error"]
    error: str
    code: str
    retryable: bool


class MessageRow(TypedDict):
    """One message of a session."""

    id: str
    session_id: str
    content: str
    role: str
    timestamp: str


class SessionMessagesEncoder(Encoder):
    """`start`, tokens, then `end` or `error`."""

    def __init__(self, reply: Reply, after: int) -> None:
        self._message_id = reply.record.message_id
        self.opening = OPEN if after else OPEN + self._frame("start")

    def _frame(self, kind: str) -> bytes:
        return event_frame({"type": kind, "messageId": self._message_id})

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a text's event."""
        if entry.kind != TEXT:
            return b""
        return event_frame({"type": "token", "content": entry.data})

    def ending(self, entry: Entry) -> bytes:
        """Return the last event."""
        error = entry.data["error"]
        if error:
            facts = facts_of_failure(error)
            return event_frame({"type": "error", "error": error["message"], **facts})
        return self._frame("end")


class SessionMessages(Dialect):
    """Messages to a session that was made before: events `start`, `token` and `end`."""

    name = "session_messages"
    body = MessageBody
    event = MessageEdgeEvent | MessageTokenEvent | MessageErrorEvent
    answer = MessageRow
    problem = Detail
    examples = ({"content": "Hello"},)

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request, of a session that must exist. Raises InvalidRequest."""
        said = validated(MessageBody, body)
        request = ChatRequest(
            text_parts(said.content),
            session_id=path["session_id"],
            must_exist=True,
            stop_when_unwatched=said.on_disconnect == "stop",
            names={"message": "content"},
        )
        return Spoken(self, request)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder; only from the start on does it say `start`."""
        return SessionMessagesEncoder(reply, after)

    def whole(self, reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the reply as the row that reading the session would give."""
        record = reply.record
        said = {"id": record.message_id, "session_id": record.session_id}
        made_at = timestamp(record.created_at)
        return {**said, "content": reply.log.text(), "role": "assistant", "timestamp": made_at}

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the key that FastAPI's clients look for, and what the error is."""
        return {"detail": explained(error.message, error.fields), **facts_of(error)}


def message_row(session_id: str, message: Message) -> MessageRow:
    """Return a stored message as this dialect shows it."""
    return {
        "id": message.id,
        "session_id": session_id,
        "content": message.text,
        "role": message.role,
        "timestamp": timestamp(message.created_at),
    }
