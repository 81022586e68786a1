"""Sessions over HTTP: create, list, read, change, delete, follow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Literal, cast

from flask import Response, g, request
from typing_extensions import NotRequired, TypedDict

from app.core.broker import News
from app.core.errors import BadCursor, InvalidRequest, NotFound
from app.core.sessions import ChatSession, Page
from app.dialects.dialect import OPEN, PING, SSE_CONTENT_TYPE
from app.dialects.frames import Body, Id, json_line, timestamp
from app.dialects.native_shapes import PendingAction, Status
from app.runs.registry import FoundRun
from app.transports.http.streams import event_stream, presence
from app.transports.openapi.operations import (
    Answer,
    Parameter,
    Routes,
    events_of,
    operation,
    whole_number,
)
from app.transports.services import Services, services

MOST_QUERY = 200
LIMIT = Parameter(
    "limit", "How many.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
)
BEFORE = Parameter("before", "The `next` of the page before.", {"type": "string"})
QUERY = Parameter(
    "q",
    "Text of the title or a message, whatever its case.",
    {"type": "string", "maxLength": MOST_QUERY},
)


class SessionBody(Body):
    """The body of `POST /api/chat/sessions`; all of it optional."""

    session_id: Id | None = None
    system: str | None = None


class SessionChange(Body):
    """The body of `PATCH /api/chat/sessions/<id>`: what is to be changed."""

    title: str | None = None
    system: str | None = None


class ActiveRun(TypedDict):
    """The reply under way, and the newest entry of its log; of one that waits, for what."""

    run_id: str
    seq: int
    status: Status
    pending: list[PendingAction]


class Session(TypedDict):
    """A session; `messages` is how many it has."""

    session_id: str
    messages: int
    timestamp: str
    title: str
    system: str | None
    active_run: ActiveRun | None


class Sessions(TypedDict):
    """A page of a user's sessions, the newest first; `next` leads to the one after it."""

    sessions: list[Session]
    next: str | None


class SessionDeleted(TypedDict):
    """A session is gone."""

    success: Literal[True]
    message: str


class SessionsDeleted(TypedDict):
    """All of a user's sessions are gone."""

    success: Literal[True]
    deleted: int


class RunNews(TypedDict):
    """A run started or goes on, waits, or ended; `status` is told of the latter two."""

    run_id: str
    session_id: str
    seq: int
    status: NotRequired[Status]


class BranchNews(TypedDict):
    """Another branch is in use: the one that ends with this message."""

    session_id: str
    leaf_id: str


class DeletionNews(TypedDict):
    """A session is gone; null: all of the user's are."""

    session_id: str | None


SESSION_NEWS = RunNews | BranchNews | DeletionNews

routes = Routes("sessions", __name__, "Conversations.", "/api/chat/sessions")


@routes.post("")
@operation("Make a session", Answer("The session; one that was there is as it was.", 201))
def create_session(body: SessionBody = SessionBody()) -> Session:
    return _row(services().sessions.create(g.principal.id, body.session_id, system=body.system))


@routes.get("")
@operation(
    "List or search sessions, a page at a time",
    Answer("The sessions, the newest first."),
    parameters=(LIMIT, BEFORE, QUERY),
)
def list_sessions() -> Sessions:
    page = _page()
    # One more than is asked for tells whether there is a page after this one.
    is_gone = partial(presence().is_gone, asks=True)
    found = services().sessions.list(g.principal.id, page._replace(limit=page.limit + 1), is_gone)
    shown = found[: page.limit]
    following = _page_cursor(shown[-1]) if len(found) > len(shown) else None
    return {"sessions": [_row(chat_session) for chat_session in shown], "next": following}


@routes.delete("")
@operation("Delete all of the caller's sessions", Answer("They are gone."))
def delete_sessions() -> SessionsDeleted:
    return {"success": True, "deleted": services().sessions.delete_all(g.principal.id)}


@routes.get("/<session_id>")
@operation("Read a session", Answer("The session."))
def read_session(session_id: str) -> Session:
    return _row(services().sessions.get(g.principal.id, session_id))


@routes.patch("/<session_id>")
@operation("Rename a session, or set its system prompt", Answer("The session."))
def change_session(session_id: str, body: SessionChange) -> Session:
    return _row(services().sessions.update(g.principal.id, session_id, body.title, body.system))


@routes.delete("/<session_id>")
@operation("Delete a session", Answer("The session is gone."))
def delete_session(session_id: str) -> SessionDeleted:
    services().sessions.delete(g.principal.id, session_id)
    return {"success": True, "message": "Session deleted"}


@routes.get("/<session_id>/events")
@operation(
    "Follow a session",
    Answer(
        "Events `run_started`, `run_waiting`, `run_ended` and `branch_changed`, until "
        "`session_deleted`.",
        200,
        (events_of(SESSION_NEWS),),
        ("X-Session-Id",),
    ),
)
def follow_session(session_id: str) -> Response:
    owner = g.principal.id
    services().sessions.get(owner, session_id)
    # Not before the body is asked for: a HEAD never asks, and would leave a listener behind.
    response = event_stream(_news(services(), owner, session_id), SSE_CONTENT_TYPE)
    response.headers["X-Session-Id"] = session_id
    return response


def _row(chat_session: ChatSession) -> Session:
    return {
        "session_id": chat_session.id,
        "messages": chat_session.message_count,
        "timestamp": timestamp(chat_session.updated_at),
        "title": chat_session.title,
        "system": chat_session.system,
        "active_run": _active_run(chat_session),
    }


def _active_run(chat_session: ChatSession) -> ActiveRun | None:
    if chat_session.active_run_id is None:
        return None
    try:
        found = services().runs.find(chat_session.owner, chat_session.active_run_id)
    except NotFound:
        return None  # it ended and was deleted since the session was read
    return {
        "run_id": found.record.id,
        "seq": found.log.last_seq,
        "status": cast(Status, found.status),
        "pending": pending_of(found),
    }


def pending_of(found: FoundRun) -> list[PendingAction]:
    """Return what a run waits for."""
    return [cast(PendingAction, dict(action)) for action in found.pending]


def _page() -> Page:
    """Return what part of the list is asked for. Raises InvalidRequest, BadCursor."""
    limit = whole_number(LIMIT)
    query = request.args.get("q", "").strip()
    if len(query) > MOST_QUERY:
        raise InvalidRequest({"q": f"must be at most {MOST_QUERY} characters"})
    return Page(limit, _parse_page_cursor(request.args.get("before")), query)


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


def news_frame(news: News) -> bytes:
    """Return news as an event."""
    return b"event: %s\ndata: %s\n\n" % (news.name.encode(), json_line(news.data))


def _news(services: Services, owner: str, session_id: str) -> Iterator[bytes]:
    try:
        listener = services.sessions.listen(owner, session_id)
    except NotFound:
        return  # deleted since the headers left
    try:
        with services.metrics.watching("sse"):
            yield OPEN
            while True:
                news = listener.next(services.runs.limits.heartbeat_s)
                if news is None:
                    yield PING
                    continue
                yield news_frame(news)
                if news.name == "session_deleted":
                    return
    finally:
        services.sessions.leave(owner, session_id, listener)
