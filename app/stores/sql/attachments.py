"""Attachments in SQL: their rows, and which messages name them.

What is named is written in the transaction that writes the message, which a hub runs too: plain
SQL. All else is the store's thread's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from app.core.attachments import Attachment, ids_in
from app.core.errors import AttachmentInUse, InvalidRequest, NotFound
from app.core.messages import Content, is_plain
from app.core.runs import KEY_TTL_S
from app.core.store import Drop, Put
from app.stores.decisions import LEAST_COUNTED, check_upload_key, check_upload_room
from app.stores.sql.driver import Driver
from app.stores.sql.tables import attachments, message_attachments

MOST_SWEPT = 20  # files deleted in one transaction: commits wait for it
_IS_THERE = """
(NOT used OR EXISTS (SELECT 1 FROM message_attachments WHERE attachment_id = attachments.id))
"""
_USE = f"UPDATE attachments SET used = TRUE WHERE id = :id AND owner = :owner AND {_IS_THERE}"
_NAME = """
INSERT INTO message_attachments (attachment_id, message_id) VALUES (:id, :message_id)
ON CONFLICT DO NOTHING
"""


def name_attachments(
    driver: Driver, owner: str, message_id: str, content: Content, must_exist: bool = False
) -> None:
    """Note which attachments the message names, in the transaction that stores it. Raises
    InvalidRequest for one that is absent, if it must not be."""
    if not content or is_plain(content):  # nearly always
        return
    for attachment_id in ids_in(content):
        if driver.execute(_USE, {"id": attachment_id, "owner": owner}).rowcount:
            driver.execute(_NAME, {"id": attachment_id, "message_id": message_id})
        elif must_exist:
            raise InvalidRequest({"attachments": f"{attachment_id} is not there any more"})


def _named() -> ColumnElement[bool]:
    return exists().where(message_attachments.c.attachment_id == attachments.c.id)


def _is_there() -> ColumnElement[bool]:
    return or_(attachments.c.used.is_(False), _named())


class SqlAttachments(ABC):
    """AttachmentStore on any SQL engine. All methods may block."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """Write in one transaction. Raises StorageUnavailable."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Read what one moment holds. Raises StorageUnavailable."""

    def _alone(self) -> AbstractContextManager[Connection]:
        """Write in one transaction that no other of these runs beside. Raises
        StorageUnavailable."""
        return self._transaction()

    def add_attachment(
        self, wanted: Attachment, put: Put, most_bytes: int, reuse: bool = False
    ) -> Attachment:
        with self._alone() as connection:
            known = _of_key(connection, wanted)
            if known is None and reuse:
                known = _reused(connection, wanted)
            if known is not None:
                check_upload_key(known, wanted)
                put()  # a crash, or whoever tidied the folder, may have taken them
                return known
            counted = case(
                (attachments.c.size < LEAST_COUNTED, LEAST_COUNTED), else_=attachments.c.size
            )
            held = select(func.coalesce(func.sum(counted), 0))
            held = held.where(attachments.c.owner == wanted.owner)
            check_upload_room(connection.execute(held).scalar_one(), wanted, most_bytes)
            connection.execute(insert(attachments), {**attachment_row(wanted), "used": False})
            put()
            return wanted

    def find_attachment(self, owner: str, attachment_id: str) -> Attachment | None:
        wanted = and_(attachments.c.id == attachment_id, attachments.c.owner == owner)
        with self._reading() as connection:
            found = connection.execute(select(attachments).where(wanted, _is_there())).one_or_none()
        return attachment_from(found._asdict()) if found else None

    def delete_attachment(self, owner: str, attachment_id: str, drop: Drop) -> None:
        wanted = and_(attachments.c.id == attachment_id, attachments.c.owner == owner)
        with self._alone() as connection:
            _hold(connection, [attachment_id])
            row = connection.execute(
                select(attachments, _named()).where(wanted, _is_there())
            ).one_or_none()
            if row is None:
                raise NotFound()
            if row[-1]:
                raise AttachmentInUse()
            _delete(connection, {attachment_id: row.sha256}, drop)

    def sweep_attachments(
        self, after: str, limit: int, unused_before: float, drop: Drop
    ) -> str | None:
        looked_at = select(
            attachments.c.id,
            attachments.c.sha256,
            and_(~_named(), or_(attachments.c.used, attachments.c.created_at < unused_before)),
        )
        looked_at = looked_at.where(attachments.c.id > after).order_by(attachments.c.id)
        with self._reading() as connection:
            rows = connection.execute(looked_at.limit(limit)).all()
        absent = [row.id for row in rows if row[2]]
        cut_off = len(absent) > MOST_SWEPT
        absent = absent[:MOST_SWEPT]
        if absent:
            with self._alone() as connection:
                # Looked at again: one may have been named since.
                _hold(connection, absent)
                still = looked_at.where(attachments.c.id.in_(absent))
                rows_to_go = [row for row in connection.execute(still) if row[2]]
                _delete(connection, {row.id: row.sha256 for row in rows_to_go}, drop)
        if cut_off:
            return str(absent[-1])
        return rows[-1].id if len(rows) == limit else None

    def drop_unknown(self, sha256s: Sequence[str], drop: Drop) -> None:
        with self._alone() as connection:
            known = select(attachments.c.sha256).where(attachments.c.sha256.in_(sha256s))
            for sha256 in set(sha256s) - set(connection.execute(known).scalars()):
                drop(sha256)


