"""A conversation as a file: JSON with every branch, or Markdown of the one in use. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.dialects.base import timestamp
from app.runs.records import ChatSession, Message
from app.transports.shapes import Export, StoredMessage

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
