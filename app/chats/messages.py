"""A conversation is a tree of messages; what a reader sees is one branch of it, from root to
leaf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.runs.records import Message, ProviderMessage


def branch(messages: Mapping[str, Message], leaf_id: str | None) -> list[Message]:
    """Return the messages from the root to `leaf_id`, oldest first."""
    found: list[Message] = []
    while leaf_id is not None and leaf_id in messages:
        found.append(messages[leaf_id])
        leaf_id = messages[leaf_id].parent_id
    return found[::-1]


def for_provider(messages: Iterable[Message], system: str | None) -> tuple[ProviderMessage, ...]:
    """Return what the model is given: the system prompt, then every message that has text.

    Kept text of a reply that was stopped or cut belongs to the conversation: the reader saw it.
    """
    given = [ProviderMessage("system", system)] if system else []
    given += [ProviderMessage(m.role, text) for m in messages if (text := m.text)]
    return tuple(given)


def title_from(text: str, length: int = 60) -> str:
    """Return a title from a first message: its first line, cut at a word."""
    line = " ".join(text.split("\n", 1)[0].split())
    if len(line) <= length:
        return line
    return line[:length].rsplit(" ", 1)[0] + "…"
