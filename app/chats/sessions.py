"""The conversations of each owner: create, list, change, delete; replies in them: start, join,
continue; and who listens for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from app.chats.key_locks import KeyLocks
from app.chats.numbers import numbered_session
from app.chats.placing import AT_LEAF, parent_of
from app.chats.ports import Searches
from app.chats.references import resolved
from app.chats.request import ChatRequest, check_session_id, check_texts
from app.chats.session_map import SessionMap
from app.core.broker import Broker, Listener, News
from app.core.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    SessionGone,
    StorageUnavailable,
)
from app.core.messages import Content, Message, newest_leaf
from app.core.runs import KEY_TTL_S, AlreadyStarted, RunRecord, new_id
from app.core.sessions import ChatSession, Page
from app.core.store import Store
from app.core.tools import Reply, asked_in
from app.core.usage import UsedTokens
from app.runs.ports import Calls, Clock, Waiter
from app.runs.registry import FoundRun
from app.runs.run import Run
from app.runs.service import RunService
from app.usage.daily import DAY_S, day_of
from app.usage.limits import DailyLimits

MAX_TITLE_BYTES = 1000
MAX_SYSTEM_BYTES = 128_000
Messages = list[Message]


Admit = Callable[[bool], None]
CUT = {"stopped", "failed", "interrupted"}
TOLD_OF = 200  # sessions: who listens to all is told at once of replies under way in the newest
NO_SESSION = "is not there; leave it out to begin a new one"


class Started(NamedTuple):
    """A run to follow, and whether it was there before."""

    found: FoundRun
    joined: bool


def _gone(request: ChatRequest) -> NotFound:
    """Return the error of a session that is not there, which names the client's own field if it has
    one for sessions."""
    if "session_id" in request.names:
        return NotFound(fields={request.names["session_id"]: NO_SESSION})
    return SessionGone()


class SessionService:
    """The conversations of each owner. Raises NotFound alike for absent and foreign ones."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        session_map: SessionMap,
        runs: RunService,
        broker: Broker,
        clock: Clock,
        daily: DailyLimits,
        searches: Searches,
    ) -> None:
        self._store = store
        self._calls = calls
        self._map = session_map
        self._runs = runs
        self._broker = broker
        self._keys = KeyLocks()
        self._clock = clock
        self._daily = daily
        self._searches = searches

    def usage(self, owner: str, days: int) -> list[UsedTokens]:
        """Return what the owner used on each of the last days: a day, provider and model each."""
        since = day_of(self._clock.wall() - (days - 1) * DAY_S)
        found: list[UsedTokens] = self._calls(self._store.used_by_day, owner, since)
        return found

    def usage_of_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what each run of the session used. Raises NotFound."""
        self.get(owner, session_id)
        found: list[UsedTokens] = self._calls(self._store.used_in_session, owner, session_id)
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
        stored: ChatSession = self._calls(self._store.create_session, wanted)
        return stored

    def get(self, owner: str, session_id: str) -> ChatSession:
        """Return the record."""
        found: ChatSession | None = self._calls(self._store.find_session, owner, session_id)
        if found is None:
            raise NotFound()
        return found

    def list(
        self, owner: str, page: Page = Page(), is_gone: Callable[[], bool] = lambda: False
    ) -> list[ChatSession]:
        """Return a page of the owner's sessions, newest first. A search is given up once `is_gone`;
        raises OverCapacity where too many wait."""
        if page.query:
            return self._searches(owner, page, is_gone)
        found: list[ChatSession] = self._calls(self._store.list_sessions, owner, page)
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
            self._calls(self._store.update_session, owner, session_id, values)
        return self.get(owner, session_id)

    def tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages by id, in the order they came."""
        self.get(owner, session_id)
        found: dict[str, Message] = self._calls(self._store.read_tree, owner, session_id)
        return found

    def choose_branch(self, owner: str, session_id: str, message_id: str) -> None:
        """Use the branch that the message is on, to its newest leaf, and tell who listens. Raises
        NotFound, InvalidRequest, and SessionBusy while a run is under way."""
        leaf_id = newest_leaf(self.tree(owner, session_id), message_id)
        if leaf_id is None:
            raise InvalidRequest({"message_id": "must be a message of this session"})
        self._calls(self._store.use_leaf, owner, session_id, leaf_id)
        news = News("branch_changed", {"session_id": session_id, "leaf_id": leaf_id})
        self._broker.publish_news(owner, session_id, news)

    def delete_all(self, owner: str) -> int:
        """Stop all that the owner has under way, then delete all of the owner's sessions; return
        how many."""
        self._runs.stop_all(owner)
        deleted: int = self._calls(self._store.delete_all, owner)
        self._runs.stop_all(owner)
        self._runs.forget(owner)
        self._map.forget(owner)
        self._broker.publish_news(owner, None, News("session_deleted", {"session_id": None}))
        return deleted

    def messages(self, owner: str, session_id: str) -> Messages:
        """Return the branch in use, oldest first."""
        self.get(owner, session_id)
        found: Messages = self._calls(self._store.read_branch, owner, session_id)
        return found

    def delete(self, owner: str, session_id: str) -> None:
        """Stop what runs in the session, then delete it with all that belongs to it."""
        self.get(owner, session_id)
        self._runs.stop_all(owner, session_id)
        self._calls(self._store.delete_session, owner, session_id)
        self._runs.stop_all(owner, session_id)  # what started in between has lost its session
        self._runs.forget(owner, session_id)
        self._map.forget(owner, session_id)
        news = News("session_deleted", {"session_id": session_id})
        self._broker.publish_news(owner, session_id, news)

    def hear(self, owner: str, session_id: str | None, news: News) -> None:
        """Take news of another process: what it has deleted is known here no longer."""
        if news.name == "session_deleted":
            self._runs.forget(owner, session_id)
            self._map.forget(owner, session_id)

    def counts(self) -> dict[str, int | None]:
        """Return how many sessions are in memory and stored (None while the store fails)."""
        stored: int | None
        try:
            stored = self._calls(self._store.count_sessions)
        except StorageUnavailable:
            stored = None
        return {"in_memory": self.in_memory(), "stored": stored}

    def in_memory(self) -> int:
        """Return how many sessions are in memory."""
        return len(self._map)

    def start(self, owner: str, request: ChatRequest, admit: Admit = lambda joins: None) -> Started:
        """Start the run that answers the request, or join the one its idempotency key started.

        `admit` is asked first, with whether the request joins, and may refuse by raising. A start
        that is refused leaves no session behind. Raises what ChatInterface.start raises.
        """
        field = request.field_name("history")
        request = resolved(request, lambda run_id: self._reply_of(owner, run_id, field))
        key = request.idempotency_key
        if key is None:
            admit(False)
            return Started(FoundRun.of(self._start(owner, request)), False)
        with self._keys.holding((owner, key)):
            since = self._clock.wall() - KEY_TTL_S
            known = self._calls(self._store.find_key, owner, key, since)
            admit(known is not None)
            if known is not None:
                return self._join(owner, known, request)
            try:
                return Started(FoundRun.of(self._start(owner, request)), False)
            except AlreadyStarted as started:  # by another process, just now
                return Started(self._runs.find(owner, started.run_id), True)

    def _join(self, owner: str, known: RunRecord, request: ChatRequest) -> Started:
        if known.request_hash != request.fingerprint():
            raise IdempotencyConflict(run_id=known.id)
        return Started(self._runs.find(owner, known.id), True)

    def _start(self, owner: str, request: ChatRequest) -> Run:
        self._check_day(owner)
        before = self._run_before(owner, request)
        named = before.session_id if before is not None else request.session_id
        session_id = named or self._new_session_id(owner, request)
        is_new = not self._map.holds(owner, session_id)
        try:
            if before is not None:
                parent_id: str | None = before.message_id
            else:
                parent_id = self._parent_id(owner, session_id, request)
            run = self._map.open(owner, session_id).start(request, parent_id)
        except BaseException as error:
            if is_new:
                self._map.forget(owner, session_id)
            if isinstance(error, NotFound):
                raise _gone(request) from None
            raise
        self._map.note_branch(owner, session_id)
        self._tell_started(run)
        return run

    def _check_day(self, owner: str) -> None:
        def used_since(owner: str, day: str) -> list[UsedTokens]:
            found: list[UsedTokens] = self._calls(self._store.used_by_day, owner, day)
            return found

        self._daily.check(owner, self._clock.wall(), used_since)

    def _new_session_id(self, owner: str, request: ChatRequest) -> str:
        if not request.numbered:
            return new_id()
        while True:
            number: int = self._calls(self._store.next_number, owner)
            session_id = numbered_session(number)
            # Clients that name their sessions themselves may have taken the name of a new one.
            if self._calls(self._store.find_session, owner, session_id) is None:
                return session_id

    def _reply_of(self, owner: str, run_id: str, field: str) -> Content:
        try:
            record = self._runs.find(owner, run_id).record
            return self.tree(owner, record.session_id)[record.message_id].content
        except (NotFound, KeyError):
            raise InvalidRequest({field: "refers to a reply that is not there"}) from None

    def _run_before(self, owner: str, request: ChatRequest) -> RunRecord | None:
        """Return the run whose reply is answered, if the request names one."""
        if request.place.kind != "after_run":
            return None
        try:
            return self._runs.find(owner, request.place.target or "").record
        except NotFound:
            name = request.field_name("run_id")
            raise InvalidRequest({name: "there is no reply by that id"}) from None

    def _parent_id(self, owner: str, session_id: str, request: ChatRequest) -> str | None:
        if request.place == AT_LEAF:
            return None
        if request.place.kind == "under":
            return request.place.target  # looked up by the start itself
        found = self._calls(self._store.find_session, owner, session_id)
        if found is None:
            if request.place.kind == "after":
                return None  # the client has more of it than we do
            raise NotFound()
        tree = self._calls(self._store.read_tree, owner, session_id)
        return parent_of(request.place, tree, found.leaf_id)

    def continue_run(self, owner: str, run_id: str, request: ChatRequest) -> FoundRun:
        """Carry on the kept text of a run that did not complete. Raises NotFound,
        InvalidRequest."""
        found = self._runs.find(owner, run_id)
        record = found.record
        # The reply may have been completed since, by a run that carried this one on.
        said = {one.id: one.status for one in self.messages(owner, record.session_id)}
        if found.status not in CUT or said.get(record.message_id) == "completed":
            raise InvalidRequest({"run_id": "only a reply that did not complete can be continued"})
        self._check_day(owner)
        run = self._map.open(owner, record.session_id).continue_run(record, request)
        self._map.note_branch(owner, record.session_id)
        self._tell_started(run)
        return FoundRun.of(run)

    def run_of(self, owner: str, session_id: str, message_id: str) -> str:
        """Return the run that the reply is of. Raises NotFound."""
        reply = self.tree(owner, session_id).get(message_id)
        if reply is None or reply.run_id is None:
            raise NotFound()
        return reply.run_id

    def answer(
        self, owner: str, run_id: str, replies: Sequence[Reply], caller: str = ""
    ) -> FoundRun:
        """Take answers to what a run waits for, each once; with the last one it goes on. Whoever
        answers second changes nothing. Raises NotFound, for what was never asked too."""
        found = self._runs.find(owner, run_id)
        asked = asked_in(found.log.everything())
        for reply in replies:
            if (reply.kind, reply.key) not in asked:
                raise NotFound()
        chat = self._map.open(owner, found.record.session_id)
        after = self._runs.answer(owner, run_id, replies, chat.go_on, caller)
        if after.live is not None and found.live is None:
            self._tell_started(after.live)
        return after

    def _tell_started(self, run: Run) -> None:
        record = run.record
        data = {"run_id": record.id, "session_id": record.session_id, "seq": run.log.last_seq}
        self._broker.publish_news(record.owner, record.session_id, News("run_started", data))

    def listen(self, owner: str, session_id: str) -> Listener:
        """Return a listener to the session, which is told of the run under way at once.

        Raises NotFound. The caller must `leave` with it.
        """
        listener = self._broker.listen(owner, session_id)
        try:
            active = self.get(owner, session_id).active_run_id
            if active is not None:
                seq = self._runs.find(owner, active).log.last_seq
                data = {"run_id": active, "session_id": session_id, "seq": seq}
                listener.tell(News("run_started", data))
        except BaseException:
            self._broker.leave(owner, session_id, listener)
            raise
        return listener

    def listen_to_all(self, owner: str, waiter: Waiter) -> Listener:
        """Return a listener to all of the owner's sessions, which is told at once of what is under
        way in the newest of them. The caller must `leave` with it."""
        listener = self._broker.listen(owner, None, waiter)
        try:
            for found in self.list(owner, Page(limit=TOLD_OF)):
                if found.active_run_id is not None:
                    self._tell_active(listener, owner, found.id, found.active_run_id)
        except BaseException:
            self._broker.leave(owner, None, listener)
            raise
        return listener

    def _tell_active(self, listener: Listener, owner: str, session_id: str, run_id: str) -> None:
        try:
            seq = self._runs.find(owner, run_id).log.last_seq
        except NotFound:
            return  # deleted since the list was read
        data = {"run_id": run_id, "session_id": session_id, "seq": seq}
        listener.tell(News("run_started", data))

    def leave(self, owner: str, session_id: str | None, listener: Listener) -> None:
        """Listen no longer."""
        self._broker.leave(owner, session_id, listener)
