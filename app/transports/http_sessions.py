"""Sessions over HTTP: create, list, read, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from flask import Blueprint, Response, g, request

from app.dialects.base import (
    OPEN,
    PING,
    SSE_CONTENT_TYPE,
    Body,
    Id,
    json_line,
    timestamp,
    validated,
)
from app.dialects.native_shapes import UsageShape
from app.runs.errors import NotFound
from app.runs.records import ChatSession, Message
from app.transports.answers import event_stream
from app.transports.operations import Answer, Operation, answered, events_of, json_of
from app.transports.request_body import read_optional_object
from app.transports.services import Services
from app.transports.shapes import (
    ActiveRun,
    RunNews,
    Session,
    SessionDeleted,
    Sessions,
    StoredMessage,
    StoredMessages,
)


class SessionBody(Body):
    """The body of `POST /api/chat/sessions`; all of it optional."""

    session_id: Id | None = None


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/chat/sessions."""
    routes = Blueprint("sessions", __name__, url_prefix="/api/chat/sessions")
    sessions = services.sessions

    @routes.post("", strict_slashes=False)
    def create_session() -> Response:
        wanted = validated(SessionBody, read_optional_object(request, services.max_body_bytes))
        created = sessions.create(g.principal.id, wanted.session_id)
        return _json(_session(created, services), 201)

    @routes.get("", strict_slashes=False)
    def list_sessions() -> Response:
        found = sessions.list(g.principal.id)
        return _json({"sessions": [_session(one, services) for one in found]})

    @routes.get("/<session_id>", strict_slashes=False)
    def read_session(session_id: str) -> Response:
        return _json(_session(sessions.get(g.principal.id, session_id), services))

    @routes.get("/<session_id>/messages", strict_slashes=False)
    def read_messages(session_id: str) -> Response:
        found = sessions.messages(g.principal.id, session_id)
        return _json({"messages": [_message(message) for message in found]})

    @routes.get("/<session_id>/events", strict_slashes=False)
    def follow_session(session_id: str) -> Response:
        owner = g.principal.id
        sessions.get(owner, session_id)
        # Not before the body is asked for: a HEAD never asks, and would leave a listener behind.
        response = event_stream(_news(services, owner, session_id), SSE_CONTENT_TYPE)
        response.headers["X-Session-Id"] = session_id
        return response

    @routes.delete("/<session_id>", strict_slashes=False)
    def delete_session(session_id: str) -> Response:
        sessions.delete(g.principal.id, session_id)
        return _json({"success": True, "message": "Session deleted"})

    return routes


def _news(services: Services, owner: str, session_id: str) -> Iterator[bytes]:
    try:
        listener = services.sessions.listen(owner, session_id)
    except NotFound:
        return  # deleted since the headers left
    try:
        with services.viewers.watching("sse"):
            yield OPEN
            while True:
                news = listener.next(services.runs.limits.heartbeat_s)
                if news is None:
                    yield PING
                else:
                    yield b"event: %s\ndata: %s\n\n" % (news.name.encode(), json_line(news.data))
    finally:
        services.sessions.feed.leave(owner, session_id, listener)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json_line(value), status=status, mimetype="application/json")


def _session(chat_session: ChatSession, services: Services) -> Session:
    return {
        "session_id": chat_session.id,
        "messages": chat_session.message_count,
        "timestamp": timestamp(chat_session.updated_at),
        "title": chat_session.title,
        "active_run": _active_run(chat_session, services),
    }


def _active_run(chat_session: ChatSession, services: Services) -> ActiveRun | None:
    if chat_session.active_run_id is None:
        return None
    try:
        found = services.runs.find(chat_session.owner, chat_session.active_run_id)
    except NotFound:
        return None  # it ended and was deleted since the session was read
    return {"run_id": found.record.id, "seq": found.log.last_seq}


def _message(message: Message) -> StoredMessage:
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.text,
        "status": message.status,
        "run_id": message.run_id,
        "usage": cast(UsageShape, message.usage.to_json()) if message.usage else None,
        "timestamp": timestamp(message.created_at),
    }


OPERATIONS = {
    "sessions.create_session": Operation(
        "Make a session",
        (Answer(201, "The session; one that was there is as it was.", (json_of(Session),)),),
        (503,),
        body=SessionBody,
        body_needed=False,
    ),
    "sessions.list_sessions": Operation(
        "List sessions", answered(Sessions, "The sessions, the newest first."), (503,)
    ),
    "sessions.read_session": Operation(
        "Read a session", answered(Session, "The session."), (404, 503)
    ),
    "sessions.read_messages": Operation(
        "Read a session's messages",
        answered(StoredMessages, "The messages, the oldest first."),
        (404, 503),
    ),
    "sessions.follow_session": Operation(
        "Follow a session",
        (
            Answer(
                200,
                "Events `run_started` and `run_ended`, without an end.",
                (events_of(RunNews),),
                ("X-Session-Id",),
            ),
        ),
        (404, 503),
    ),
    "sessions.delete_session": Operation(
        "Delete a session", answered(SessionDeleted, "The session is gone."), (404, 503)
    ),
}
