"""A conversation is a tree of messages; what a reader sees is one branch of it, from root to
leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.runs.records import Message, ProviderMessage

SESSION_PROMPT = "session"  # the id of the message that stands for a session's own system prompt


def branch(messages: Mapping[str, Message], leaf_id: str | None) -> list[Message]:
    """Return the messages from the root to `leaf_id`, oldest first."""
    found: list[Message] = []
    while leaf_id is not None and leaf_id in messages:
        found.append(messages[leaf_id])
        leaf_id = messages[leaf_id].parent_id
    return found[::-1]


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
