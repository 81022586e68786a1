"""Queries that several of the store's calls make."""

from __future__ import annotations

from sqlalchemy import (
    Connection,
    func,
    select,
    tuple_,
)

from app.core.messages import Message, branch, in_order
from app.core.runs import RunRecord
from app.core.sessions import ChatSession, Page
from app.core.usage import UsedTokens
from app.stores.decisions import with_prompt
from app.stores.sql.driver import upsert
from app.stores.sql.rows import message_from, run_from, session_from
from app.stores.sql.tables import daily_usage, messages, numbers, runs, sessions
from app.usage.daily import used_by

ACTIVE_RUN = (
    select(runs.c.id)
    .where(runs.c.owner == sessions.c.owner, runs.c.session_id == sessions.c.id)
    .where(runs.c.ended_at.is_(None))
    .scalar_subquery()
    .label("active_run_id")
)
MESSAGE_COUNT = (
    select(func.count())
    .select_from(messages)
    .where(messages.c.owner == sessions.c.owner, messages.c.session_id == sessions.c.id)
    .scalar_subquery()
    .label("message_count")
)


def find_session(connection: Connection, owner: str, session_id: str) -> ChatSession | None:
    row = connection.execute(
        select(sessions, ACTIVE_RUN, MESSAGE_COUNT).where(
            sessions.c.owner == owner, sessions.c.id == session_id
        )
    ).one_or_none()
    return session_from(row._asdict()) if row else None


def list_sessions(connection: Connection, owner: str, page: Page) -> list[ChatSession]:
    table = sessions.c
    wanted = select(sessions, ACTIVE_RUN, MESSAGE_COUNT).where(table.owner == owner, table.listed)
    if page.before is not None:
        at, last_id = page.before
        wanted = wanted.where(tuple_(table.updated_at, table.id) < (at, last_id))
    wanted = wanted.order_by(table.updated_at.desc(), table.id.desc())
    if page.limit:
        wanted = wanted.limit(page.limit)
    return [session_from(row._asdict()) for row in connection.execute(wanted).all()]


def find_key(connection: Connection, owner: str, key: str, since: float) -> RunRecord | None:
    row = connection.execute(
        select(runs)
        .where(runs.c.owner == owner, runs.c.idempotency_key == key)
        .where(runs.c.created_at >= since)
    ).first()
    return run_from(row._asdict()) if row else None


def going_of(connection: Connection, owner: str, session_id: str | None) -> list[RunRecord]:
    going = select(runs).where(
        runs.c.owner == owner, runs.c.ended_at.is_(None), runs.c.waits_until.is_(None)
    )
    if session_id is not None:
        going = going.where(runs.c.session_id == session_id)
    return [run_from(row._asdict()) for row in connection.execute(going).all()]


def read_branch(
    connection: Connection, owner: str, session_id: str, leaf_id: str | None
) -> list[Message]:
    return branch(read_tree(connection, owner, session_id), leaf_id)


def read_tree(connection: Connection, owner: str, session_id: str) -> dict[str, Message]:
    rows = connection.execute(
        select(messages)
        .where(messages.c.owner == owner, messages.c.session_id == session_id)
        .order_by(messages.c.created_at, messages.c.id)
    ).all()
    return in_order(message_from(row._asdict()) for row in rows)


def branch_before(connection: Connection, run: RunRecord) -> list[Message]:
    """Return the branch that a run answers, after the session's own system prompt."""
    found = read_branch(connection, run.owner, run.session_id, run.message_id)
    of_session = (sessions.c.owner == run.owner) & (sessions.c.id == run.session_id)
    system = connection.execute(select(sessions.c.system).where(of_session)).scalar_one_or_none()
    return with_prompt(found[:-1], system)


def used_by_day(connection: Connection, owner: str, since_day: str) -> list[UsedTokens]:
    table = daily_usage.c
    rows = connection.execute(
        select(daily_usage)
        .where(table.owner == owner, table.day >= since_day)
        .order_by(table.day, table.provider, table.model)
    ).all()
    return [UsedTokens(**{n: v for n, v in row._asdict().items() if n != "owner"}) for row in rows]


def used_in_session(connection: Connection, owner: str, session_id: str) -> list[UsedTokens]:
    rows = connection.execute(
        select(runs).where(
            runs.c.owner == owner, runs.c.session_id == session_id, runs.c.usage.is_not(None)
        )
    ).all()
    return [used_by(run_from(row._asdict())) for row in rows]


def next_number(connection: Connection, owner: str) -> int:
    first = upsert(connection, numbers).values(owner=owner, last=1)
    counted = first.on_conflict_do_update(
        index_elements=["owner"], set_={"last": numbers.c.last + 1}
    )
    return int(connection.execute(counted.returning(numbers.c.last)).scalar_one())
