"""The committer: stored first, shown after."""

from __future__ import annotations

from app.core.usage import Usage
from app.runs.committer import TURN_S
from tests.runs.stage import Stage
from tests.support.samples import texts


def test_nothing_is_shown_before_it_is_stored(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "a")
    assert (stage.stored(run), run.log.text()) == ("", "")

    stage.runtime.run()
    assert (stage.stored(run), run.log.text()) == ("a", "a")


def test_log_is_still_empty_while_the_store_writes(stage: Stage) -> None:
    run = stage.run()
    stage.store.locked = True
    seen: list[int] = []
    append = stage.store.append
    stage.store.append = lambda *of: (  # type: ignore[method-assign]
        seen.append(run.log.last_seq),
        append(*of),
        seen.append(run.log.last_seq),
    )
    stage.offer(run, "a", "b")
    stage.runtime.run()

    assert seen == [0, 0]
    assert run.log.last_seq == 2


def test_offers_of_one_turn_are_one_batch(stage: Stage) -> None:
    first, second = stage.run("run-1"), stage.run("run-2")
    stage.offer(first, "a")
    stage.offer(second, "x")
    stage.offer(first, "b", first=2)
    stage.runtime.run()

    [batch] = stage.store.batches
    assert batch.entries == [("run-1", texts("a", "b")), ("run-2", texts("x"))]


def test_each_turn_is_a_batch_of_its_own(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "a")
    stage.runtime.run()
    stage.offer(run, "b", first=2)
    stage.runtime.run()

    assert len(stage.store.batches) == 2
    assert run.log.text() == "ab"


def test_end_is_stored_with_the_whole_reply(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "Hel")
    stage.runtime.run()
    stage.offer(run, "lo", first=2)
    stage.offer_end(run)
    stage.runtime.run()

    [_, reply] = stage.store.read_branch("ann", "session of run-1")
    assert (reply.text, reply.status) == ("Hello", "completed")
    assert run.log.end and run.log.end.seq == 3


def test_end_brings_the_record_up_to_date_and_is_told_once(stage: Stage) -> None:
    run = stage.run()
    stage.offer_end(run)
    stage.runtime.run()

    assert (run.record.status, run.record.last_seq) == ("completed", 1)
    assert run.record.ended_at == stage.clock.wall
    assert stage.shown == [("run-1", "completed")]


def test_end_estimates_what_was_not_reported(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "12345")
    stage.offer_end(run)
    stage.runtime.run()

    assert run.record.usage == Usage(1, 2, "estimated")


def test_nothing_comes_after_an_end(stage: Stage) -> None:
    run = stage.run()
    stage.offer_end(run)
    stage.offer(run, "of a thread that could not be killed in time")
    stage.offer_end(run)
    stage.runtime.run()

    assert [entry.kind for entry in run.log.since(0)] == ["end"]
    assert stage.store.read_entries("run-1") == run.log.since(0)


def test_producer_that_never_waits_gives_up_its_turn(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "a")
    stage.clock.advance(2 * TURN_S)
    stage.committer.give_up_turn()

    assert stage.runtime.sleeps == [0]
    assert run.log.text() == "a"


def test_producer_goes_on_while_its_turn_lasts(stage: Stage) -> None:
    run = stage.run()
    stage.offer(run, "a")
    stage.runtime.run()
    stage.offer(run, "b", first=2)
    stage.clock.advance(TURN_S / 2)
    stage.committer.give_up_turn()

    assert stage.runtime.sleeps == []
