"""Whole sessions out of and into SQL, on any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, select, union, update

from app.core.attachments import Attachment
from app.core.entries import Entry
from app.core.runs import RunRecord
from app.core.store import OwnerSums, PutBytes, StoredOtherwise, WholeRun, WholeSession
from app.core.usage import CostOf, UsedTokens, no_cost
from app.stores.moving.whole import (
    as_uploaded,
    check_same,
    key_of,
    raised,
    settled,
    sums_of,
    whole_of,
)
from app.stores.sql.attachments import attachment_from, attachment_row, name_attachments
from app.stores.sql.driver import OnSqlAlchemy, upsert
from app.stores.sql.ends import add_usage
from app.stores.sql.entries import read_entries, store_entries
from app.stores.sql.queries import find_session, read_tree, used_by_day
from app.stores.sql.rows import entries_from, message_row, run_from, run_row, session_row
from app.stores.sql.tables import (
    attachments,
    daily_usage,
    message_attachments,
    messages,
    numbers,
    run_entries,
    runs,
    sessions,
)

PIECES_A_ROW = 1000  # of run_entries: a reader decodes whole rows
IDS_A_QUERY = 500  # SQLite takes 32766 values, others fewer


class SqlMoving(ABC):
    """MovableStore on any SQL engine. All methods may block."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """Write in one transaction. Raises StorageUnavailable."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Read what one moment holds. Raises StorageUnavailable."""

    def _alone(self) -> AbstractContextManager[Connection]:
        """Write in one transaction that none beside puts bytes on the shelf, or counts, in. Raises
        StorageUnavailable."""
        return self._transaction()

    def owners(self, after: str | None, limit: int) -> list[str]:
        tables = (sessions, numbers, daily_usage)
        found = union(*(_beyond(table.c.owner, after) for table in tables)).subquery()
        page = select(found.c.owner).order_by(found.c.owner).limit(limit)
        with self._reading() as connection:
            return list(connection.execute(page).scalars())

    def session_ids(self, owner: str, after: str | None, limit: int) -> list[str]:
        page = _beyond(sessions.c.id, after).where(sessions.c.owner == owner)
        with self._reading() as connection:
            return list(connection.execute(page.order_by(sessions.c.id).limit(limit)).scalars())

    def read_whole(self, owner: str, session_id: str) -> WholeSession | None:
        with self._reading() as connection:
            return _read(connection, owner, session_id)

    def put_whole(
        self, whole: WholeSession, seen_at: float, put: PutBytes, cost_of: CostOf = no_cost
    ) -> bool:
        whole, late = settled(whole, seen_at, cost_of)
        record = whole.record
        stored = self.read_whole(record.owner, record.id)
        if stored is None:
            with self._alone() as connection:
                stored = _read(connection, record.owner, record.id)
                if stored is None:
                    _put(connection, whole, put)
                    for run in late:
                        add_usage(OnSqlAlchemy(connection), run, seen_at)
                    return True
        check_same(stored, whole)
        return False

    def read_sums(self, owner: str) -> OwnerSums:
        with self._reading() as connection:
            return _sums(connection, owner)

    def put_sums(self, owner: str, sums: OwnerSums) -> bool:
        with self._alone() as connection:
            before = _sums(connection, owner)
            if sums.number > before.number:
                _replace(connection, numbers, {"owner": owner, "last": sums.number})
            stored = {key_of(used): used for used in before.used}
            for used in sums.used:
                wanted = raised(stored.get(key_of(used)), used)
                if wanted != stored.get(key_of(used)):
                    _replace(connection, daily_usage, _usage_row(owner, wanted))
            return _sums(connection, owner) != before


def _beyond(column: Column[Any], after: str | None) -> Any:
    return select(column) if after is None else select(column).where(column > after)


def _read(connection: Connection, owner: str, session_id: str) -> WholeSession | None:
    found = find_session(connection, owner, session_id)
    if found is None:
        return None
    mine = (runs.c.owner == owner) & (runs.c.session_id == session_id)
    rows = connection.execute(select(runs).where(mine)).all()
    logs = _read_logs(connection, mine)
    records = [run_from(row._asdict()) for row in rows]
    whole_runs = [WholeRun(run, _log(connection, run, logs)) for run in records]
    tree = read_tree(connection, owner, session_id)
    return whole_of(found, tree.values(), whole_runs, _named(connection, owner, session_id))


