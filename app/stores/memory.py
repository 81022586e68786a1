"""The store that forgets: everything in dicts under one lock. For trying out, for tests, for
`open_chat`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.entries import END, Entry, folded
from app.core.errors import NotFound, SessionBusy
from app.core.messages import Content, Message, branch, extended, searchable
from app.core.runs import KEY_TTL_S, RunEnd, RunRecord, Turn
from app.core.sessions import ChatSession, Page
from app.core.store import Batch, WorkerLost
from app.core.tools import Answered, Reply, Why, taken
from app.core.usage import CostOf, UsedTokens, no_cost
from app.stores.decisions import (
    answered,
    branch_for_model,
    chain,
    check_key,
    check_parent,
    check_places,
    closed,
    ended_waiting,
    free,
    interrupted_end,
    with_prompt,
)
from app.stores.memory_attachments import MemoryAttachments
from app.stores.moving.memory import MemoryMoving
from app.usage.daily import UsageLedger, used_by

Key = tuple[str, str]


class MemorySessions(MemoryAttachments):
    """SessionStore in dicts under one lock; thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._sessions: dict[Key, ChatSession] = {}  # guarded by _lock
        self._messages: dict[Key, dict[str, Message]] = {}  # guarded by _lock
        self._runs: dict[str, RunRecord] = {}  # guarded by _lock
        self._entries: dict[str, list[Entry]] = {}  # guarded by _lock
        self._lost_workers: set[str] = set()  # guarded by _lock
        self._numbers: Counter[str] = Counter()  # guarded by _lock
        self._used = UsageLedger()  # guarded by _lock

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        with self._lock:
            key = (chat_session.owner, chat_session.id)
            return self._counted(self._sessions.setdefault(key, chat_session))

    def _counted(self, chat_session: ChatSession) -> ChatSession:
        messages = self._messages.get((chat_session.owner, chat_session.id), {})
        return replace(chat_session, message_count=len(messages))

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        with self._lock:
            found = self._sessions.get((owner, session_id))
            return self._counted(found) if found else None

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        with self._lock:
            mine = [s for s in self._sessions.values() if s.owner == owner and s.listed]
            mine.sort(key=lambda s: (s.updated_at, s.id), reverse=True)
            if page.before is not None:
                mine = [s for s in mine if (s.updated_at, s.id) < page.before]
            return [self._counted(s) for s in mine[: page.limit or len(mine)]]

    def search_sessions(
        self, owner: str, page: Page, given_up: Callable[[], bool]
    ) -> list[ChatSession]:
        wanted, found = searchable(page.query), list[ChatSession]()
        for chat_session in self.list_sessions(owner, page._replace(limit=0)):
            texts = [chat_session.title]
            texts += [one.text for one in self.read_tree(owner, chat_session.id).values()]
            if given_up():
                return []
            if any(wanted in searchable(text) for text in texts):
                found.append(chat_session)
            if page.limit and len(found) == page.limit:
                break
        return found

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        with self._lock:
            found = self._sessions.get((owner, session_id))
            if found is not None:
                self._sessions[(owner, session_id)] = replace(found, **values)
            return found is not None

    def use_leaf(self, owner: str, session_id: str, leaf_id: str) -> None:
        with self._lock:
            found = self._sessions.get((owner, session_id))
            self._sessions[(owner, session_id)] = replace(free(found), leaf_id=leaf_id)

    def delete_all(self, owner: str) -> int:
        with self._lock:
            mine = [key for key in self._sessions if key[0] == owner]
            for key in mine:
                self._delete(key)
            return len(mine)

    def delete_session(self, owner: str, session_id: str) -> bool:
        with self._lock:
            return self._delete((owner, session_id))

    def _delete(self, key: Key) -> bool:
        self._attached.forget(self._messages.pop(key, {}))
        for run in list(self._runs.values()):
            if (run.owner, run.session_id) == key:
                del self._runs[run.id]
                del self._entries[run.id]
        return self._sessions.pop(key, None) is not None

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        with self._lock:
            found = self._sessions.get((owner, session_id))
            if found is None:
                return []
            return branch(self._messages.get((owner, session_id), {}), found.leaf_id)

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        with self._lock:
            return dict(self._messages.get((owner, session_id), {}))

    def next_number(self, owner: str) -> int:
        with self._lock:
            self._numbers[owner] += 1
            return self._numbers[owner]

    def count_sessions(self) -> int:
        with self._lock:
            return len(self._sessions)

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        with self._lock:
            return self._used.since(owner, since_day)

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        with self._lock:
            key = (owner, session_id)
            runs = [run for run in self._runs.values() if (run.owner, run.session_id) == key]
        return [used_by(run) for run in runs if run.usage is not None]


