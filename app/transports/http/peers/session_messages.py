"""The sessions that the session_messages dialect speaks in."""

from __future__ import annotations

from flask import g
from typing_extensions import TypedDict

from app.core.sessions import ChatSession
from app.dialects.documents.session_messages import MessageRow, message_row
from app.dialects.frames import Body, timestamp
from app.dialects.routes import SESSION_MESSAGES
from app.transports.openapi.operations import Answer, Routes, about, operation
from app.transports.services import services


class NewSessionBody(Body):
    """The body of `POST /sessions`; all of it optional."""

    title: str | None = None


class SessionRow(TypedDict):
    """A session, as the session_messages dialect has it."""

    id: str
    title: str
    created_at: str
    updated_at: str
    message_count: int


routes = Routes(SESSION_MESSAGES.name, __name__, about(SESSION_MESSAGES), "/sessions")


@routes.post("")
@operation("Make a session", Answer("The session.", 201))
def create_session(body: NewSessionBody = NewSessionBody()) -> SessionRow:
    return _row(services().sessions.create(g.principal.id, title=body.title))


@routes.get("")
@operation("List sessions", Answer("The sessions, the newest first."))
def list_sessions() -> list[SessionRow]:
    return [_row(chat_session) for chat_session in services().sessions.list(g.principal.id)]


@routes.get("/<session_id>")
@operation("Read a session", Answer("The session."))
def read_session(session_id: str) -> SessionRow:
    return _row(services().sessions.get(g.principal.id, session_id))


@routes.get("/<session_id>/messages")
@operation("Read a session's messages", Answer("The messages, the oldest first."))
def read_messages(session_id: str) -> list[MessageRow]:
    found = services().sessions.messages(g.principal.id, session_id)
    return [message_row(session_id, message) for message in found]


@routes.delete("/<session_id>")
@operation("Delete a session", Answer("The session is gone.", 204))
def delete_session(session_id: str) -> None:
    services().sessions.delete(g.principal.id, session_id)


def _row(chat_session: ChatSession) -> SessionRow:
    return {
        "id": chat_session.id,
        "title": chat_session.title,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "message_count": chat_session.message_count,
    }
