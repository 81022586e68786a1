"""The store that forgets: everything in dicts under one lock. For trying out, for tests, for
`open_chat`."""

from __future__ import annotations

import threading
from dataclasses import replace

from app.chats.messages import branch
from app.runs.errors import SessionBusy
from app.runs.interfaces import Batch, WorkerLost
from app.runs.records import ChatSession, Message, RunEnd, RunRecord, Turn, text_parts
from app.runs.run_log import Entry

Key = tuple[str, str]


class MemoryStore:
    """RunStore and SessionStore in memory; thread-safe."""

    name = "memory"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[Key, ChatSession] = {}  # guarded by _lock
        self._messages: dict[Key, dict[str, Message]] = {}  # guarded by _lock
        self._runs: dict[str, RunRecord] = {}  # guarded by _lock
        self._entries: dict[str, list[Entry]] = {}  # guarded by _lock
        self._lost_workers: set[str] = set()  # guarded by _lock

    def begin_turn(self, turn: Turn) -> list[Message]:
        """Store a turn, return the branch the model is to answer. Raises SessionBusy."""
        key = (turn.session.owner, turn.session.id)
        with self._lock:
            stored = self._sessions.setdefault(key, turn.session)
            if stored.active_run_id is not None:
                raise SessionBusy(run_id=stored.active_run_id)
            messages = self._messages.setdefault(key, {})
            leaf = stored.leaf_id
            for message in (*turn.messages, turn.reply):
                messages[message.id] = replace(message, parent_id=leaf)
                leaf = message.id
            self._sessions[key] = replace(
                stored,
                leaf_id=leaf,
                active_run_id=turn.run.id,
                updated_at=turn.run.created_at,
                title=stored.title or turn.session.title,
            )
            self._runs[turn.run.id] = turn.run
            self._entries[turn.run.id] = []
            return branch(messages, leaf)[:-1]

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Store the batch. Raises WorkerLost."""
        self.append(worker_id, batch)
        return True

    def append(self, worker_id: str, batch: Batch) -> None:
        """Store the batch. Raises WorkerLost."""
        with self._lock:
            if worker_id in self._lost_workers:
                raise WorkerLost(worker_id)
            for run_id, entries in batch.entries:
                if run_id in self._entries:  # not if its session was deleted meanwhile
                    self._entries[run_id] += entries
            for record, end, reply, at in batch.ends:
                self._end_run(record, end, reply, at)

    def _end_run(self, record: RunRecord, end: RunEnd, reply: str, at: float) -> None:
        stored = self._runs.get(record.id)
        if stored is None or stored.ended_at is not None:
            return
        key = (stored.owner, stored.session_id)
        self._runs[record.id] = replace(
            stored,
            status=end.status,
            finish_reason=end.finish_reason,
            error=end.error,
            usage=end.usage,
            duration_s=end.duration_s,
            ttft_s=end.ttft_s,
            last_seq=self._entries[record.id][-1].seq,
            ended_at=at,
        )
        message = self._messages[key][stored.message_id]
        self._messages[key][message.id] = replace(
            message, content=text_parts(reply), status=end.status, usage=end.usage
        )
        self._sessions[key] = replace(self._sessions[key], active_run_id=None, updated_at=at)

    def lose_worker(self, worker_id: str) -> None:
        """Refuse that worker's appends from now on."""
        with self._lock:
            self._lost_workers.add(worker_id)

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        """Return the record, or None."""
        with self._lock:
            found = self._runs.get(run_id)
            return found if found is not None and found.owner == owner else None

    def read_entries(self, run_id: str) -> list[Entry]:
        """Return all stored entries of a run, in order."""
        with self._lock:
            return list(self._entries.get(run_id, ()))

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""
        with self._lock:
            key = (chat_session.owner, chat_session.id)
            return self._counted(self._sessions.setdefault(key, chat_session))

    def _counted(self, chat_session: ChatSession) -> ChatSession:
        messages = self._messages.get((chat_session.owner, chat_session.id), {})
        return replace(chat_session, message_count=len(messages))

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""
        with self._lock:
            found = self._sessions.get((owner, session_id))
            return self._counted(found) if found else None

    def list_sessions(self, owner: str) -> list[ChatSession]:
        """Return the owner's listed sessions, newest first."""
        with self._lock:
            mine = [s for s in self._sessions.values() if s.owner == owner and s.listed]
            mine = [self._counted(s) for s in mine]
        return sorted(mine, key=lambda s: s.updated_at, reverse=True)

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""
        with self._lock:
            found = self._sessions.pop((owner, session_id), None)
            self._messages.pop((owner, session_id), None)
            for run in list(self._runs.values()):
                if (run.owner, run.session_id) == (owner, session_id):
                    del self._runs[run.id]
                    del self._entries[run.id]
            return found is not None

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""
        with self._lock:
            found = self._sessions.get((owner, session_id))
            if found is None:
                return []
            return branch(self._messages.get((owner, session_id), {}), found.leaf_id)

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""
        with self._lock:
            return len(self._sessions)

    def register_worker(self, worker_id: str, now: float) -> None:
        """Note a worker; in memory there is only one."""

    def checkpoint(self) -> None:
        """Nothing to tidy up."""

    def close(self) -> None:
        """Nothing to let go."""
