"""The entries of runs, read from where they lie: `run_entries`, and the journal before that."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from app.core.entries import Entry
from app.stores.sql.rows import by_run, entries_from, entries_json
from app.stores.sql.tables import journal, run_entries, runs, workers


def read_entries(connection: Connection, run_id: str, after: int = 0) -> list[Entry]:
    """Return the stored entries of a run beyond `after`, in order."""
    entries = compacted(connection, run_id, after)
    going = select(runs.c.worker_id).where(runs.c.id == run_id, runs.c.ended_at.is_(None))
    worker_id = connection.execute(going).scalar_one_or_none()
    if worker_id is None:
        return entries  # all of it was compacted with its end
    last = entries[-1].seq if entries else after
    return entries + beyond(last, _in_journal(connection, worker_id, run_id))


def compacted(connection: Connection, run_id: str, after: int = 0) -> list[Entry]:
    """Return what `run_entries` has of a run beyond `after`, in order."""
    rows = connection.execute(
        select(run_entries.c.seq, run_entries.c.entries)
        .where(run_entries.c.run_id == run_id, run_entries.c.last_seq > after)
        .order_by(run_entries.c.seq)
    ).all()
    return beyond(after, [entry for row in rows for entry in entries_from(row.seq, row.entries)])


def beyond(after: int, entries: list[Entry]) -> list[Entry]:
    """Return the entries whose numbers are greater."""
    return [entry for entry in entries if entry.seq > after]


def _in_journal(connection: Connection, worker_id: str, run_id: str) -> list[Entry]:
    rows = connection.execute(
        select(journal.c.entries)
        .where(
            journal.c.worker_id == worker_id, journal.c.entries.contains(run_id, autoescape=True)
        )
        .order_by(journal.c.id)
    ).scalars()
    return by_run(rows).get(run_id, [])


def journal_of(connection: Connection, worker_id: str) -> dict[str, list[Entry]]:
    """Return what the journal has of a worker, by run; some of it may be compacted."""
    rows = select(journal.c.entries).where(journal.c.worker_id == worker_id)
    return by_run(connection.execute(rows.order_by(journal.c.id)).scalars())


def store_entries(connection: Connection, run_id: str, entries: list[Entry]) -> None:
    """Write consecutive entries as one row; none, if there are none."""
    if entries:
        row = {
            "run_id": run_id,
            "seq": entries[0].seq,
            "last_seq": entries[-1].seq,
            "entries": entries_json(entries),
        }
        connection.execute(insert(run_entries), row)


def clear_journal(connection: Connection) -> None:
    """Delete what the journal has of workers that are lost or unknown."""
    alive = select(workers.c.id).where(workers.c.lost_at.is_(None))
    connection.execute(delete(journal).where(journal.c.worker_id.not_in(alive)))
