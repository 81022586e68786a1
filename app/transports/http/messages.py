"""A session's messages over HTTP: the branch in use, another branch, all of it as a file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from app.core.errors import InvalidRequest
from app.core.messages import Message
from app.core.sessions import ChatSession
from app.dialects.frames import Body, timestamp, validated
from app.transports.guards.body import read_object
from app.transports.http.views import branch_rows, message_row
from app.transports.openapi.operations import (
    Answer,
    Operation,
    Parameter,
    answered,
    json_of,
    text_of,
)
from app.transports.openapi.shapes import Export, StoredMessage, StoredMessages
from app.transports.services import Services

WHO = {"user": "You", "assistant": "Assistant", "system": "System"}


def file_name(chat_session: ChatSession, suffix: str) -> str:
    """Return a name of plain ASCII, which no file system refuses and no header needs escaped."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", chat_session.title).strip("-").lower()
    return f"{words[:40] or 'conversation'}.{suffix}"


def as_json(chat_session: ChatSession, messages: Iterable[StoredMessage]) -> Export:
    """Return the conversation as `format=json` has it."""
    return {
        "session_id": chat_session.id,
        "title": chat_session.title,
        "system": chat_session.system,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "leaf_id": chat_session.leaf_id,
        "messages": list(messages),
    }


def as_markdown(chat_session: ChatSession, messages: Iterable[Message]) -> str:
    """Return the branch in use as `format=markdown` has it; texts are as they were said."""
    parts = [f"# {chat_session.title or 'Conversation'}"]
    if chat_session.system:
        parts.append(f"## System\n\n{chat_session.system}")
    for message in messages:
        who = WHO.get(message.role, message.role)
        cut = "" if message.status in {"completed", "running"} else f" ({message.status})"
        at = timestamp(message.created_at)
        parts.append(f"## {who}{cut}\n\n<!-- {at} -->\n\n{message.text}")
    return "\n\n".join(parts) + "\n"


class BranchBody(Body):
    """The body of `POST /api/chat/sessions/<id>/branch`."""

    message_id: str


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/chat/sessions/<id> that are about its messages."""
    routes = Blueprint("messages", __name__, url_prefix="/api/chat/sessions/<session_id>")
    sessions = services.sessions

    @routes.get("/messages")
    def read_messages(session_id: str) -> ResponseReturnValue:
        return {"messages": branch_rows(services, g.principal.id, session_id)}

    @routes.post("/branch")
    def choose_branch(session_id: str) -> ResponseReturnValue:
        wanted = validated(BranchBody, read_object(request, services.max_body_bytes))
        sessions.choose_branch(g.principal.id, session_id, wanted.message_id)
        return {"messages": branch_rows(services, g.principal.id, session_id)}

    @routes.get("/export")
    def export_session(session_id: str) -> ResponseReturnValue:
        owner = g.principal.id
        found = sessions.get(owner, session_id)
        asked = request.args.get("format", "json")
        if asked == "json":
            tree = sessions.tree(owner, session_id).values()
            response = jsonify(as_json(found, [message_row(one) for one in tree]))
        elif asked == "markdown":
            text = as_markdown(found, sessions.messages(owner, session_id))
            response = Response(text, content_type="text/markdown; charset=utf-8")
        else:
            raise InvalidRequest({"format": "must be json or markdown"})
        name = file_name(found, "json" if asked == "json" else "md")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    return routes


OPERATIONS = {
    "messages.read_messages": Operation(
        "Read a session's messages",
        answered(StoredMessages, "The branch in use, the oldest first."),
        (404, 503),
    ),
    "messages.choose_branch": Operation(
        "Choose the branch in use",
        answered(StoredMessages, "The branch that is in use now."),
        (404, 503),
        body=BranchBody,
    ),
    "messages.export_session": Operation(
        "Take a session away as a file",
        (
            Answer(
                200,
                "All branches as JSON, or the one in use as Markdown.",
                (json_of(Export), text_of("text/markdown")),
            ),
        ),
        (404, 503),
        parameters=(
            Parameter(
                "format",
                "query",
                "Of the file.",
                {"type": "string", "enum": ["json", "markdown"], "default": "json"},
            ),
        ),
    ),
}
