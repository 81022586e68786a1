"""A committer on a stage of its own, for both of its test files."""

from __future__ import annotations

from typing import Any

from app.broker.local import LocalBroker
from app.core.errors import StorageUnavailable
from app.core.runs import RunRecord, Turn
from app.runs.committer import Committer
from app.runs.run import Run
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.samples import provider_request, run_end, texts, turn_of
from tests.support.sinks import FaultyStore

STORE_TIMEOUT_S = 1.0
GATHER_S = 0.003  # for a store that gathers


class Stage:
    """A committer over a store that can fail, and runs that offer to it."""

    def __init__(
        self, runtime: ManualRuntime, clock: HandClock, store: FaultyStore | None = None
    ) -> None:
        self.store = store or FaultyStore()
        self.runtime = runtime
        self.clock = clock
        self.shown: list[tuple[str, str]] = []
        self.lost: list[str] = []
        self.forgotten: list[str] = []
        self.health: list[bool] = []
        self.fails_to_register = False
        self.broker = LocalBroker(runtime.new_waiter, clock.clock.monotonic)
        others: Any = self  # the calls, the worker, the registry and the metrics, each in part
        self.committer = Committer(
            self.store,
            others,
            others,
            others,
            self.broker,
            others,
            runtime,
            clock.clock,
            STORE_TIMEOUT_S,
            gather_s=GATHER_S,
        )

    def note(self, works: bool) -> None:
        self.health.append(works)

    def was_lost(self, worker_id: str) -> None:
        self.lost.append(worker_id)
        if self.fails_to_register:
            raise StorageUnavailable()

    def ended(self, run: Run) -> None:
        self.shown.append((run.record.id, run.record.status))

    def forget_ended(self, run_id: str) -> None:
        self.forgotten.append(run_id)

    def run_ended(self, record: RunRecord) -> None:
        assert record.ended_at is not None

    def run(self, run_id: str = "run-1", **fields: Any) -> Run:
        return self.begin(turn_of(run_id, session_id=f"session of {run_id}", **fields))

    def begin(self, turn: Turn) -> Run:
        self.store.begin_turn(turn)
        return Run(turn.run, provider_request(), self.committer, self.clock.clock, 1000)

    def offer(self, run: Run, *pieces: str, first: int = 1) -> None:
        self.committer.offer(run, texts(*pieces, first=first))

    def offer_end(self, run: Run) -> None:
        self.committer.offer_end(run, run_end(), self.clock.wall)

    def stored(self, run: Run) -> str:
        entries = self.store.read_entries(run.record.id)
        return "".join(entry.data for entry in entries if entry.kind == "text")

    def end_of(self, run: Run) -> dict[str, Any]:
        assert run.log.end is not None
        return dict(run.log.end.data)
