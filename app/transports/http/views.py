"""Sessions and messages as the native routes show them."""

from __future__ import annotations

from typing import cast

from app.core.errors import NotFound
from app.core.messages import Message, branch, siblings
from app.core.sessions import ChatSession
from app.dialects.frames import timestamp
from app.dialects.native_shapes import UsageShape
from app.transports.openapi.shapes import ActiveRun, BranchMessage, Session, StoredMessage
from app.transports.services import Services


def session_row(chat_session: ChatSession, services: Services) -> Session:
    """Return a session, with the reply under way."""
    return {
        "session_id": chat_session.id,
        "messages": chat_session.message_count,
        "timestamp": timestamp(chat_session.updated_at),
        "title": chat_session.title,
        "system": chat_session.system,
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


def message_row(message: Message) -> StoredMessage:
    """Return a message."""
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


def branch_rows(services: Services, owner: str, session_id: str) -> list[BranchMessage]:
    """Return the branch in use, each message with those that stand beside it, itself among them.

    Raises NotFound.
    """
    leaf_id = services.sessions.get(owner, session_id).leaf_id
    tree = services.sessions.tree(owner, session_id)
    beside = siblings(tree)
    return [
        {**message_row(one), "siblings": beside[one.parent_id]} for one in branch(tree, leaf_id)
    ]
