"""Keeping house: what is due is done, in an order in which a failing store does no harm."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import LogReset, StorageUnavailable
from app.runs.housekeeping import DAY_S, EVERY_S, FOLD_AT_ONCE, Housekeeper, Keeping
from app.runs.registry import KEEP_ENDED_S
from app.runs.worker import Recovery
from app.stores.memory import MemoryStore
from tests.conftest import WORKER
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import KeepingOptions, RunOptions
from tests.support.running import running
from tests.support.samples import ended, provider_request, run_record, texts, turn_of
from tests.support.scripted import STOP, ScriptedProvider


class NotingStore(MemoryStore):
    """Notes what it is asked for, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, ...]] = []
        self.fails = False

    def other_workers(self, worker_id: str) -> list[str]:
        self.asked.append(("other_workers",))
        if self.fails:
            raise StorageUnavailable()
        return []

    def probe(self) -> None:
        self.asked.append(("probe",))

    def fold(self, ended_before: float, limit: int) -> int:
        self.asked.append(("fold", ended_before))
        return super().fold(ended_before, limit)

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        self.asked.append(("delete_old", listed_before, unlisted_before))
        return super().delete_old(listed_before, unlisted_before)

    def read_entries(self, run_id: str, after: int = 0) -> Any:
        self.asked.append(("read_entries", after))
        return super().read_entries(run_id, after)


class House:
    """A housekeeper and its house."""

    def __init__(self, runtime: ManualRuntime, clock: HandClock) -> None:
        self.clock = clock
        self.runtime = runtime
        self.store = NotingStore()
        limits = RunOptions(store_timeout_s=1)
        self.parts = running(self.store, runtime, clock.clock, limits)
        self.runs, self.calls = self.parts.runs, self.parts.calls

    def keeper(self, keeping: Keeping | None = None) -> Housekeeper:
        parts, clock = self.parts, self.clock.clock
        recovery = Recovery(self.store, parts.locks, parts.calls, parts.worker, clock)
        keeping = keeping or KeepingOptions()
        return Housekeeper(
            self.store, parts.calls, parts.committer, recovery, parts.remote, clock, keeping
        )

    def sweep(self, keeping: Keeping | None = None) -> list[Any]:
        """Work as a new housekeeper; return what the store was asked for."""
        self.store.asked.clear()
        self.keeper(keeping).work()
        return self.store.asked

    def complete(self, count: int) -> None:
        for index in range(count):
            run_id, session_id = f"run-{index}", f"s-{index}"
            self.store.begin_turn(turn_of(run_id, session_id=session_id))
            record = run_record(run_id, session_id=session_id)
            self.store.append(WORKER, ended(record, texts("a", "b", "c")))

    def answer(self, scripted: ScriptedProvider) -> None:
        """Let one run come to its end, be forgotten and be folded."""
        scripted.enqueue("Hel", "lo", " you", STOP)
        self.runs.start(turn_of(), scripted, lambda _: provider_request())
        self.runtime.run()
        self.clock.advance(KEEP_ENDED_S + DAY_S)
        self.runs.tick()
        self.sweep()


@pytest.fixture
def house(runtime: ManualRuntime, clock: HandClock) -> House:
    return House(runtime, clock)


def test_store_that_works_is_not_probed(house: House) -> None:
    assert ("probe",) not in house.sweep()


def test_store_that_failed_is_probed_first(house: House) -> None:
    house.calls.note(works=False)

    assert house.sweep()[0] == ("probe",)
    assert not house.calls.failing


def test_logs_of_other_processes_are_polled(house: House) -> None:
    house.store.begin_turn(turn_of(worker_id="other"))
    found = house.runs.find("ann", "run-1")
    assert ("read_entries", 0) in house.sweep()
    assert found.log.end is None


def test_old_things_are_looked_for_now_and_then(house: House, clock: HandClock) -> None:
    keeper = house.keeper()
    keeper.work()
    clock.advance(EVERY_S - 0.1)
    keeper.work()
    assert [asked[0] for asked in house.store.asked].count("fold") == 1

    clock.advance(0.1)
    keeper.work()
    assert [asked[0] for asked in house.store.asked].count("fold") == 2


def test_keeping_says_what_is_old(house: House, clock: HandClock) -> None:
    asked = house.sweep(KeepingOptions(replay_ttl_s=10, retention_days=2))

    assert ("fold", clock.wall - 10) in asked
    assert ("delete_old", clock.wall - 2 * DAY_S, clock.wall - 10) in asked


def test_listed_sessions_stay_for_ever_by_default(house: House, clock: HandClock) -> None:
    assert ("delete_old", None, clock.wall - DAY_S) in house.sweep()


def test_all_that_is_old_is_folded_some_at_a_time(house: House, clock: HandClock) -> None:
    house.complete(2 * FOLD_AT_ONCE + 1)
    clock.advance(DAY_S + 3)
    asked = house.sweep()

    assert [one[0] for one in asked].count("fold") == 3
    assert house.store.fold(clock.wall, 100) == 0


def test_failing_store_leaves_the_rest_for_the_next_time(house: House) -> None:
    keeper = house.keeper()
    house.store.fails = True
    with pytest.raises(StorageUnavailable):
        keeper.work()
    assert ("fold", house.clock.wall - DAY_S) not in house.store.asked

    house.store.fails = False
    keeper.work()
    assert ("fold", house.clock.wall - DAY_S) in house.store.asked


# --- what a viewer gets of a folded run -----------------------------------------------------------


def test_folded_run_is_one_piece_and_its_end(house: House, scripted: ScriptedProvider) -> None:
    house.answer(scripted)
    found = house.runs.find("ann", "run-1")
    entries = house.runs.follow(found, 0).read()

    assert [(e.seq, e.kind) for e in entries] == [(3, "text"), (4, "end")]
    assert entries[0].data == found.log.text() == "Hello you"


@pytest.mark.parametrize("after", [1, 2])
def test_cursor_in_what_was_folded_is_told_so(
    house: House, scripted: ScriptedProvider, after: int
) -> None:
    house.answer(scripted)

    with pytest.raises(LogReset) as gone:
        house.runs.follow(house.runs.find("ann", "run-1"), after)
    assert gone.value.http_status == 410


def test_cursor_behind_the_text_gets_the_end(house: House, scripted: ScriptedProvider) -> None:
    house.answer(scripted)

    [end] = house.runs.follow(house.runs.find("ann", "run-1"), 3).read()
    assert (end.seq, end.kind) == (4, "end")


def test_cursor_at_the_end_gets_nothing(house: House, scripted: ScriptedProvider) -> None:
    house.answer(scripted)
    reader = house.runs.follow(house.runs.find("ann", "run-1"), 4)

    assert reader.done
    assert reader.read() == []
