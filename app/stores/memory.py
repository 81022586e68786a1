"""The store that forgets: everything in dicts under one lock. For trying out, for tests, for
`open_chat`."""

from __future__ import annotations

from dataclasses import replace

from app.chats.messages import branch
from app.runs.errors import NotFound, SessionBusy
from app.runs.interfaces import Batch, WorkerLost
from app.runs.prices import CostOf, no_cost
from app.runs.records import KEY_TTL_S, Message, RunEnd, RunRecord, Turn, text_parts
from app.runs.run_log import Entry
from app.stores.memory_sessions import MemorySessions
from app.stores.rules import (
    branch_for_model,
    chain,
    check_key,
    folded,
    interrupted_end,
    with_prompt,
)

Key = tuple[str, str]


class MemoryStore(MemorySessions):
    """RunStore and SessionStore in memory; thread-safe."""

    name = "memory"

    def begin_turn_now(self, turn: Turn) -> list[Message] | None:
        """Store a turn, as `begin_turn` does: memory waits for nobody."""
        return self.begin_turn(turn)

    def begin_turn(self, turn: Turn) -> list[Message]:
        """Store a turn, return the branch the model is to answer.

        Raises SessionBusy, AlreadyStarted, IdempotencyConflict, InvalidRequest, NotFound,
        WorkerLost.
        """
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
            if turn.must_exist and key not in self._sessions:
                raise NotFound()
            stored = self._sessions.get(key, turn.session)
            if stored.active_run_id is not None:
                raise SessionBusy(run_id=stored.active_run_id)
            linked = chain(turn, stored.leaf_id)
            messages = self._messages.setdefault(key, {})
            messages.update({message.id: message for message in linked})
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
        """Return the run that the owner's idempotency key has started since then, or None."""
        with self._lock:
            return self._find_key(owner, key, since)

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
                if self._is_going(run_id, worker_id):
                    self._entries[run_id] += entries
            for record, end, reply, at in batch.ends:
                if self._is_going(record.id, worker_id):
                    self._end_run(record, end, reply, at)

    def _is_going(self, run_id: str, worker_id: str) -> bool:
        # Not if its session was deleted meanwhile, or another worker has ended it.
        run = self._runs.get(run_id)
        return run is not None and run.worker_id == worker_id and run.ended_at is None

    def _end_run(self, record: RunRecord, end: RunEnd, reply: str, at: float) -> None:
        stored = self._runs[record.id]
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
            provider=end.provider or stored.provider,
            model=end.model or stored.model,
            attempts=list(end.attempts) or None,
            cost=end.cost,
        )
        self._used.add(self._runs[record.id], at)
        message = self._messages[key][stored.message_id]
        self._messages[key][message.id] = replace(
            message, content=text_parts(reply), status=end.status, usage=end.usage
        )
        self._sessions[key] = replace(self._sessions[key], active_run_id=None, updated_at=at)

    def other_workers(self, worker_id: str) -> list[str]:
        """There is only one process."""
        return []

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf = no_cost
    ) -> list[str]:
        """Refuse that worker's appends and end its runs as interrupted; return the runs' ids."""
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
                end, text = interrupted_end(run, asked, entries, error, cost_of)
                entries.append(Entry(len(entries) + 1, "end", end.to_json(), now))
                self._end_run(run, end, self._messages[key][run.message_id].text + text, now)
            return [run.id for run in taken]

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        """Return the record, or None."""
        with self._lock:
            found = self._runs.get(run_id)
            return found if found is not None and found.owner == owner else None

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return the stored entries of a run beyond `after`, in order."""
        with self._lock:
            return [entry for entry in self._entries.get(run_id, ()) if entry.seq > after]

    def fold(self, ended_before: float, limit: int) -> int:
        """Fold the entries of runs that ended before then into one piece each; return how many."""
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
        """Delete sessions not used since then, listed ones too unless None; return how many."""
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

    def compact(self, now: float) -> None:
        """Entries are where they stay."""

    def checkpoint(self) -> None:
        """Nothing to tidy up."""

    def close(self) -> None:
        """Nothing to let go."""
