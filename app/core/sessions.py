"""The stored record of a conversation, and pages of such records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ChatSession:
    """The stored record of one owner's conversation. `leaf_id` is the tip of the branch in use."""

    owner: str
    id: str
    created_at: float
    updated_at: float
    title: str = ""
    leaf_id: str | None = None
    listed: bool = True
    active_run_id: str | None = None
    message_count: int = 0
    system: str | None = None  # its own system prompt


class Page(NamedTuple):
    """What of a list is wanted: at most `limit` (0: all), beyond the (time, id) that the page
    before ended with, and only what has the text of `query`."""

    limit: int = 0
    before: tuple[float, str] | None = None
    query: str = ""
