"""How long a run waits in silence: for its first piece, after a sign of life, between pieces, and
once it has its finish reason."""

from __future__ import annotations

from collections import deque

import pytest

from app.core.entries import STATUS, TEXT
from app.core.run_errors import UpstreamIncomplete
from app.core.usage import Usage
from app.runs.ports import ALIVE, USAGE, Piece
from app.runs.stops import FINISH_GRACE_S
from app.stores.memory import MemoryStore
from tests.support.clock import HandClock
from tests.support.options import RunOptions
from tests.support.running import running
from tests.support.samples import provider_request, turn_of
from tests.support.stepped import HandProvider, SteppedRuntime

FIRST_S, NEXT_S = 60.0, 20.0
SIGN: list[Piece] = [(ALIVE, None)]
HI: list[Piece] = [(TEXT, "Hi")]
FINISH: list[Piece] = [("finish", "length")]


class Waiting:
    """A run whose provider says what it is handed, at the time it is."""

    def __init__(self, clock: HandClock) -> None:
        self.runtime = SteppedRuntime(clock)
        limits = RunOptions(first_delta_timeout_s=FIRST_S, delta_timeout_s=NEXT_S)
        self.runs = running(MemoryStore(), self.runtime, clock.clock, limits).runs
        self.hand: deque[list[Piece] | Exception] = deque()
        self.run = self.runs.start(turn_of(), self._provider(), lambda _: provider_request("hi"))
        self.runtime.run()

    def _provider(self) -> HandProvider:
        provider = HandProvider(self.runtime, lingers=True)
        provider.hands["hi"] = self.hand
        return provider

    def hands(self, *batches: list[Piece]) -> None:
        """Let the provider say that now."""
        self.hand.extend(batches)
        assert self.run.task is not None
        self.run.task.resume()
        self.runtime.run()

    def after(self, seconds: float) -> str:
        """Let that much time pass; return what has become of the run."""
        self.runtime.clock.advance(seconds)
        self.runs.tick()
        self.runtime.run()
        record = self.run.record
        return record.error["code"] if record.error else record.status


@pytest.fixture
def waiting(clock: HandClock) -> Waiting:
    return Waiting(clock)


def test_first_piece_has_its_time_in_silence(waiting: Waiting) -> None:
    assert waiting.after(FIRST_S - 0.1) == "running"
    assert waiting.after(0.1) == "upstream_timeout"


def test_model_that_shows_that_it_lives_may_take_longer(waiting: Waiting) -> None:
    for _ in range(10):
        waiting.hands(SIGN)
        assert waiting.after(NEXT_S - 0.1) == "running"
    waiting.hands(HI, [("finish", "stop")])

    assert [entry.kind for entry in waiting.run.log.since(0)] == ["text"]
    assert waiting.run.first_piece_at == waiting.runtime.clock.monotonic


def test_silence_after_the_last_sign_of_life_is_late(waiting: Waiting) -> None:
    waiting.after(FIRST_S - 1)
    waiting.hands(SIGN)

    assert [waiting.after(NEXT_S - 0.1), waiting.after(0.1)] == ["running", "upstream_timeout"]


def test_early_sign_of_life_leaves_the_first_piece_its_whole_time(waiting: Waiting) -> None:
    waiting.hands(SIGN)

    assert [waiting.after(FIRST_S - 0.1), waiting.after(0.1)] == ["running", "upstream_timeout"]


def test_usage_so_far_is_a_sign_of_life(waiting: Waiting) -> None:
    waiting.after(FIRST_S - 1)
    waiting.hands([(USAGE, Usage(5, 1))])

    assert waiting.after(NEXT_S - 0.1) == "running"


@pytest.mark.parametrize("batch", [[], [(STATUS, {"status": "retrying"})]])
def test_what_we_say_ourselves_is_no_sign_of_life(waiting: Waiting, batch: list[Piece]) -> None:
    waiting.after(FIRST_S - 1)
    waiting.hands(batch)

    assert waiting.after(1) == "upstream_timeout"


def test_signs_of_life_between_pieces_count_too(waiting: Waiting) -> None:
    waiting.hands(HI)
    for _ in range(5):
        assert waiting.after(NEXT_S - 0.1) == "running"
        waiting.hands(SIGN)

    assert waiting.after(NEXT_S) == "upstream_timeout"
    assert waiting.run.log.text() == "Hi"


def test_after_the_finish_reason_the_usage_is_waited_for_and_no_longer(waiting: Waiting) -> None:
    waiting.hands(HI, FINISH)
    assert waiting.after(FINISH_GRACE_S - 0.1) == "running"
    waiting.hands([(USAGE, Usage(5, 1))], SIGN)

    assert waiting.after(0.1) == "completed"
    record = waiting.run.record
    assert (record.finish_reason, record.usage) == ("length", Usage(5, 1))
    assert waiting.run.upstream_closed is True


def test_finish_reason_in_one_batch_with_the_text_has_its_grace_too(waiting: Waiting) -> None:
    waiting.hands([*HI, *FINISH])

    assert [waiting.after(FINISH_GRACE_S - 0.1), waiting.after(0.1)] == ["running", "completed"]
    assert waiting.run.log.text() == "Hi"


def test_who_repeats_the_reason_with_each_piece_has_the_usual_time(waiting: Waiting) -> None:
    for _ in range(3):
        waiting.hands([*HI, *FINISH])
        assert waiting.after(FINISH_GRACE_S - 0.1) == "running"

    assert waiting.after(FINISH_GRACE_S) == "running"
    assert waiting.after(NEXT_S) == "upstream_timeout"
    assert waiting.run.log.text() == "HiHiHi"


def test_reply_that_is_finished_is_not_failed_by_a_deadline(waiting: Waiting) -> None:
    waiting.after(FIRST_S - 0.1)
    waiting.hands(FINISH)

    assert waiting.after(FINISH_GRACE_S - 0.1) == "running"
    assert waiting.after(0.1) == "completed"


def test_provider_that_fails_after_its_finish_reason_fails_the_run(waiting: Waiting) -> None:
    waiting.hands([*HI, *FINISH])
    waiting.hand.append(UpstreamIncomplete())
    waiting.hands()

    assert waiting.after(0) == "upstream_incomplete"