class MemoryStore(MemorySessions, MemoryMoving):
    """RunStore and SessionStore in memory; thread-safe."""

    name = "memory"
    threads = 1
    gathers = False

    def begin_now(self, turn: Turn) -> list[Message] | None:
        return self.begin_turn(turn)

    def begin_turn(self, turn: Turn) -> list[Message]:
        key = (turn.session.owner, turn.session.id)
        with self._lock:
            run = turn.run
            if run.worker_id in self._lost_workers:
                raise WorkerLost(run.worker_id)
            if run.idempotency_key is not None:
                since = run.created_at - KEY_TTL_S
                started = self._find_key(run.owner, run.idempotency_key, since)
                if started is not None:
                    check_key(started.id, started.request_hash, turn)
            check_places(turn.most_running, lambda: self._running(run.caller))
            if turn.must_exist and key not in self._sessions:
                raise NotFound()
            stored = self._sessions.get(key, turn.session)
            if stored.active_run_id is not None:
                active = self._runs[stored.active_run_id]
                if not active.waits or turn.continues:
                    raise SessionBusy(run_id=active.id)
                self._end_waiting(active, "denied", run.created_at)
                stored = self._sessions[key]
            check_parent(turn, stored.leaf_id, self._messages.get(key, {}).__contains__)
            linked = chain(turn, stored.leaf_id)
            for message in linked:
                self._attached.check(key[0], message.content)
            messages = self._messages.setdefault(key, {})
            messages.update({message.id: message for message in linked})
            for message in linked:
                self._attached.name(key[0], message.id, message.content)
            reply = messages[turn.reply.id]
            messages[reply.id] = replace(reply, status="running", run_id=run.id)
            self._sessions[key] = replace(
                stored,
                leaf_id=reply.id,
                active_run_id=run.id,
                updated_at=run.created_at,
                title=stored.title or turn.session.title,
                listed=stored.listed or turn.session.listed,
            )
            self._runs[run.id] = run
            self._entries[run.id] = []
            answered = branch_for_model(turn, branch(messages, reply.id))
            return with_prompt(answered, stored.system)

    def _find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        for run in self._runs.values():
            if (run.owner, run.idempotency_key) == (owner, key) and run.created_at >= since:
                return run
        return None

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        with self._lock:
            return self._find_key(owner, key, since)

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        self.append(worker_id, batch)
        return True

    def append(self, worker_id: str, batch: Batch) -> None:
        with self._lock:
            if worker_id in self._lost_workers:
                raise WorkerLost(worker_id)
            for run_id, entries in batch.entries:
                if self._is_going(run_id, worker_id):
                    self._entries[run_id] += entries
            for record, end, content, at in batch.ends:
                if self._is_going(record.id, worker_id):
                    self._end_run(record, end, content, at)
            for record, pause, content, _ in batch.pauses:
                if self._is_going(record.id, worker_id):
                    last_seq = self._entries[record.id][-1].seq
                    paused = self._runs[record.id] = record.waiting(pause, last_seq)
                    self._set_message(paused, content=content, status=paused.status)

    def _set_message(self, run: RunRecord, **values: Any) -> None:
        self._attached.name(run.owner, run.message_id, values.get("content", ()))
        messages = self._messages[(run.owner, run.session_id)]
        messages[run.message_id] = replace(messages[run.message_id], **values)

    def _running(self, caller: str) -> int:
        return sum(run.caller == caller for run in self._runs.values() if run.is_going)

    def going_of(self, owner: str, session_id: str | None = None) -> list[RunRecord]:
        with self._lock:
            going = (run for run in self._runs.values() if run.owner == owner and run.is_going)
            return [run for run in going if session_id in {None, run.session_id}]

    def answer(
        self,
        owner: str,
        run_id: str,
        replies: Sequence[Reply],
        worker_id: str,
        now: float,
        caller: str = "",
        most_running: int = 0,
    ) -> Answered:
        with self._lock:
            record = self._runs.get(run_id)
            if record is None or record.owner != owner:
                raise NotFound()
            if not record.waits:
                return Answered(record)
            if worker_id in self._lost_workers:
                raise WorkerLost(worker_id)
            left, entries = taken(record.pending or (), replies, record.last_seq, now)
            if not entries:
                return Answered(record)
            if not left:
                check_places(most_running, lambda: self._running(caller))
            record = self._runs[run_id] = answered(record, left, entries, worker_id, caller)
            self._entries[run_id] += entries
            if left:
                return Answered(record, entries)
            self._set_message(record, status="running")
            key = (owner, record.session_id)
            before = branch(self._messages[key], record.message_id)[:-1]
            asked = with_prompt(before, self._sessions[key].system)
            return Answered(record, entries, asked, list(self._entries[run_id]))

    def end_waiting(self, owner: str, run_id: str, why: Why, now: float) -> list[Entry]:
        with self._lock:
            record = self._runs.get(run_id)
            if record is None or record.owner != owner or not record.waits:
                return []
            return self._end_waiting(record, why, now)

    def _end_waiting(self, record: RunRecord, why: Why, now: float) -> list[Entry]:
        entries, end, content = ended_waiting(record, self._entries[record.id], why, now)
        self._entries[record.id] += entries
        self._end_run(record, end, content, now)
        return entries

    def expired(self, now: float, limit: int) -> list[RunRecord]:
        with self._lock:
            waiting = (run for run in self._runs.values() if run.waits_until is not None)
            return [run for run in waiting if (run.waits_until or now) < now][:limit]

    def _is_going(self, run_id: str, worker_id: str) -> bool:
        # Not if its session was deleted meanwhile, or another worker has ended it.
        run = self._runs.get(run_id)
        return run is not None and run.worker_id == worker_id and run.ended_at is None

    def _end_run(self, record: RunRecord, end: RunEnd, content: Content, at: float) -> None:
        stored = self._runs[record.id]
        key = (stored.owner, stored.session_id)
        last_seq = self._entries[record.id][-1].seq
        self._runs[record.id] = stored.ended(end, last_seq, at)
        self._used.add(self._runs[record.id], at)
        self._set_message(stored, content=content, status=end.status, usage=end.usage)
        self._sessions[key] = replace(self._sessions[key], active_run_id=None, updated_at=at)

    def other_workers(self, worker_id: str) -> list[str]:
        return []

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf = no_cost
    ) -> list[str]:
        with self._lock:
            self._lost_workers.add(worker_id)
            taken = [
                run
                for run in self._runs.values()
                if run.worker_id == worker_id and run.ended_at is None
            ]
            for run in taken:
                entries = self._entries[run.id]
                key = (run.owner, run.session_id)
                asked = branch(self._messages[key], run.message_id)
                end, kept = interrupted_end(run, asked, entries, error, cost_of)
                entries += closed(entries, "unknown", now)
                entries.append(
                    Entry(entries[-1].seq + 1 if entries else 1, END, end.to_json(), now)
                )
                before = self._messages[key][run.message_id].content
                self._end_run(run, end, extended(before, kept), now)
            return [run.id for run in taken]

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        with self._lock:
            found = self._runs.get(run_id)
            return found if found is not None and found.owner == owner else None

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        with self._lock:
            return [entry for entry in self._entries.get(run_id, ()) if entry.seq > after]

    def fold(self, ended_before: float, limit: int) -> int:
        with self._lock:
            old = [
                run
                for run in self._runs.values()
                if run.ended_at is not None and run.ended_at < ended_before and not run.folded
            ][:limit]
            for run in old:
                self._entries[run.id] = folded(self._entries[run.id])
                self._runs[run.id] = replace(run, folded=True)
            return len(old)

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        with self._lock:
            before = {True: listed_before, False: unlisted_before}
            old = [
                key
                for key, one in self._sessions.items()
                if one.active_run_id is None and one.updated_at < (before[one.listed] or 0)
            ]
            for key in old:
                self._delete(key)
            return len(old)

    def register_worker(self, worker_id: str, now: float) -> None:
        """Note a worker; in memory there is only one."""

    def set_patience(self, seconds: float) -> None:
        """Nobody else holds a lock here."""

    def probe(self) -> None:
        """Memory does not fail."""

    def tidy(self, now: float) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to let go."""
