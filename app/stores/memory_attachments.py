"""Attachments in dicts, for the store that forgets."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from app.core.attachments import Attachment, ids_in
from app.core.errors import AttachmentInUse, InvalidRequest, NotFound
from app.core.messages import Content
from app.core.runs import KEY_TTL_S
from app.core.store import Drop, Put
from app.stores.decisions import LEAST_COUNTED, check_upload_key, check_upload_room


class NamedAttachments:
    """The rows, and which messages name them. Not thread-safe: the store's lock guards it."""

    def __init__(self) -> None:
        self.rows: dict[str, Attachment] = {}
        self.named: dict[str, set[str]] = {}  # ids of messages, by attachment
        self.used: set[str] = set()  # those that a message has named
        self._of_message: dict[str, list[str]] = {}

    def find(self, owner: str, attachment_id: str) -> Attachment | None:
        """Return one that is there: never named, or named by a message now."""
        found = self.rows.get(attachment_id)
        if found is None or found.owner != owner:
            return None
        return found if attachment_id not in self.used or self.named.get(attachment_id) else None

    def check(self, owner: str, content: Content) -> None:
        """Raise InvalidRequest if the content names one that is absent."""
        for attachment_id in ids_in(content):
            if self.find(owner, attachment_id) is None:
                raise InvalidRequest({"attachments": f"{attachment_id} is not there any more"})

    def name(self, owner: str, message_id: str, content: Content) -> None:
        """Note what the message names."""
        for attachment_id in ids_in(content):
            if self.find(owner, attachment_id) is not None:
                self.used.add(attachment_id)
                self.named.setdefault(attachment_id, set()).add(message_id)
                self._of_message.setdefault(message_id, []).append(attachment_id)

    def forget(self, message_ids: Iterable[str]) -> None:
        """Note that these messages are gone."""
        for message_id in message_ids:
            for attachment_id in self._of_message.pop(message_id, ()):
                if attachment_id in self.named:
                    self.named[attachment_id].discard(message_id)

    def is_named_in(self, attachment_id: str, message_ids: Container[str]) -> bool:
        """Whether one of the messages names it."""
        return any(one in message_ids for one in self.named.get(attachment_id, ()))

    def delete(self, attachment_ids: Sequence[str], drop: Drop) -> None:
        """Delete rows, and the bytes that no other row has."""
        gone = {self.rows.pop(one).sha256 for one in attachment_ids}
        for one in attachment_ids:
            self.named.pop(one, None)
            self.used.discard(one)
        for sha256 in gone - {row.sha256 for row in self.rows.values()}:
            drop(sha256)

    def is_absent(self, row: Attachment, unused_before: float) -> bool:
        """Whether the sweeper takes it."""
        if self.named.get(row.id):
            return False
        return row.id in self.used or row.created_at < unused_before


class MemoryAttachments:
    """AttachmentStore in dicts; thread-safe by the lock of the store that it is part of."""

    _lock: threading.Lock

    def __init__(self) -> None:
        super().__init__()
        self._attached = NamedAttachments()  # guarded by _lock

    def add_attachment(
        self, wanted: Attachment, put: Put, most_bytes: int, reuse: bool = False
    ) -> Attachment:
        with self._lock:
            mine = [row for row in self._attached.rows.values() if row.owner == wanted.owner]
            for row in mine:
                if _has_key_of(row, wanted) and self._attached.find(row.owner, row.id):
                    check_upload_key(row, wanted)
                    put()
                    return row
            for row in mine if reuse else ():
                if (row.sha256, row.name) == (wanted.sha256, wanted.name):
                    put()
                    if not self._attached.named.get(row.id):
                        self._attached.used.discard(row.id)
                    self._attached.rows[row.id] = replace(row, created_at=wanted.created_at)
                    return row
            held = sum(max(row.size, LEAST_COUNTED) for row in mine)
            check_upload_room(held, wanted, most_bytes)
            put()
            self._attached.rows[wanted.id] = wanted
            return wanted

    def find_attachment(self, owner: str, attachment_id: str) -> Attachment | None:
        with self._lock:
            return self._attached.find(owner, attachment_id)

    def delete_attachment(self, owner: str, attachment_id: str, drop: Drop) -> None:
        with self._lock:
            if self._attached.find(owner, attachment_id) is None:
                raise NotFound()
            if self._attached.named.get(attachment_id):
                raise AttachmentInUse()
            self._attached.delete([attachment_id], drop)

    def sweep_attachments(
        self, after: str, limit: int, unused_before: float, drop: Drop
    ) -> str | None:
        with self._lock:
            ids = sorted(one for one in self._attached.rows if one > after)[:limit]
            rows = [self._attached.rows[one] for one in ids]
            absent = [row.id for row in rows if self._attached.is_absent(row, unused_before)]
            self._attached.delete(absent, drop)
            return ids[-1] if len(ids) == limit else None

    def drop_unknown(self, sha256s: Sequence[str], drop: Drop) -> None:
        with self._lock:
            known = {row.sha256 for row in self._attached.rows.values()}
            for sha256 in set(sha256s) - known:
                drop(sha256)


def _has_key_of(row: Attachment, wanted: Attachment) -> bool:
    same = row.idempotency_key is not None and row.idempotency_key == wanted.idempotency_key
    return same and row.created_at >= wanted.created_at - KEY_TTL_S
