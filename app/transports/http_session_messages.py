"""The sessions of seed 002: create, list, read, delete. They are the native ones by other names."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from app.dialects.base import Body, json_line, timestamp, validated
from app.dialects.session_messages import MessageRow, message_row
from app.dialects.table import SESSION_MESSAGES
from app.runs.records import ChatSession
from app.transports.operations import Answer, Operation, json_of
from app.transports.request_body import read_optional_object
from app.transports.services import Services
from app.transports.shapes import SessionRow


class NewSessionBody(Body):
    """The body of `POST /sessions`; all of it optional."""

    title: str | None = None


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /sessions that start no run."""
    routes = Blueprint(SESSION_MESSAGES.name, __name__, url_prefix="/sessions")
    sessions = services.sessions

    @routes.post("", strict_slashes=False)
    def create_session() -> Response:
        wanted = validated(NewSessionBody, read_optional_object(request, services.max_body_bytes))
        return _json(_row(sessions.create(g.principal.id, title=wanted.title)), 201)

    @routes.get("", strict_slashes=False)
    def list_sessions() -> Response:
        return _json([_row(one) for one in sessions.list(g.principal.id)])

    @routes.get("/<session_id>", strict_slashes=False)
    def read_session(session_id: str) -> Response:
        return _json(_row(sessions.get(g.principal.id, session_id)))

    @routes.get("/<session_id>/messages", strict_slashes=False)
    def read_messages(session_id: str) -> Response:
        found = sessions.messages(g.principal.id, session_id)
        return _json([message_row(session_id, message) for message in found])

    @routes.delete("/<session_id>", strict_slashes=False)
    def delete_session(session_id: str) -> Response:
        sessions.delete(g.principal.id, session_id)
        return Response(status=204)

    return routes


def _json(value: Any, status: int = 200) -> Response:
    return Response(json_line(value), status=status, mimetype="application/json")


def _row(chat_session: ChatSession) -> SessionRow:
    return {
        "id": chat_session.id,
        "title": chat_session.title,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "message_count": chat_session.message_count,
    }


def _operation(
    summary: str, answer: Answer, errors: tuple[int, ...], body: Any = None
) -> Operation:
    return Operation(
        summary, (answer,), errors, body, body_needed=False, problem=SESSION_MESSAGES.problem
    )


OPERATIONS = {
    "session_messages.create_session": _operation(
        "Make a session",
        Answer(201, "The session.", (json_of(SessionRow),)),
        (503,),
        NewSessionBody,
    ),
    "session_messages.list_sessions": _operation(
        "List sessions",
        Answer(200, "The sessions, the newest first.", (json_of(list[SessionRow]),)),
        (503,),
    ),
    "session_messages.read_session": _operation(
        "Read a session", Answer(200, "The session.", (json_of(SessionRow),)), (404, 503)
    ),
    "session_messages.read_messages": _operation(
        "Read a session's messages",
        Answer(200, "The messages, the oldest first.", (json_of(list[MessageRow]),)),
        (404, 503),
    ),
    "session_messages.delete_session": _operation(
        "Delete a session", Answer(204, "The session is gone."), (404, 503)
    ),
}
