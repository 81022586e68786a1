"""Messages, their parts, and the tree that they are: what a reader sees is one branch of it, from
root to leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.usage import Usage

Part = Mapping[str, Any]


def text_parts(text: str) -> tuple[Part, ...]:
    """Return message content that is one text part."""
    return ({"type": "text", "text": text},)


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a conversation's tree; times are seconds since the epoch."""

    id: str
    role: str
    content: tuple[Part, ...]
    created_at: float
    parent_id: str | None = None
    status: str = "completed"
    run_id: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """Return the text parts, joined."""
        return "".join(part["text"] for part in self.content if part.get("type") == "text")


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """What a model is given of one message: its role and text."""

    role: str
    text: str


SESSION_PROMPT = "session"  # the id of the message that stands for a session's own system prompt


def branch(messages: Mapping[str, Message], leaf_id: str | None) -> list[Message]:
    """Return the messages from the root to `leaf_id`, oldest first."""
    found: list[Message] = []
    while leaf_id is not None and leaf_id in messages:
        found.append(messages[leaf_id])
        leaf_id = messages[leaf_id].parent_id
    return found[::-1]


def newest_leaf(messages: Mapping[str, Message], message_id: str) -> str | None:
    """Return the leaf that one gets to from the message by the newest reply each time; None if the
    message is not there. `messages` are in the order they came."""
    if message_id not in messages:
        return None
    newest = {one.parent_id: one.id for one in messages.values()}
    while message_id in newest:
        message_id = newest[message_id]
    return message_id


def siblings(messages: Mapping[str, Message]) -> dict[str | None, list[str]]:
    """Return the ids of the messages that hang on the same parent, by that parent's id."""
    found: dict[str | None, list[str]] = {}
    for one in messages.values():
        found.setdefault(one.parent_id, []).append(one.id)
    return found


def for_provider(
    messages: Sequence[Message], system: str | None, default: str = ""
) -> tuple[ProviderMessage, ...]:
    """Return what the model is given: the system prompt, then every message that has text.

    The request's `system` counts more than the session's own, which a branch begins with, and that
    more than the `default`; a client that holds the conversation has its prompt in there. Kept text
    of a reply that was stopped or cut belongs to the conversation: the reader saw it.
    """
    if system and messages and messages[0].id == SESSION_PROMPT:
        messages = messages[1:]
    said = [ProviderMessage(m.role, text) for m in messages if (text := m.text)]
    prompt = system or ("" if any(one.role == "system" for one in said) else default)
    return (ProviderMessage("system", prompt), *said) if prompt else tuple(said)


def title_from(text: str, length: int = 60) -> str:
    """Return a title from a first message: its first line, cut at a word."""
    line = " ".join(text.split("\n", 1)[0].split())
    if len(line) <= length:
        return line
    return line[:length].rsplit(" ", 1)[0] + "…"
