"""Rows to records and back, in one place for all statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import orjson

from app.core.entries import Entry
from app.core.messages import Message
from app.core.runs import RunRecord
from app.core.sessions import ChatSession
from app.core.usage import MOST, Cost, Usage
from app.usage.daily import day_of, used_by

_FIELDS_OF_RUN = attrgetter(*RunRecord.__slots__)


def session_row(chat_session: ChatSession) -> dict[str, Any]:
    """Return the columns of a session."""
    return {
        "owner": chat_session.owner,
        "id": chat_session.id,
        "title": chat_session.title,
        "leaf_id": chat_session.leaf_id,
        "listed": chat_session.listed,
        "system": chat_session.system,
        "created_at": chat_session.created_at,
        "updated_at": chat_session.updated_at,
    }


def session_from(row: Mapping[str, Any]) -> ChatSession:
    """Return the record of a row that may also carry `active_run_id` and `message_count`."""
    return ChatSession(
        owner=row["owner"],
        id=row["id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        title=row["title"],
        leaf_id=row["leaf_id"],
        listed=row["listed"],
        system=row["system"],
        active_run_id=row["active_run_id"],
        message_count=row["message_count"],
    )


def message_row(owner: str, session_id: str, message: Message) -> dict[str, Any]:
    """Return the columns of a message."""
    return {
        "id": message.id,
        "owner": owner,
        "session_id": session_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": list(message.content),
        "status": message.status,
        "run_id": message.run_id,
        "usage": message.usage.to_json() if message.usage else None,
        "created_at": message.created_at,
    }


def message_from(row: Mapping[str, Any]) -> Message:
    """Return the record of a row."""
    return Message(
        id=row["id"],
        role=row["role"],
        content=tuple(row["content"]),
        created_at=row["created_at"],
        parent_id=row["parent_id"],
        status=row["status"],
        run_id=row["run_id"],
        usage=Usage.from_json(row["usage"]) if row["usage"] else None,
    )


def run_row(run: RunRecord) -> dict[str, Any]:
    """Return the columns of a run."""
    return {
        **dict(zip(RunRecord.__slots__, _FIELDS_OF_RUN(run), strict=True)),
        "usage": run.usage.to_json() if run.usage else None,
        "attempts": list(run.attempts) if run.attempts else None,
        "cost": run.cost.stored() if run.cost else None,
    }


def run_from(row: Mapping[str, Any]) -> RunRecord:
    """Return the record of a row."""
    values = dict(row)
    usage, cost = values.pop("usage"), values.pop("cost")
    return RunRecord(
        **values,
        usage=Usage.from_json(usage) if usage else None,
        cost=Cost(**cost) if cost else None,
    )


def usage_row(run: RunRecord, at: float) -> dict[str, Any]:
    """Return what a run that ended `at` adds to its owner's day."""
    used = used_by(run)
    return {
        "owner": run.owner,
        "day": day_of(at),
        "provider": used.provider,
        "model": used.model,
        "currency": used.currency,
        "runs": used.runs,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "estimated_runs": used.estimated_runs,
        "cost": min(used.cost, MOST),
    }


def entries_json(entries: Iterable[Entry]) -> str:
    """Return what `run_entries.entries` holds of consecutive entries."""
    return orjson.dumps([[e.kind, e.data, e.at] for e in entries]).decode()


def entries_from(seq: int, stored: str) -> list[Entry]:
    """Return the entries of one row."""
    return entries_of(seq, orjson.loads(stored))


def entries_of(seq: int, pieces: Iterable[Sequence[Any]]) -> list[Entry]:
    """Return consecutive entries, given the number of the first."""
    return [Entry(seq + index, kind, data, at) for index, (kind, data, at) in enumerate(pieces)]


def by_run(rows: Iterable[str]) -> dict[str, list[Entry]]:
    """Return what rows of the journal hold of each run."""
    found: dict[str, list[Entry]] = {}
    for row in rows:
        for run_id, seq, pieces in orjson.loads(row):
            found.setdefault(run_id, []).extend(entries_of(seq, pieces))
    return found