def _named(connection: Connection, owner: str, session_id: str) -> list[Attachment]:
    of_session = (messages.c.owner == owner) & (messages.c.session_id == session_id)
    ids = select(message_attachments.c.attachment_id).join(messages).where(of_session)
    rows = connection.execute(select(attachments).where(attachments.c.id.in_(ids))).all()
    return [attachment_from(row._asdict()) for row in rows]


def _read_logs(connection: Connection, mine: Any) -> dict[str, list[Entry]]:
    """Return what is compacted of the runs, by run."""
    wanted = select(run_entries.c.run_id, run_entries.c.seq, run_entries.c.entries)
    wanted = wanted.join(runs, runs.c.id == run_entries.c.run_id).where(mine)
    rows = connection.execute(wanted.order_by(run_entries.c.run_id, run_entries.c.seq)).all()
    return {
        run_id: [entry for row in group for entry in entries_from(row.seq, row.entries)]
        for run_id, group in groupby(rows, key=lambda row: row.run_id)
    }


def _log(connection: Connection, run: RunRecord, logs: dict[str, list[Entry]]) -> list[Entry]:
    if run.ended_at is None:
        return read_entries(connection, run.id)  # the journal has the rest
    return logs.get(run.id, [])


def _put(connection: Connection, whole: WholeSession, put: PutBytes) -> None:
    owner, session_id = whole.record.owner, whole.record.id
    _check_ids(connection, "message", messages, [message.id for message in whole.messages])
    _check_ids(connection, "run", runs, [run.record.id for run in whole.runs])
    connection.execute(insert(sessions), session_row(whole.record))
    rows = [message_row(owner, session_id, message) for message in whole.messages]
    if rows:
        connection.execute(insert(messages), rows)
    _attach(connection, whole, put)
    if whole.runs:
        connection.execute(insert(runs), [run_row(run.record) for run in whole.runs])
    for run, entries in whole.runs:
        for start in range(0, len(entries), PIECES_A_ROW):
            store_entries(connection, run.id, list(entries[start : start + PIECES_A_ROW]))


def _attach(connection: Connection, whole: WholeSession, put: PutBytes) -> None:
    for attachment in whole.attachments:
        mine = attachments.c.id == attachment.id
        stored = connection.execute(select(attachments).where(mine)).one_or_none()
        if stored is None:
            row = {**attachment_row(attachment), "used": False}
            connection.execute(insert(attachments), row)
        elif as_uploaded(attachment_from(stored._asdict())) != as_uploaded(attachment):
            raise StoredOtherwise("attachment", attachment.id)
        else:  # it may be one that the sweeper is about to take
            connection.execute(update(attachments).where(mine).values(used=False))
        put(attachment.sha256)
    for message in whole.messages:
        driver = OnSqlAlchemy(connection)
        name_attachments(driver, whole.record.owner, message.id, message.content)


def _check_ids(connection: Connection, what: str, table: Table, ids: Sequence[str]) -> None:
    """Raise StoredOtherwise for an id that another session's has."""
    for start in range(0, len(ids), IDS_A_QUERY):
        some = table.c.id.in_(ids[start : start + IDS_A_QUERY])
        taken = connection.execute(select(table.c.id).where(some).limit(1)).scalar_one_or_none()
        if taken is not None:
            raise StoredOtherwise(what, taken)


def _sums(connection: Connection, owner: str) -> OwnerSums:
    last = select(numbers.c.last).where(numbers.c.owner == owner)
    number = connection.execute(last).scalar_one_or_none()
    return sums_of(number or 0, used_by_day(connection, owner, ""))


def _usage_row(owner: str, used: UsedTokens) -> dict[str, Any]:
    return {"owner": owner, **{name: getattr(used, name) for name in UsedTokens.__slots__}}


def _replace(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    keys = [column.name for column in table.primary_key]
    values = {name: value for name, value in row.items() if name not in keys}
    wanted = upsert(connection, table).values(row)
    connection.execute(wanted.on_conflict_do_update(index_elements=keys, set_=values))
