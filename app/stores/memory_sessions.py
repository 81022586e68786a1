"""Sessions, messages and usage in memory: what chats need of a store."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.chats.interfaces import Page
from app.chats.messages import branch
from app.runs.daily_usage import UsageLedger, UsedTokens, used_by
from app.runs.records import ChatSession, Message, RunRecord
from app.runs.run_log import Entry

Key = tuple[str, str]


class MemorySessions:
    """SessionStore in dicts under one lock; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[Key, ChatSession] = {}  # guarded by _lock
        self._messages: dict[Key, dict[str, Message]] = {}  # guarded by _lock
        self._runs: dict[str, RunRecord] = {}  # guarded by _lock
        self._entries: dict[str, list[Entry]] = {}  # guarded by _lock
        self._lost_workers: set[str] = set()  # guarded by _lock
        self._numbers: Counter[str] = Counter()  # guarded by _lock
        self._used = UsageLedger()  # guarded by _lock

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

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        """Return a page of the owner's listed sessions, newest first."""
        with self._lock:
            mine = [s for s in self._sessions.values() if s.owner == owner and s.listed]
            mine.sort(key=lambda s: (s.updated_at, s.id), reverse=True)
            if page.before is not None:
                mine = [s for s in mine if (s.updated_at, s.id) < page.before]
            if page.query:
                mine = [s for s in mine if self._mentions(s, page.query.casefold())]
            return [self._counted(s) for s in mine[: page.limit or len(mine)]]

    def _mentions(self, chat_session: ChatSession, query: str) -> bool:
        messages = self._messages.get((chat_session.owner, chat_session.id), {}).values()
        texts = (chat_session.title, *(message.text for message in messages))
        return any(query in text.casefold() for text in texts)

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        """Set the title, system prompt or leaf of a session; False if it is not there."""
        with self._lock:
            found = self._sessions.get((owner, session_id))
            if found is not None:
                self._sessions[(owner, session_id)] = replace(found, **values)
            return found is not None

    def delete_all(self, owner: str) -> int:
        """Delete the owner's sessions with all that belongs to them; return how many."""
        with self._lock:
            mine = [key for key in self._sessions if key[0] == owner]
            for key in mine:
                self._delete(key)
            return len(mine)

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""
        with self._lock:
            return self._delete((owner, session_id))

    def _delete(self, key: Key) -> bool:
        self._messages.pop(key, None)
        for run in list(self._runs.values()):
            if (run.owner, run.session_id) == key:
                del self._runs[run.id]
                del self._entries[run.id]
        return self._sessions.pop(key, None) is not None

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""
        with self._lock:
            found = self._sessions.get((owner, session_id))
            if found is None:
                return []
            return branch(self._messages.get((owner, session_id), {}), found.leaf_id)

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages of the session by id, in the order they came."""
        with self._lock:
            return dict(self._messages.get((owner, session_id), {}))

    def next_number(self, owner: str) -> int:
        """Return 1, 2, ...: a number that the owner never had."""
        with self._lock:
            self._numbers[owner] += 1
            return self._numbers[owner]

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""
        with self._lock:
            return len(self._sessions)

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        """Return what the owner used on that day and later: a day, provider and model each."""
        with self._lock:
            return self._used.since(owner, since_day)

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what the session's runs that have ended used, each by itself."""
        with self._lock:
            key = (owner, session_id)
            runs = [run for run in self._runs.values() if (run.owner, run.session_id) == key]
        return [used_by(run) for run in runs if run.usage is not None]
