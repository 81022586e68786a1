"""Runs under any order of what callers, viewers and upstream do, against a model of a few lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.chats.request import ChatRequest
from app.chats.sessions import Started
from app.core.entries import Entry
from app.core.errors import BadCursor, NotFound, SessionBusy
from app.core.messages import text_of, text_parts
from app.core.run_errors import UpstreamTimeout
from app.providers.catalog import ProviderCatalog
from app.runs.log import LogReader
from app.runs.ports import Piece
from app.runs.registry import KEEP_ENDED_S
from app.runs.run import Run
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.scripted import STOP
from tests.support.stepped import HandProvider, SteppedRuntime, SteppedTask, text

ANY = st.integers(0, 1000)  # which of those there are; taken modulo their number
SESSIONS = st.sampled_from(["s-1", "s-2"])
KEYS = st.sampled_from([None, "key-1", "key-2"])
PIECES = st.lists(st.sampled_from(["a", "é", "\u2028", "two words "]), min_size=1, max_size=3)


@dataclass
class Reply:
    """What the model knows of a run."""

    request: ChatRequest
    run: Run
    pieces: list[str] = field(default_factory=list)
    status: str | None = None  # once its end is decided
    committed: bool = False  # and surely stored
    deleted: bool = False

    @property
    def task(self) -> SteppedTask:
        assert isinstance(self.run.task, SteppedTask)
        return self.run.task

    @property
    def speaks(self) -> bool:
        return self.status is None and self.task.started


@dataclass
class Viewer:
    """One who follows a reply: where it came in, and all it saw since, over all its connections."""

    reply: Reply
    start: int
    reader: LogReader
    seen: list[Entry] = field(default_factory=list)

    def read(self) -> None:
        while self.reader._log.last_seq > self.reader.after:
            self.seen += self.reader.read()


class Tandem(RuleBasedStateMachine):
    """Callers of one owner, their viewers, and upstream; nothing happens unless a rule does it."""

    @initialize()
    def begin(self) -> None:
        clock = HandClock()
        self.clock = clock
        self.runtime = SteppedRuntime(clock)
        self.provider = HandProvider(self.runtime)
        self.store = MemoryStore()
        catalog = ProviderCatalog({}, {}, self.provider, "")
        self.sessions = make_sessions(self.store, self.runtime, clock.clock, catalog)
        self.runs = self.sessions._runs
        self.replies: list[Reply] = []
        self.viewers: list[Viewer] = []

    def of(self, session_id: str) -> list[Reply]:
        return [r for r in self.replies if r.request.session_id == session_id and not r.deleted]

    def settle(self) -> None:
        """Run all that is due: what was decided is stored now."""
        self.runtime.run()
        for reply in self.replies:
            reply.committed = reply.status is not None

    # --- callers ---------------------------------------------------------------------------------

    @rule(session_id=SESSIONS, key=KEYS, begins=st.booleans())
    def start(self, session_id: str, key: str | None, begins: bool) -> None:
        if any(r.request.idempotency_key == key for r in self.replies if key and not r.deleted):
            key = None  # that would be a join
        message = f"message {len(self.replies)}"
        self.provider.hands[message] = deque()
        request = ChatRequest(text_parts(message), session_id=session_id, idempotency_key=key)
        try:
            started = self.sessions.start("ann", request)
        except SessionBusy:
            assert not all(reply.committed for reply in self.of(session_id))
        else:
            assert all(reply.status for reply in self.of(session_id))
            self.add(request, started)
        if begins:
            self.settle()

    def add(self, request: ChatRequest, started: Started) -> None:
        assert started.found.live is not None and not started.joined
        reply = Reply(request, started.found.live)
        self.replies.append(reply)
        self.viewers.append(Viewer(reply, 0, self.runs.follow(started.found)))

    @precondition(lambda self: any(r.request.idempotency_key for r in self.replies))
    @rule(which=ANY)
    def join_by_key(self, which: int) -> None:
        keyed = [r for r in self.replies if r.request.idempotency_key and not r.deleted]
        if not keyed:
            return
        reply = keyed[which % len(keyed)]
        started = self.sessions.start("ann", reply.request)

        assert (started.joined, started.found.record.id) == (True, reply.run.record.id)
        self.viewers.append(Viewer(reply, 0, self.runs.follow(started.found)))

    @precondition(lambda self: self.replies)
    @rule(which=ANY, place=ANY)
    def join_by_cursor(self, which: int, place: int) -> None:
        reply = self.replies[which % len(self.replies)]
        if reply.deleted:
            with pytest.raises(NotFound):
                self.runs.find("ann", reply.run.record.id)
            return
        found = self.runs.find("ann", reply.run.record.id)
        after = place % (found.log.last_seq + 1)
        self.viewers.append(Viewer(reply, after, self.runs.follow(found, after)))
        with pytest.raises(BadCursor):
            self.runs.follow(found, found.log.last_seq + 1)

    @precondition(lambda self: self.replies)
    @rule(which=ANY)
    def stop(self, which: int) -> None:
        reply = self.replies[which % len(self.replies)]
        if reply.deleted:
            return
        receipt = self.runs.stop("ann", reply.run.record.id)
        reply.status = reply.status or "stopped"
        self.settle()

        assert receipt.status == reply.status
        assert receipt.seq == len(reply.pieces) + 1
        assert reply.task.done or not reply.task.started

    @precondition(lambda self: len([r for r in self.replies if not r.deleted]) > 2)
    @rule(session_id=SESSIONS)
    def delete_session(self, session_id: str) -> None:
        if self.store.find_session("ann", session_id) is None:
            with pytest.raises(NotFound):
                self.sessions.delete("ann", session_id)
            return
        self.sessions.delete("ann", session_id)
        for reply in self.of(session_id):
            reply.status = reply.status or "stopped"
            reply.deleted = True
            assert reply.task.done or not reply.task.started
        self.settle()

    # --- upstream --------------------------------------------------------------------------------

    def hand_in(self, which: int, *steps: Sequence[Piece] | Exception) -> Reply:
        speaking = [reply for reply in self.replies if reply.speaks]
        reply = speaking[which % len(speaking)]
        self.provider.hands[text_of(reply.request.content)].extend(steps)
        reply.task.resume()
        return reply

    @precondition(lambda self: any(reply.speaks for reply in self.replies))
    @rule(which=ANY, pieces=PIECES, turns=st.booleans())
    def upstream_piece(self, which: int, pieces: list[str], turns: bool) -> None:
        self.hand_in(which, text(*pieces)).pieces += pieces
        if turns:
            self.settle()

    @precondition(lambda self: any(reply.speaks for reply in self.replies))
    @rule(which=ANY)
    def upstream_end(self, which: int) -> None:
        self.hand_in(which, [STOP]).status = "completed"

    @precondition(lambda self: any(reply.speaks for reply in self.replies))
    @rule(which=ANY, pieces=PIECES)
    def upstream_failure(self, which: int, pieces: list[str]) -> None:
        reply = self.hand_in(which, text(*pieces), UpstreamTimeout())
        reply.pieces += pieces
        reply.status = "failed"

    # --- viewers and time ------------------------------------------------------------------------

    @precondition(lambda self: self.viewers)
    @rule(which=ANY)
    def leave(self, which: int) -> None:
        self.viewers.pop(which % len(self.viewers))

    @precondition(lambda self: self.viewers)
    @rule(which=ANY)
    def resume(self, which: int) -> None:
        viewer = self.viewers[which % len(self.viewers)]
        if not viewer.reply.deleted:
            found = self.runs.find("ann", viewer.reply.run.record.id)
            viewer.reader = self.runs.follow(found, viewer.reader.after)

    @rule()
    def turn(self) -> None:
        self.settle()

    @rule()
    def ended_runs_are_forgotten(self) -> None:
        self.clock.advance(min(KEEP_ENDED_S, 5))
        self.clock.monotonic += KEEP_ENDED_S
        self.runs._registry.forget_old()

    # --- what always holds -----------------------------------------------------------------------

    @invariant()
    def viewers_see_the_reply_and_one_end(self) -> None:
        for viewer in getattr(self, "viewers", ()):
            viewer.read()
            said, reply = viewer.seen, viewer.reply
            assert [e.seq for e in said] == list(range(viewer.start + 1, viewer.reader.after + 1))
            texts = [entry.data for entry in said if entry.kind == "text"]
            assert texts == reply.pieces[viewer.start :][: len(texts)]
            assert [entry.kind for entry in said[len(texts) :]] in ([], ["end"])
            if said[len(texts) :]:
                assert said[-1].seq == len(reply.pieces) + 1
                assert said[-1].data["status"] == reply.status

    @invariant()
    def what_was_seen_is_stored(self) -> None:
        for viewer in getattr(self, "viewers", ()):
            if not viewer.reply.deleted:
                stored = self.store.read_entries(viewer.reply.run.record.id, viewer.start)
                assert stored[: len(viewer.seen)] == viewer.seen

    @invariant()
    def a_session_has_one_active_run(self) -> None:
        for session_id in ("s-1", "s-2") if hasattr(self, "runs") else ():
            found = self.store.find_session("ann", session_id)
            open_ = [r.run.record.id for r in self.of(session_id) if r.status is None]
            unsure = [r.run.record.id for r in self.of(session_id) if r.status and not r.committed]
            active = found.active_run_id if found else None
            assert len(open_) <= 1
            assert [active] == open_ if open_ else active in [None, *unsure]

    @invariant()
    def upstream_is_asked_once_a_run(self) -> None:
        asked = self.provider.asked if hasattr(self, "provider") else []
        assert len(set(asked)) == len(asked)

    def teardown(self) -> None:
        if hasattr(self, "runs"):
            for run in self.runs._registry.going():
                self.runs.stop("ann", run.record.id)
            self.settle()
            self.viewers_see_the_reply_and_one_end_at_last()

    def viewers_see_the_reply_and_one_end_at_last(self) -> None:
        for viewer in self.viewers:
            viewer.read()
            assert viewer.reader.done
            assert len(viewer.reply.pieces) + 1 == viewer.reader.after


TestTandem = Tandem.TestCase
TestTandem.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True
)
