"""What processes say to each other on a bus: each message is a list whose first is its kind, as
JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from app.core.broker import News, Stop
from app.core.entries import Entry
from app.core.runs import Receipt

FOLLOW = "follow"  # who, a run, the last entry it has: renewed while somebody watches there
LEAVE = "leave"  # who, a run
LINES = "lines"  # a run, the last entry there is, the number of the first that comes, entries
LOST = "lost"  # a run that the owner does not have
NEWS = "news"  # an owner, a session or null, a name, data
ASK = "ask"  # who, an id, a command
ANSWER = "answer"  # an id, a receipt or null


def encoded(*parts: Any) -> bytes:
    """Return a message."""
    return orjson.dumps(parts)


def lines(run_id: str, last_seq: int, entries: Sequence[Entry]) -> bytes:
    """Return consecutive entries of a run, or none, as a message."""
    first = entries[0].seq if entries else 0
    return orjson.dumps((LINES, run_id, last_seq, first, [entry[1:] for entry in entries]))


def entries_in(first: int, pieces: Sequence[Sequence[Any]]) -> list[Entry]:
    """Return the entries that `lines` wrote."""
    return [Entry(first + index, *piece) for index, piece in enumerate(pieces)]


def command_parts(command: Stop) -> list[str]:
    """Return a command as it is sent."""
    return [command.owner, command.run_id]


def command_of(parts: Sequence[str]) -> Stop:
    """Return the command that `command_parts` wrote."""
    return Stop(*parts)


def news_parts(news: News) -> tuple[str, dict[str, Any]]:
    """Return news as they are sent."""
    return news.name, news.data


def receipt_of(answer: Any) -> Receipt | None:
    """Return what `Receipt.to_json` wrote, or None."""
    return None if answer is None else Receipt.from_json(answer)
