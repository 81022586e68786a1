"""Whole sessions out of and into the store that forgets."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

from app.core.entries import Entry
from app.core.messages import Message
from app.core.runs import RunRecord
from app.core.sessions import ChatSession
from app.core.store import OwnerSums, PutBytes, StoredOtherwise, WholeRun, WholeSession
from app.core.usage import CostOf, no_cost
from app.stores.memory_attachments import NamedAttachments
from app.stores.moving.whole import (
    as_uploaded,
    check_same,
    key_of,
    raised,
    settled,
    sums_of,
    whole_of,
)
from app.usage.daily import UsageLedger

Key = tuple[str, str]


class MemoryMoving:
    """MovableStore on the dicts of the store that it is part of, under its lock."""

    _lock: threading.Lock
    _sessions: dict[Key, ChatSession]
    _messages: dict[Key, dict[str, Message]]
    _runs: dict[str, RunRecord]
    _entries: dict[str, list[Entry]]
    _numbers: Counter[str]
    _used: UsageLedger
    _attached: NamedAttachments

    def owners(self, after: str | None, limit: int) -> list[str]:
        with self._lock:
            found = {owner for owner, _ in self._sessions} | self._numbers.keys()
            return _page(found | self._used.owners(), after, limit)

    def session_ids(self, owner: str, after: str | None, limit: int) -> list[str]:
        with self._lock:
            return _page({key[1] for key in self._sessions if key[0] == owner}, after, limit)

    def read_whole(self, owner: str, session_id: str) -> WholeSession | None:
        with self._lock:
            return self._read_whole((owner, session_id))

    def _read_whole(self, key: Key) -> WholeSession | None:
        if key not in self._sessions:
            return None
        mine = [run for run in self._runs.values() if (run.owner, run.session_id) == key]
        runs = [WholeRun(run, list(self._entries[run.id])) for run in mine]
        messages, attached = self._messages.get(key, {}), self._attached
        named = [row for row in attached.rows.values() if attached.is_named_in(row.id, messages)]
        return whole_of(self._sessions[key], messages.values(), runs, named)

    def put_whole(
        self, whole: WholeSession, seen_at: float, put: PutBytes, cost_of: CostOf = no_cost
    ) -> bool:
        whole, late = settled(whole, seen_at, cost_of)
        key = (whole.record.owner, whole.record.id)
        with self._lock:
            stored = self._read_whole(key)
            if stored is not None:
                check_same(stored, whole)
                return False
            self._check_ids(whole)
            for attachment in whole.attachments:
                put(attachment.sha256)
            going = (run.record.id for run in whole.runs if run.record.ended_at is None)
            self._sessions[key] = replace(whole.record, active_run_id=next(going, None))
            self._messages[key] = {message.id: message for message in whole.messages}
            for run, entries in whole.runs:
                self._runs[run.id], self._entries[run.id] = run, list(entries)
            self._attach(whole)
            for run in late:
                self._used.add(run, seen_at)
            return True

    def _check_ids(self, whole: WholeSession) -> None:
        for message in whole.messages:
            if any(message.id in messages for messages in self._messages.values()):
                raise StoredOtherwise("message", message.id)
        for run, _ in whole.runs:
            if run.id in self._runs:
                raise StoredOtherwise("run", run.id)
        for attachment in whole.attachments:
            stored = self._attached.rows.get(attachment.id, attachment)
            if as_uploaded(stored) != as_uploaded(attachment):
                raise StoredOtherwise("attachment", attachment.id)

    def _attach(self, whole: WholeSession) -> None:
        for attachment in whole.attachments:
            self._attached.rows.setdefault(attachment.id, attachment)
            self._attached.used.discard(attachment.id)
        for message in whole.messages:
            self._attached.name(whole.record.owner, message.id, message.content)

    def read_sums(self, owner: str) -> OwnerSums:
        with self._lock:
            return sums_of(self._numbers.get(owner, 0), self._used.since(owner, ""))

    def put_sums(self, owner: str, sums: OwnerSums) -> bool:
        before = self.read_sums(owner)
        with self._lock:
            if sums.number > self._numbers.get(owner, 0):
                self._numbers[owner] = sums.number
            stored = {key_of(used): used for used in self._used.since(owner, "")}
            for used in sums.used:
                self._used.put(owner, raised(stored.get(key_of(used)), used))
        return self.read_sums(owner) != before


def _page(names: set[str], after: str | None, limit: int) -> list[str]:
    return sorted(name for name in names if after is None or name > after)[:limit]
