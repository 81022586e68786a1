"""A run: one provider into one log, and exactly one end whoever is first."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import REASONING, STATUS, TEXT
from app.core.messages import text_parts
from app.core.run_errors import UpstreamTimeout
from app.core.runs import RunEnd
from app.core.usage import Usage
from app.runs.ports import USAGE, Piece
from app.runs.run import STOPPED, Run, interrupted
from tests.support.clock import HandClock
from tests.support.manual import ManualTask, at_once
from tests.support.samples import provider_request, run_record
from tests.support.scripted import STOP, ScriptedProvider, Step
from tests.support.sinks import ListSink

MAX_REPLY_BYTES = 10


class Killed(BaseException):
    """What a green runtime throws into a task that is killed."""


class Driven:
    """A run with a sink that notes what it offers."""

    def __init__(self, scripted: ScriptedProvider, clock: HandClock) -> None:
        self.sink = ListSink()
        self.scripted = scripted
        self.run = Run(
            run_record(), provider_request(), self.sink, clock.clock, MAX_REPLY_BYTES, "ann"
        )

    def drive(self, *steps: Step) -> RunEnd:
        self.scripted.enqueue(*steps)
        self.run.drive(self.scripted.stream(self.run.request))
        assert self.scripted.closed == 1
        return self.end

    @property
    def end(self) -> RunEnd:
        [end] = self.sink.ends
        assert self.sink.order[-1] == "end"
        return end


@pytest.fixture
def driven(scripted: ScriptedProvider, clock: HandClock) -> Driven:
    return Driven(scripted, clock)


def code_of(end: RunEnd) -> Any:
    return end.error and end.error["code"]


def test_pieces_become_numbered_entries_in_order(driven: Driven) -> None:
    batch: list[Piece] = [(TEXT, "a"), (REASONING, "hm"), (STATUS, {"step": 1}), (TEXT, "b")]
    driven.drive(batch, "c", STOP)

    assert [(e.seq, e.kind, e.data) for e in driven.sink.entries] == [
        (1, "text", "a"),
        (2, "reasoning", "hm"),
        (3, "status", {"step": 1}),
        (4, "text", "b"),
        (5, "text", "c"),
    ]


def test_a_piece_of_no_kind_that_is_known_is_a_fault_and_not_passed_over(driven: Driven) -> None:
    nonsense: list[Piece] = [("nonsense", "x")]

    assert code_of(driven.drive("a", nonsense, STOP)) == "internal_error"


def test_long_text_is_several_entries(scripted: ScriptedProvider, clock: HandClock) -> None:
    sink, text = ListSink(), "é" * 100
    run = Run(run_record(), provider_request(), sink, clock.clock, 1000, max_piece_bytes=64)
    scripted.enqueue([(TEXT, "a"), (TEXT, text), (REASONING, text), (TEXT, "b")], "c", STOP)
    run.drive(scripted.stream(run.request))

    parts = ["é" * 32] * 3 + ["é" * 4]
    assert [entry.data for entry in sink.entries] == ["a", *parts, *parts, "b", "c"]
    assert [entry.seq for entry in sink.entries] == list(range(1, 12))
    assert [entry.kind for entry in sink.entries[1:9]] == [TEXT] * 4 + [REASONING] * 4
    assert run.usage_of(()).output_tokens == 200 / 4  # of the thoughts, once


def test_what_is_no_text_is_never_cut(scripted: ScriptedProvider, clock: HandClock) -> None:
    sink = ListSink()
    call = {"n": 1, "call_id": "x" * 100, "name": "look", "source": "client"}
    run = Run(run_record(), provider_request(), sink, clock.clock, 1000, max_piece_bytes=64)
    scripted.enqueue([("tool_call", call), (STATUS, call)], STOP)
    run.drive(scripted.stream(run.request))

    assert [entry.data for entry in sink.entries][:2] == [call, call]


def test_run_lets_others_have_their_turn_after_each_batch(driven: Driven) -> None:
    driven.drive("a", "b", STOP)

    turns = ["entries", "give up turn", "entries", "give up turn", "give up turn", "end"]
    assert driven.sink.order == turns  # a batch that brings nothing to show gives up its own, too


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_finish_reason_completes_the_run(driven: Driven, reason: str) -> None:
    end = driven.drive("a", ("finish", reason))

    assert (end.status, end.finish_reason, end.error) == ("completed", reason, None)


def test_unknown_finish_reason_counts_as_stop(driven: Driven) -> None:
    assert driven.drive("a", ("finish", "bored")).finish_reason == "stop"


def test_stream_without_finish_reason_is_incomplete(driven: Driven) -> None:
    end = driven.drive("half a")

    assert (end.status, end.finish_reason) == ("failed", "error")
    assert code_of(end) == "upstream_incomplete"


def test_provider_error_is_the_end(driven: Driven) -> None:
    error = UpstreamTimeout()
    end = driven.drive("par", error)

    assert (end.status, end.finish_reason) == ("failed", "error")
    assert end.error == error.end_data()
    assert [entry.data for entry in driven.sink.entries] == ["par"]


def test_bug_in_a_provider_shows_nothing_of_it(
    driven: Driven, caplog: pytest.LogCaptureFixture
) -> None:
    end = driven.drive("par", ZeroDivisionError("the key is sk-secret"))

    assert code_of(end) == "internal_error"
    assert "sk-secret" not in str(end)
    assert end.error and end.error["error_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_lone_surrogate_from_a_provider_is_a_bug_not_an_entry(driven: Driven) -> None:
    assert code_of(driven.drive("\ud800", STOP)) == "internal_error"
    assert driven.sink.entries == []


def test_reply_over_the_limit_is_ended_with_what_came(driven: Driven) -> None:
    end = driven.drive("1234567890", (REASONING, "é"), "never", STOP)

    assert code_of(end) == "upstream_too_large"
    assert [entry.data for entry in driven.sink.entries] == ["1234567890", "é"]


def test_reply_at_the_limit_is_fine(driven: Driven) -> None:
    assert driven.drive("1234567890", STOP).status == "completed"


def test_killed_task_ends_the_run_as_interrupted(driven: Driven) -> None:
    with pytest.raises(Killed):
        driven.drive("a", Killed())

    assert (driven.end.status, code_of(driven.end)) == ("interrupted", "shutting_down")
    assert driven.scripted.closed == 1


def test_stop_closes_upstream_before_the_end(driven: Driven) -> None:
    end = driven.drive("a", lambda: driven.run.end_with(STOPPED), "late", STOP)

    assert (end.status, end.finish_reason, end.error) == ("stopped", "stopped", None)
    assert driven.run.upstream_closed is False  # a thread cannot be closed from outside
    assert driven.run.ending


def test_nothing_is_offered_after_the_claim(driven: Driven) -> None:
    driven.drive("a", lambda: driven.run.end_with(STOPPED), "late", "later", STOP)

    assert [entry.data for entry in driven.sink.entries] == ["a"]
    assert driven.sink.order == ["entries", "give up turn", "end"]


def test_error_after_a_stop_is_not_a_second_end(driven: Driven) -> None:
    end = driven.drive("a", lambda: driven.run.end_with(STOPPED), UpstreamTimeout())

    assert end.status == "stopped"


def test_killed_after_a_stop_is_not_a_second_end(driven: Driven) -> None:
    with pytest.raises(Killed):
        driven.drive("a", lambda: driven.run.end_with(STOPPED), Killed())

    assert driven.end.status == "stopped"


def test_stop_after_the_end_changes_nothing(driven: Driven) -> None:
    driven.drive("a", STOP)

    assert driven.run.end_with(STOPPED) is False
    assert driven.end.status == "completed"


def test_stop_kills_the_task(driven: Driven) -> None:
    task = driven.run.task = ManualTask()

    assert driven.run.end_with(interrupted())
    assert task.killed
    assert driven.run.upstream_closed is None  # there was none


def test_stop_before_the_first_piece_is_the_one_end(driven: Driven) -> None:
    driven.run.end_with(STOPPED)
    driven.drive("a", STOP)

    assert driven.end.status == "stopped"
    assert driven.sink.entries == []


def test_of_many_who_end_a_run_one_does(driven: Driven) -> None:
    ended = at_once(50, lambda index: driven.run.end_with(interrupted()))

    assert sorted(ended) == [False] * 49 + [True]
    assert driven.end.status == "interrupted"


def test_times_are_taken_from_the_start(driven: Driven, clock: HandClock) -> None:
    pauses = [lambda: clock.advance(0.5), lambda: clock.advance(1.25)]
    end = driven.drive(pauses[0], "a", pauses[1], "b", STOP)

    assert (end.ttft_s, end.duration_s) == (0.5, 1.75)


def test_status_is_not_a_first_piece(driven: Driven, clock: HandClock) -> None:
    end = driven.drive((STATUS, {}), STOP)

    assert end.ttft_s is None
    assert driven.run.first_piece_at is None


def test_time_of_the_kill_is_measured(driven: Driven, clock: HandClock) -> None:
    class Slow:
        def kill(self) -> None:
            clock.advance(0.0125)

    driven.run.task = Slow()
    driven.run.end_with(STOPPED)

    assert driven.run.stopped_in_ms == 12.5


def test_reported_usage_is_kept(driven: Driven) -> None:
    end = driven.drive("a", (USAGE, Usage(7, 3)), STOP)

    assert end.usage == Usage(7, 3)
    assert driven.run.usage_of("any") == Usage(7, 3)


def test_unreported_usage_is_estimated_from_prompt_and_reply(driven: Driven) -> None:
    driven.drive("a", STOP)

    assert driven.run.usage_of(text_parts("12345678")) == Usage(1, 2, "estimated")
