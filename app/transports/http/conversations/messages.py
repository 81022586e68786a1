"""A session's messages over HTTP: the branch in use, another branch, all of it as a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Literal, cast
from urllib.parse import quote

from flask import Response, g, request
from typing_extensions import NotRequired, TypedDict

from app.core.errors import InvalidRequest
from app.core.messages import HIDDEN, Message, branch, siblings, title_from
from app.core.sessions import ChatSession
from app.dialects.frames import Body, timestamp
from app.dialects.native_shapes import UsageShape
from app.transports.http.conversations.attached import (
    ExportedFile,
    as_links,
    files_of,
    how,
    with_files,
)
from app.transports.openapi.operations import Answer, Content, Parameter, Routes, operation
from app.transports.services import services

WHO = {"user": "You", "assistant": "Assistant", "system": "System"}
# What no name has: of a path, of a pattern, what cannot be seen.
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
FORMAT = Parameter(
    "format", "Of the file.", {"type": "string", "enum": ["json", "markdown"], "default": "json"}
)


class StoredMessage(TypedDict):
    """One message of a session: its text, and all of its parts where it has others than text."""

    id: str
    parent_id: str | None
    role: str
    content: str
    parts: NotRequired[list[dict[str, Any]]]
    status: str
    run_id: str | None
    usage: UsageShape | None
    timestamp: str


class BranchMessage(StoredMessage):
    """A message of the branch in use, with those that hang on the same parent."""

    siblings: list[str]


class StoredMessages(TypedDict):
    """The branch in use, the oldest message first."""

    messages: list[BranchMessage]


class Export(TypedDict):
    """A session with all its branches."""

    session_id: str
    title: str
    system: str | None
    created_at: str
    updated_at: str
    leaf_id: str | None
    messages: list[StoredMessage]
    attachments_as: Literal["data", "links"]
    attachments: list[ExportedFile]


def as_file(title: str, suffix: str) -> str:
    """Return the Content-Disposition of a file of that title (RFC 6266): its name, without what
    some file system refuses, and one of plain ASCII for who cannot read that."""
    words = title_from(UNFIT.sub(" ", unicodedata.normalize("NFC", title))).strip(" .")
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:40]
    name = quote(f"{words or 'conversation'}.{suffix}", safe="")
    return f"attachment; filename={plain or 'conversation'}.{suffix}; filename*=UTF-8''{name}"


def as_json(
    chat_session: ChatSession, messages: Iterable[Message], files: Iterable[ExportedFile]
) -> dict[str, Any]:
    """Return the conversation as `format=json` has it, but for `attachments`."""
    return {
        "session_id": chat_session.id,
        "title": chat_session.title,
        "system": chat_session.system,
        "created_at": timestamp(chat_session.created_at),
        "updated_at": timestamp(chat_session.updated_at),
        "leaf_id": chat_session.leaf_id,
        "messages": list(map(_row, messages)),
        "attachments_as": how(files),
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
        said = "\n\n".join(filter(None, [message.text, *as_links(message.content)]))
        parts.append(f"## {who}{cut}\n\n<!-- {at} -->\n\n{said}")
    return "\n\n".join(parts) + "\n"


class BranchBody(Body):
    """The body of `POST /api/chat/sessions/<id>/branch`."""

    message_id: str


routes = Routes("messages", __name__, "What a conversation has.", "/api/chat/sessions/<session_id>")


@routes.get("/messages")
@operation("Read a session's messages", Answer("The branch in use, the oldest first."))
def read_messages(session_id: str) -> StoredMessages:
    return _branch_in_use(session_id)


@routes.post("/branch")
@operation("Choose the branch in use", Answer("The branch that is in use now."), errors=(409,))
def choose_branch(session_id: str, body: BranchBody) -> StoredMessages:
    services().sessions.choose_branch(g.principal.id, session_id, body.message_id)
    return _branch_in_use(session_id)


@routes.get("/export")
@operation(
    "Take a session away as a file",
    Answer(
        "All branches as JSON, or the one in use as Markdown.",
        200,
        (Content("application/json", Export), Content("text/markdown")),
        may_have={"Content-Disposition": "Names the file (RFC 6266)."},
    ),
    parameters=(FORMAT,),
)
def export_session(session_id: str) -> Response:
    owner, sessions = g.principal.id, services().sessions
    found = sessions.get(owner, session_id)
    asked = request.args.get("format", "json")
    if asked == "json":
        tree = sessions.tree(owner, session_id).values()
        files = files_of(tree)
        head = as_json(found, tree, files)
        body = with_files(head, files, services().attachments, owner)
        response = Response(body, content_type="application/json")
    elif asked == "markdown":
        text = as_markdown(found, sessions.messages(owner, session_id))
        response = Response(text, content_type="text/markdown; charset=utf-8")
    else:
        raise InvalidRequest({"format": "must be json or markdown"})
    named = as_file(found.title, "json" if asked == "json" else "md")
    response.headers["Content-Disposition"] = named
    return response


def _row(message: Message) -> StoredMessage:
    row: StoredMessage = {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.text,
        "status": message.status,
        "run_id": message.run_id,
        "usage": cast(UsageShape, message.usage.to_json()) if message.usage else None,
        "timestamp": timestamp(message.created_at),
    }
    shown = [dict(part) for part in message.content if part["type"] not in HIDDEN]
    if any(part["type"] != "text" for part in shown):
        row["parts"] = shown
    return row


def _branch_in_use(session_id: str) -> StoredMessages:
    """Return the branch, each message with those that stand beside it, itself among them.

    Raises NotFound.
    """
    owner, sessions = g.principal.id, services().sessions
    leaf_id = sessions.get(owner, session_id).leaf_id
    tree = sessions.tree(owner, session_id)
    beside = siblings(tree)
    rows: list[BranchMessage] = [
        {**_row(message), "siblings": beside[message.parent_id]}
        for message in branch(tree, leaf_id)
    ]
    return {"messages": rows}
