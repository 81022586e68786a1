"""Conversations that are known by a number: 1, 2, ... of each owner (the prompt dialect's)."""

from __future__ import annotations

PREFIX = "conversation:"


def numbered_session(number: int) -> str:
    """Return the id of the session that the owner knows by that number."""
    return f"{PREFIX}{number}"


def number_of_session(session_id: str) -> int | None:
    """Return the number of a session that has one."""
    number = session_id.removeprefix(PREFIX)
    has_one = session_id.startswith(PREFIX) and number.isascii() and number.isdigit()
    return int(number) if has_one else None
