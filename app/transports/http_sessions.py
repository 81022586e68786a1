"""Sessions over HTTP: create, list, read, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, g, request

from app.dialects.base import (
    OPEN,
    PING,
    SSE_CONTENT_TYPE,
    Body,
    json_line,
    timestamp,
    validated,
)
from app.runs.errors import NotFound
from app.runs.records import ChatSession, Message
from app.transports.answers import event_stream
from app.transports.request_body import read_optional_object
from app.transports.services import Services


class SessionBody(Body):
    """The body of `POST /api/chat/sessions`; all of it optional."""

    session_id: str | None = None
    system: str | None = None


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/chat/sessions."""
    routes = Blueprint("sessions", __name__, url_prefix="/api/chat/sessions")
    sessions = services.sessions

    @routes.post("", strict_slashes=False)
    def create_session() -> Response:
        wanted = validated(SessionBody, read_optional_object(request, services.max_body_bytes))
        created = sessions.create(g.principal.id, wanted.session_id, system=wanted.system)
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


def _session(chat_session: ChatSession, services: Services) -> dict[str, Any]:
    return {
        "session_id": chat_session.id,
        "messages": chat_session.message_count,
        "timestamp": timestamp(chat_session.updated_at),
        "title": chat_session.title,
        "system": chat_session.system,
        "active_run": _active_run(chat_session, services),
    }


def _active_run(chat_session: ChatSession, services: Services) -> dict[str, Any] | None:
    if chat_session.active_run_id is None:
        return None
    try:
        found = services.runs.find(chat_session.owner, chat_session.active_run_id)
    except NotFound:
        return None  # it ended and was deleted since the session was read
    return {"run_id": found.record.id, "seq": found.log.last_seq}


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.text,
        "status": message.status,
        "run_id": message.run_id,
        "usage": message.usage.to_json() if message.usage else None,
        "timestamp": timestamp(message.created_at),
    }
