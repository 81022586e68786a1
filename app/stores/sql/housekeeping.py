"""Keeping house in SQL: ending the runs of workers that are gone, folding, deleting what is old."""

from __future__ import annotations

from sqlalchemy import Connection, Select, and_, delete, exists, or_, select, update

from app.core.entries import END, Entry, folded
from app.core.messages import extended
from app.core.runs import RunRecord
from app.core.usage import CostOf, no_cost
from app.stores.decisions import closed, interrupted_end
from app.stores.sql.driver import OnSqlAlchemy
from app.stores.sql.ends import end_run
from app.stores.sql.entries import beyond, clear_journal, compacted, journal_of, store_entries
from app.stores.sql.queries import read_branch
from app.stores.sql.rows import run_from
from app.stores.sql.tables import messages, run_entries, runs, sessions, workers


def take_over(
    connection: Connection,
    worker_id: str,
    error: dict[str, object],
    now: float,
    cost_of: CostOf = no_cost,
) -> list[str]:
    """Mark the worker as lost and end its runs as interrupted; return the runs' ids."""
    alive = (workers.c.id == worker_id) & workers.c.lost_at.is_(None)
    # Held, where others write meanwhile, before anything is read: its appends hold it too.
    connection.execute(select(workers.c.id).where(alive).with_for_update())
    if not connection.execute(update(workers).where(alive).values(lost_at=now)).rowcount:
        return []  # somebody else was first
    going = select(runs).where(runs.c.worker_id == worker_id, runs.c.ended_at.is_(None))
    connection.execute(_sessions_of(worker_id).with_for_update())
    taken = [run_from(row._asdict()) for row in connection.execute(going).all()]
    waiting = journal_of(connection, worker_id)
    for run in taken:
        entries = _compact(connection, run.id, waiting.get(run.id, []))
        _interrupt(connection, run, entries, error, now, cost_of)
    clear_journal(connection)
    return [run.id for run in taken]


def _sessions_of(worker_id: str) -> Select[tuple[str, str]]:
    """Select the sessions in which the worker's runs are, in the order in which all hold them."""
    its = and_(runs.c.owner == sessions.c.owner, runs.c.session_id == sessions.c.id)
    its = and_(its, runs.c.worker_id == worker_id, runs.c.ended_at.is_(None))
    found = select(sessions.c.owner, sessions.c.id).where(exists().where(its))
    return found.order_by(sessions.c.owner, sessions.c.id)


def _compact(connection: Connection, run_id: str, waiting: list[Entry]) -> list[Entry]:
    """Move what the journal has of a run to its entries; return all of them."""
    entries = compacted(connection, run_id)
    late = beyond(entries[-1].seq if entries else 0, waiting)
    store_entries(connection, run_id, late)
    return entries + late


def _interrupt(
    connection: Connection,
    run: RunRecord,
    entries: list[Entry],
    error: dict[str, object],
    now: float,
    cost_of: CostOf,
) -> None:
    branch = read_branch(connection, run.owner, run.session_id, run.message_id)
    end, kept = interrupted_end(run, branch, entries, error, cost_of)
    seq = (entries[-1].seq if entries else 0) + 1
    late = closed(entries, "unknown", now)
    store_entries(connection, run.id, [*late, Entry(seq + len(late), END, end.to_json(), now)])
    message = select(messages.c.content).where(messages.c.id == run.message_id)
    before = connection.execute(message).scalar_one_or_none()
    content = extended(tuple(before or ()), kept)
    end_run(OnSqlAlchemy(connection), run.worker_id, run, end, content, now)


def fold(connection: Connection, ended_before: float, limit: int) -> int:
    """Fold the entries of runs that ended before then into one row each; return how many."""
    old = connection.execute(
        select(runs.c.id)
        .where(runs.c.ended_at < ended_before, runs.c.folded.is_(False))
        .order_by(runs.c.ended_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # another process may be folding some
    ).scalars()
    ids = list(old)
    for run_id in ids:
        entries = compacted(connection, run_id)
        connection.execute(delete(run_entries).where(run_entries.c.run_id == run_id))
        if entries:
            store_entries(connection, run_id, folded(entries))
    if ids:
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(folded=True))
    return len(ids)


def delete_old(connection: Connection, listed_before: float | None, unlisted_before: float) -> int:
    """Delete sessions not used since then, listed ones too unless None; return how many."""
    old = and_(sessions.c.listed.is_(False), sessions.c.updated_at < unlisted_before)
    if listed_before is not None:
        old = or_(old, and_(sessions.c.listed, sessions.c.updated_at < listed_before))
    going = exists().where(
        runs.c.owner == sessions.c.owner,
        runs.c.session_id == sessions.c.id,
        runs.c.ended_at.is_(None),
    )
    connection.execute(delete(workers).where(workers.c.lost_at < unlisted_before))
    clear_journal(connection)
    return connection.execute(delete(sessions).where(old, ~going)).rowcount
