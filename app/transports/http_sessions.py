"""Sessions over HTTP: create, list, read, change, export, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, g, request

from app.chats.interfaces import Page
from app.chats.messages import branch, siblings
from app.dialects.base import (
    OPEN,
    PING,
    SSE_CONTENT_TYPE,
    Body,
    json_line,
    timestamp,
    validated,
)
from app.runs.errors import BadCursor, InvalidRequest, NotFound
from app.runs.records import ChatSession, Message
from app.transports.answers import event_stream
from app.transports.request_body import read_object, read_optional_object
from app.transports.services import Services
from app.transports.session_export import as_json, as_markdown, file_name

PAGE_SIZE = 50
MOST = 200
MOST_QUERY = 200


class SessionBody(Body):
    """The body of `POST /api/chat/sessions`; all of it optional."""

    session_id: str | None = None
    system: str | None = None


class SessionChange(Body):
    """The body of `PATCH /api/chat/sessions/<id>`: what is to be changed."""

    title: str | None = None
    system: str | None = None


class BranchBody(Body):
    """The body of `POST /api/chat/sessions/<id>/branch`."""

    message_id: str


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
        page = _page()
        # One more than is asked for tells whether there is a page after this one.
        found = sessions.list(g.principal.id, page._replace(limit=page.limit + 1))
        shown = found[: page.limit]
        more = len(found) > len(shown)
        return _json(
            {
                "sessions": [_session(one, services) for one in shown],
                "next": _page_cursor(shown[-1]) if more else None,
            }
        )

    @routes.delete("", strict_slashes=False)
    def delete_sessions() -> Response:
        return _json({"success": True, "deleted": sessions.delete_all(g.principal.id)})

    @routes.patch("/<session_id>", strict_slashes=False)
    def change_session(session_id: str) -> Response:
        wanted = validated(SessionChange, read_object(request, services.max_body_bytes))
        changed = sessions.update(g.principal.id, session_id, wanted.title, wanted.system)
        return _json(_session(changed, services))

    @routes.post("/<session_id>/branch", strict_slashes=False)
    def choose_branch(session_id: str) -> Response:
        wanted = validated(BranchBody, read_object(request, services.max_body_bytes))
        sessions.choose_branch(g.principal.id, session_id, wanted.message_id)
        return _json({"messages": _messages(services, session_id)})

    @routes.get("/<session_id>/export", strict_slashes=False)
    def export_session(session_id: str) -> Response:
        found = sessions.get(g.principal.id, session_id)
        asked = request.args.get("format", "json")
        if asked == "json":
            tree = sessions.tree(g.principal.id, session_id).values()
            response = _json(as_json(found, [_message(one) for one in tree]))
            suffix = "json"
        elif asked == "markdown":
            text = as_markdown(found, sessions.messages(g.principal.id, session_id))
            response = Response(text, content_type="text/markdown; charset=utf-8")
            suffix = "md"
        else:
            raise InvalidRequest({"format": "must be json or markdown"})
        name = file_name(found, suffix)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    @routes.get("/<session_id>", strict_slashes=False)
    def read_session(session_id: str) -> Response:
        return _json(_session(sessions.get(g.principal.id, session_id), services))

    @routes.get("/<session_id>/messages", strict_slashes=False)
    def read_messages(session_id: str) -> Response:
        return _json({"messages": _messages(services, session_id)})

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


def _page() -> Page:
    """Return what part of the list is asked for. Raises InvalidRequest, BadCursor."""
    asked = request.args.get("limit", str(PAGE_SIZE))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 4 and 1 <= int(asked) <= MOST):
        raise InvalidRequest({"limit": f"must be a whole number from 1 to {MOST}"})
    query = request.args.get("q", "").strip()
    if len(query) > MOST_QUERY:
        raise InvalidRequest({"q": f"must be at most {MOST_QUERY} characters"})
    return Page(int(asked), _parse_page_cursor(request.args.get("before")), query)


def _page_cursor(last: ChatSession) -> str:
    return f"{last.updated_at!r}:{last.id}"


def _parse_page_cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    at, _, session_id = cursor.partition(":")
    try:
        return float(at), session_id
    except ValueError:
        raise BadCursor("`before` must be the `next` of the page before.") from None


def _messages(services: Services, session_id: str) -> list[dict[str, Any]]:
    """Return the branch in use, each message with those that stand beside it, itself among
    them."""
    owner = g.principal.id
    chat_session = services.sessions.get(owner, session_id)
    tree = services.sessions.tree(owner, session_id)
    beside = siblings(tree)
    return [
        {**_message(one), "siblings": beside[one.parent_id]}
        for one in branch(tree, chat_session.leaf_id)
    ]


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
