"""Sessions over HTTP: create, list, read, change, delete, follow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from app.core.errors import BadCursor, InvalidRequest, NotFound
from app.core.sessions import ChatSession, Page
from app.dialects.dialect import OPEN, PING, SSE_CONTENT_TYPE
from app.dialects.frames import Body, Id, json_line, validated
from app.transports.guards.body import read_object, read_optional_object
from app.transports.http.streams import event_stream
from app.transports.http.views import session_row
from app.transports.openapi.operations import (
    Answer,
    Operation,
    Parameter,
    answered,
    events_of,
    json_of,
)
from app.transports.openapi.shapes import (
    RunNews,
    Session,
    SessionDeleted,
    Sessions,
    SessionsDeleted,
)
from app.transports.services import Services

PAGE_SIZE = 50
MOST = 200
MOST_QUERY = 200


class SessionBody(Body):
    """The body of `POST /api/chat/sessions`; all of it optional."""

    session_id: Id | None = None
    system: str | None = None


class SessionChange(Body):
    """The body of `PATCH /api/chat/sessions/<id>`: what is to be changed."""

    title: str | None = None
    system: str | None = None


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/chat/sessions."""
    routes = Blueprint("sessions", __name__, url_prefix="/api/chat/sessions")
    _add_lists(routes, services)
    _add_session(routes, services)
    return routes


def _add_lists(routes: Blueprint, services: Services) -> None:
    sessions = services.sessions

    @routes.post("")
    def create_session() -> ResponseReturnValue:
        wanted = validated(SessionBody, read_optional_object(request, services.max_body_bytes))
        created = sessions.create(g.principal.id, wanted.session_id, system=wanted.system)
        return session_row(created, services), 201

    @routes.get("")
    def list_sessions() -> ResponseReturnValue:
        page = _page()
        # One more than is asked for tells whether there is a page after this one.
        found = sessions.list(g.principal.id, page._replace(limit=page.limit + 1))
        shown = found[: page.limit]
        following = _page_cursor(shown[-1]) if len(found) > len(shown) else None
        rows = [session_row(one, services) for one in shown]
        return {"sessions": rows, "next": following}

    @routes.delete("")
    def delete_sessions() -> ResponseReturnValue:
        return {"success": True, "deleted": sessions.delete_all(g.principal.id)}


def _add_session(routes: Blueprint, services: Services) -> None:
    sessions = services.sessions

    @routes.get("/<session_id>")
    def read_session(session_id: str) -> ResponseReturnValue:
        return session_row(sessions.get(g.principal.id, session_id), services)

    @routes.patch("/<session_id>")
    def change_session(session_id: str) -> ResponseReturnValue:
        wanted = validated(SessionChange, read_object(request, services.max_body_bytes))
        changed = sessions.update(g.principal.id, session_id, wanted.title, wanted.system)
        return session_row(changed, services)

    @routes.delete("/<session_id>")
    def delete_session(session_id: str) -> ResponseReturnValue:
        sessions.delete(g.principal.id, session_id)
        return {"success": True, "message": "Session deleted"}

    @routes.get("/<session_id>/events")
    def follow_session(session_id: str) -> ResponseReturnValue:
        owner = g.principal.id
        sessions.get(owner, session_id)
        # Not before the body is asked for: a HEAD never asks, and would leave a listener behind.
        response = event_stream(_news(services, owner, session_id), SSE_CONTENT_TYPE)
        response.headers["X-Session-Id"] = session_id
        return response


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
        time = float(at)
    except ValueError:
        time = math.nan
    if not math.isfinite(time):
        raise BadCursor("`before` must be the `next` of the page before.")
    return time, session_id


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


OPERATIONS = {
    "sessions.create_session": Operation(
        "Make a session",
        (Answer(201, "The session; one that was there is as it was.", (json_of(Session),)),),
        (503,),
        body=SessionBody,
        body_needed=False,
    ),
    "sessions.list_sessions": Operation(
        "List or search sessions, a page at a time",
        answered(Sessions, "The sessions, the newest first."),
        (503,),
        parameters=(
            Parameter(
                "limit",
                "query",
                "How many.",
                {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE_SIZE},
            ),
            Parameter("before", "query", "The `next` of the page before.", {"type": "string"}),
            Parameter(
                "q",
                "query",
                "Text of the title or a message, whatever its case.",
                {"type": "string", "maxLength": MOST_QUERY},
            ),
        ),
    ),
    "sessions.delete_sessions": Operation(
        "Delete all of the caller's sessions", answered(SessionsDeleted, "They are gone."), (503,)
    ),
    "sessions.read_session": Operation(
        "Read a session", answered(Session, "The session."), (404, 503)
    ),
    "sessions.change_session": Operation(
        "Rename a session, or set its system prompt",
        answered(Session, "The session."),
        (404, 503),
        body=SessionChange,
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
