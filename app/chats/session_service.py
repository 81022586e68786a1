"""Replies in an owner's sessions: start, join, continue; and who listens for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from app.chats.chat_request import AT_LEAF, ChatRequest
from app.chats.numbers import numbered_session
from app.chats.placing import parent_of
from app.chats.session_feed import Listener, News
from app.chats.session_records import SessionRecords
from app.runs.daily_usage import UsedTokens
from app.runs.errors import IdempotencyConflict, InvalidRequest, NotFound
from app.runs.records import KEY_TTL_S, AlreadyStarted, RunRecord, new_id
from app.runs.run import Run
from app.runs.run_service import FoundRun

Admit = Callable[[bool], None]
CUT = {"stopped", "failed", "interrupted"}


class Started(NamedTuple):
    """A run to follow, and whether it was there before."""

    found: FoundRun
    joined: bool


class SessionService(SessionRecords):
    """The conversations of each owner. Raises NotFound alike for absent and foreign ones."""

    def start(self, owner: str, request: ChatRequest, admit: Admit = lambda joins: None) -> Started:
        """Start the run that answers the request, or join the one its idempotency key started.

        `admit` is asked first, with whether the request joins, and may refuse by raising. A start
        that is refused leaves no session behind. Raises what ChatInterface.start raises.
        """
        key = request.idempotency_key
        if key is None:
            admit(False)
            return Started(FoundRun.of(self._start(owner, request)), False)
        with self._keys.holding((owner, key)):
            since = self._clock.wall() - KEY_TTL_S
            known = self._runs.calls(self._store.find_key, owner, key, since)
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
        session_id = request.session_id or self._new_session_id(owner, request)
        parent_id = self._parent_id(owner, session_id, request)
        is_new = not self._map.holds(owner, session_id)
        try:
            run = self._map.open(owner, session_id).start(request, parent_id)
        except BaseException:
            if is_new:
                self._map.forget(owner, session_id)
            raise
        self._tell_started(run)
        return run

    def _check_day(self, owner: str) -> None:
        def used_since(owner: str, day: str) -> list[UsedTokens]:
            found: list[UsedTokens] = self._runs.calls(self._store.used_by_day, owner, day)
            return found

        self._daily.check(owner, self._clock.wall(), used_since)

    def _new_session_id(self, owner: str, request: ChatRequest) -> str:
        if not request.numbered:
            return new_id()
        while True:
            number: int = self._runs.calls(self._store.next_number, owner)
            session_id = numbered_session(number)
            # Clients that name their sessions themselves may have taken the name of a new one.
            if self._runs.calls(self._store.find_session, owner, session_id) is None:
                return session_id

    def _parent_id(self, owner: str, session_id: str, request: ChatRequest) -> str | None:
        if request.place == AT_LEAF:
            return None
        found = self._runs.calls(self._store.find_session, owner, session_id)
        if found is None:
            if request.place.kind == "after":
                return None  # the client has more of it than we do
            raise NotFound()
        tree = self._runs.calls(self._store.read_tree, owner, session_id)
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
        self._tell_started(run)
        return FoundRun.of(run)

    def _tell_started(self, run: Run) -> None:
        record = run.record
        data = {"run_id": record.id, "session_id": record.session_id, "seq": 0}
        self.feed.tell(record.owner, record.session_id, News("run_started", data))

    def tell_ended(self, run: Run) -> None:
        """Tell the session's listeners that a run has ended."""
        record = run.record
        data = {
            "run_id": record.id,
            "session_id": record.session_id,
            "seq": run.log.last_seq,
            "status": record.status,
        }
        self.feed.tell(record.owner, record.session_id, News("run_ended", data))

    def listen(self, owner: str, session_id: str) -> Listener:
        """Return a listener to the session, which is told of the run under way at once.

        Raises NotFound. The caller must `feed.leave` with it.
        """
        listener = self.feed.listen(owner, session_id)
        try:
            active = self.get(owner, session_id).active_run_id
            if active is not None:
                seq = self._runs.find(owner, active).log.last_seq
                data = {"run_id": active, "session_id": session_id, "seq": seq}
                listener.tell(News("run_started", data))
        except BaseException:
            self.feed.leave(owner, session_id, listener)
            raise
        return listener
