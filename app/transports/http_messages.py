"""A session's messages over HTTP: the branch in use, another branch, all of it as a file."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from app.dialects.base import Body, json_line, validated
from app.runs.errors import InvalidRequest
from app.transports.operations import Answer, Operation, Parameter, answered, json_of, text_of
from app.transports.request_body import read_object
from app.transports.services import Services
from app.transports.session_export import as_json, as_markdown, file_name
from app.transports.session_rows import branch_rows, message_row
from app.transports.shapes import Export, StoredMessages


class BranchBody(Body):
    """The body of `POST /api/chat/sessions/<id>/branch`."""

    message_id: str


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /api/chat/sessions/<id> that are about its messages."""
    routes = Blueprint("messages", __name__, url_prefix="/api/chat/sessions/<session_id>")
    sessions = services.sessions

    @routes.get("/messages", strict_slashes=False)
    def read_messages(session_id: str) -> Response:
        return _json({"messages": branch_rows(services, g.principal.id, session_id)})

    @routes.post("/branch", strict_slashes=False)
    def choose_branch(session_id: str) -> Response:
        wanted = validated(BranchBody, read_object(request, services.max_body_bytes))
        sessions.choose_branch(g.principal.id, session_id, wanted.message_id)
        return _json({"messages": branch_rows(services, g.principal.id, session_id)})

    @routes.get("/export", strict_slashes=False)
    def export_session(session_id: str) -> Response:
        owner = g.principal.id
        found = sessions.get(owner, session_id)
        asked = request.args.get("format", "json")
        if asked == "json":
            tree = sessions.tree(owner, session_id).values()
            response = _json(as_json(found, [message_row(one) for one in tree]))
        elif asked == "markdown":
            text = as_markdown(found, sessions.messages(owner, session_id))
            response = Response(text, content_type="text/markdown; charset=utf-8")
        else:
            raise InvalidRequest({"format": "must be json or markdown"})
        name = file_name(found, "json" if asked == "json" else "md")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    return routes


def _json(value: Any) -> Response:
    return Response(json_line(value), mimetype="application/json")


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
