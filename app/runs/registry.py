"""The runs of this process: those going, and for a while those that have ended.

One that has ended stays for `KEEP_ENDED_S`, for the viewers that come right back; after that it is
read from the store, and looks the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from app.core.errors import ALL_TAKEN, OverCapacity, ShuttingDown
from app.core.runs import WAITS, RunRecord
from app.runs.log import RunLog
from app.runs.ports import Lock
from app.runs.run import Run

KEEP_ENDED_S = 30.0  # a reconnect comes within seconds; a reload within half a minute


def age_s(record: RunRecord, now: float) -> float:
    """Return how long before `now` the run started, in seconds."""
    return round(max(0.0, now - record.created_at), 1)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run to look at: its record and log; `live` is None for one that is not of this process."""

    record: RunRecord
    log: RunLog
    live: Run | None = None
    watching: Callable[[], AbstractContextManager[None]] = nullcontext  # of another process's

    @classmethod
    def of(cls, run: Run) -> FoundRun:
        """Return a live run as found."""
        return cls(run.record, run.log, run)

    @property
    def status(self) -> str:
        """The status as far as the log has come."""
        end = self.log.end
        if end is None:
            return WAITS if self.log.pause is not None else self.record.status
        return str(end.data["status"])

    @property
    def pending(self) -> Sequence[Mapping[str, Any]]:
        """What it waits for, as the log says: for a moment its record does not yet."""
        pause = self.log.pause
        return pause.data["requires_action"] if pause is not None else ()

    def watched(self) -> AbstractContextManager[None]:
        """Return a block during which the run has one viewer more."""
        return self.live.watched() if self.live is not None else self.watching()


class RunRegistry:
    """A bounded register; thread-safe."""

    def __init__(
        self, max_runs: int, max_runs_per_user: int, monotonic: Callable[[], float]
    ) -> None:
        self._max_runs = max_runs
        self._max_runs_per_user = max_runs_per_user
        self._monotonic = monotonic
        self._lock = Lock()
        self._going: dict[str, Run] = {}  # guarded by _lock
        self._ended: dict[str, tuple[Run, float]] = {}  # guarded by _lock; oldest first
        self._of_caller: Counter[str] = Counter()  # going and starting; guarded by _lock
        self._starting = 0  # guarded by _lock
        self._ended_count = 0  # guarded by _lock
        self._refusing = False  # guarded by _lock

    def reserve(self, caller: str) -> None:
        """Take a place for a run that starts. Raises OverCapacity, ShuttingDown."""
        with self._lock:
            if self._refusing:
                raise ShuttingDown()
            if len(self._going) + self._starting >= self._max_runs:
                raise OverCapacity()
            if self._of_caller[caller] >= self._max_runs_per_user:
                raise OverCapacity(ALL_TAKEN)
            self._starting += 1
            self._of_caller[caller] += 1

    def release(self, caller: str) -> None:
        """Give up a place that was reserved."""
        with self._lock:
            self._starting -= 1
            self._release(caller)

    def add(self, run: Run) -> None:
        """Turn a reserved place into a run."""
        with self._lock:
            self._starting -= 1
            self._going[run.record.id] = run

    def ended(self, run: Run) -> None:
        """Note that the run's end was shown, or that it waits."""
        with self._lock:
            if self._going.pop(run.record.id, None) is None:
                return
            self._release(run.caller)
            if run.record.waits:
                return  # it may go on in any process: the store has it
            self._ended[run.record.id] = (run, self._monotonic() + KEEP_ENDED_S)
            self._ended_count += 1

    def _release(self, caller: str) -> None:
        self._of_caller[caller] -= 1
        if not self._of_caller[caller]:
            del self._of_caller[caller]

    def get(self, run_id: str) -> Run | None:
        """Return the run, going or ended, or None."""
        with self._lock:
            kept = self._ended.get(run_id)
            return self._going.get(run_id) or (kept[0] if kept else None)

    def going(self) -> list[Run]:
        """Return the runs under way."""
        with self._lock:
            return list(self._going.values())

    def forget_old(self) -> None:
        """Forget the ended runs whose time is over."""
        now = self._monotonic()
        with self._lock:
            while self._ended:
                run_id, (_, until) = next(iter(self._ended.items()))
                if until > now:
                    break
                del self._ended[run_id]

    def going_of(self, owner: str, session_id: str | None = None) -> list[Run]:
        """Return the runs under way in a session, or all of an owner's."""
        of_owner = [run for run in self.going() if run.record.owner == owner]
        return [run for run in of_owner if session_id in {None, run.record.session_id}]

    def forget(self, owner: str, session_id: str | None = None) -> list[Run]:
        """Forget the ended runs of a session that was deleted, or of all of an owner's; return
        those that are under way."""
        with self._lock:
            for run_id, (run, _) in list(self._ended.items()):
                if run.record.owner == owner and session_id in {None, run.record.session_id}:
                    del self._ended[run_id]
        return self.going_of(owner, session_id)

    def forget_ended(self, run_id: str) -> None:
        """Forget a run that has ended."""
        with self._lock:
            self._ended.pop(run_id, None)

    def refuse_new(self) -> None:
        """From now on every reservation is ShuttingDown."""
        with self._lock:
            self._refusing = True

    @property
    def refusing(self) -> bool:
        """Whether no new runs are taken."""
        with self._lock:
            return self._refusing

    def details(self, now: float) -> list[dict[str, Any]]:
        """Return what an operator may see of the runs under way; nothing of what was said."""
        return [
            {
                "run_id": run.record.id,
                "owner": run.record.owner,
                "session_id": run.record.session_id,
                "provider": run.record.provider,
                "model": run.record.model,
                "seq": run.log.last_seq,
                "age_s": age_s(run.record, now),
            }
            for run in self.going()
        ]

    def counts(self) -> dict[str, int]:
        """Return how many are going, starting, and have ended since the start."""
        with self._lock:
            return {
                "running": len(self._going),
                "queued": self._starting,
                "ended": self._ended_count,
            }