def _hold(connection: Connection, ids: Sequence[str]) -> None:
    """Keep messages from naming them until the transaction ends, where others write meanwhile."""
    rows = select(attachments.c.id).where(attachments.c.id.in_(ids)).order_by(attachments.c.id)
    connection.execute(rows.with_for_update()).all()


def _delete(connection: Connection, rows: Mapping[str, str], drop: Drop) -> None:
    """Delete the rows, whose bytes are given by id, and the bytes that no other row has."""
    connection.execute(delete(attachments).where(attachments.c.id.in_(rows)))
    shared = select(attachments.c.sha256).where(attachments.c.sha256.in_(set(rows.values())))
    for sha256 in set(rows.values()) - set(connection.execute(shared).scalars()):
        drop(sha256)


def _of_key(connection: Connection, wanted: Attachment) -> Attachment | None:
    if wanted.idempotency_key is None:
        return None
    same = and_(
        attachments.c.owner == wanted.owner,
        attachments.c.idempotency_key == wanted.idempotency_key,
        attachments.c.created_at >= wanted.created_at - KEY_TTL_S,
    )
    found = connection.execute(select(attachments).where(same, _is_there()).limit(1)).one_or_none()
    return attachment_from(found._asdict()) if found else None


def _reused(connection: Connection, wanted: Attachment) -> Attachment | None:
    """Return the owner's attachment of the same bytes and name, there for another day."""
    same = and_(
        attachments.c.owner == wanted.owner,
        attachments.c.sha256 == wanted.sha256,
        attachments.c.name == wanted.name,
    )
    found = connection.execute(select(attachments).where(same).limit(1)).one_or_none()
    if found is None:
        return None
    this = attachments.c.id == found.id
    connection.execute(update(attachments).where(this).values(created_at=wanted.created_at))
    connection.execute(update(attachments).where(this, ~_named()).values(used=False))
    return attachment_from(found._asdict())


def attachment_row(attachment: Attachment) -> dict[str, Any]:
    """Return the columns of an attachment, but for whether it is used."""
    return {name: getattr(attachment, name) for name in Attachment.__slots__}


def attachment_from(row: Mapping[str, Any]) -> Attachment:
    """Return the record of a row."""
    return Attachment(**{name: row[name] for name in Attachment.__slots__})
