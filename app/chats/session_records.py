"""Sessions of an owner as they are stored: create, list, read, change, delete; what they used."""

from __future__ import annotations

from app.chats.chat_request import check_session_id, check_texts
from app.chats.daily_limits import DailyLimits
from app.chats.interfaces import Page, SessionStore
from app.chats.key_locks import KeyLocks
from app.chats.messages import newest_leaf
from app.chats.session_feed import SessionFeed
from app.chats.session_map import SessionMap
from app.runs.daily_usage import DAY_S, UsedTokens, day_of
from app.runs.errors import InvalidRequest, NotFound, StorageUnavailable
from app.runs.interfaces import Clock
from app.runs.records import ChatSession, Message, new_id
from app.runs.run_service import RunService

MAX_TITLE_BYTES = 1000
MAX_SYSTEM_BYTES = 128_000
Messages = list[Message]


class SessionRecords:
    """The stored conversations of each owner. Raises NotFound alike for absent and foreign ones."""

    def __init__(
        self,
        store: SessionStore,
        session_map: SessionMap,
        runs: RunService,
        feed: SessionFeed,
        clock: Clock,
        daily: DailyLimits = DailyLimits(),
    ) -> None:
        self._store = store
        self._map = session_map
        self._runs = runs
        self.feed = feed
        self._keys = KeyLocks()
        self._clock = clock
        self._daily = daily

    def usage(self, owner: str, days: int) -> list[UsedTokens]:
        """Return what the owner used on each of the last days: a day, provider and model each."""
        since = day_of(self._clock.wall() - (days - 1) * DAY_S)
        found: list[UsedTokens] = self._runs.calls(self._store.used_by_day, owner, since)
        return found

    def usage_of_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what each run of the session used. Raises NotFound."""
        self.get(owner, session_id)
        found: list[UsedTokens] = self._runs.calls(self._store.used_in_session, owner, session_id)
        return found

    def create(
        self,
        owner: str,
        session_id: str | None = None,
        title: str | None = None,
        system: str | None = None,
    ) -> ChatSession:
        """Store a session (once; an existing one is returned) and return it. Raises
        InvalidRequest."""
        now = self._clock.wall()
        check_texts({"title": title}, MAX_TITLE_BYTES)
        check_texts({"system": system}, MAX_SYSTEM_BYTES)
        wanted = ChatSession(
            owner,
            new_id() if session_id is None else check_session_id(session_id),
            now,
            now,
            title or "",
            system=system or None,
        )
        stored: ChatSession = self._runs.calls(self._store.create_session, wanted)
        return stored

    def get(self, owner: str, session_id: str) -> ChatSession:
        """Return the record."""
        found: ChatSession | None = self._runs.calls(self._store.find_session, owner, session_id)
        if found is None:
            raise NotFound()
        return found

    def list(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        """Return a page of the owner's sessions, newest first."""
        found: list[ChatSession] = self._runs.calls(self._store.list_sessions, owner, page)
        return found

    def update(
        self, owner: str, session_id: str, title: str | None = None, system: str | None = None
    ) -> ChatSession:
        """Set the title or the system prompt (empty: none); return the record. Raises NotFound,
        InvalidRequest."""
        check_texts({"title": title}, MAX_TITLE_BYTES)
        check_texts({"system": system}, MAX_SYSTEM_BYTES)
        values: dict[str, str | None] = {}
        if title is not None:
            values["title"] = title
        if system is not None:
            values["system"] = system or None
        if values:
            self._runs.calls(self._store.update_session, owner, session_id, values)
        return self.get(owner, session_id)

    def tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages by id, in the order they came."""
        self.get(owner, session_id)
        found: dict[str, Message] = self._runs.calls(self._store.read_tree, owner, session_id)
        return found

    def choose_branch(self, owner: str, session_id: str, message_id: str) -> None:
        """Use the branch that the message is on, to its newest leaf. Raises NotFound,
        InvalidRequest."""
        leaf_id = newest_leaf(self.tree(owner, session_id), message_id)
        if leaf_id is None:
            raise InvalidRequest({"message_id": "must be a message of this session"})
        self._runs.calls(self._store.update_session, owner, session_id, {"leaf_id": leaf_id})

    def delete_all(self, owner: str) -> int:
        """Stop all that the owner has under way, then delete all of the owner's sessions; return
        how many."""
        self._stop_runs(owner)
        deleted: int = self._runs.calls(self._store.delete_all, owner)
        self._stop_runs(owner)
        self._runs.live.forget_owner(owner)
        self._map.forget_owner(owner)
        return deleted

    def messages(self, owner: str, session_id: str) -> Messages:
        """Return the branch in use, oldest first."""
        self.get(owner, session_id)
        found: Messages = self._runs.calls(self._store.read_branch, owner, session_id)
        return found

    def delete(self, owner: str, session_id: str) -> None:
        """Stop what runs in the session, then delete it with all that belongs to it."""
        self.get(owner, session_id)
        self._stop_runs(owner, session_id)
        self._runs.calls(self._store.delete_session, owner, session_id)
        self._stop_runs(owner, session_id)  # what started in between has lost its session
        self._runs.live.forget_session(owner, session_id)
        self._map.forget(owner, session_id)

    def _stop_runs(self, owner: str, session_id: str | None = None) -> None:
        for run in self._runs.live.going():
            record = run.record
            if record.owner == owner and session_id in {None, record.session_id}:
                self._runs.stop(owner, record.id)

    def counts(self) -> dict[str, int | None]:
        """Return how many sessions are in memory and stored (None while the store fails)."""
        stored: int | None
        try:
            stored = self._runs.calls(self._store.count_sessions)
        except StorageUnavailable:
            stored = None
        return {"in_memory": len(self._map), "stored": stored}
