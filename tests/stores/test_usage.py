"""What every store keeps of usage: sums a day, each run of a session, costs and failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.core.entries import Entry
from app.core.run_errors import RunInterrupted, UpstreamError
from app.core.sessions import ChatSession
from app.core.store import Batch
from app.core.usage import MOST, Cost, Usage, UsedTokens
from app.usage.daily import DAY_S, day_of, total
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.samples import continuing, ended, run_end, run_record, texts, turn_of

BOTH_WAYS = pytest.mark.parametrize("way", ["append_now", "append"])
TODAY = day_of(START)
LOST = RunInterrupted().end_data()
PRICE = Cost(1_000_000, "USD")
FAILED = ({"provider": "first", "model": "m-0", "code": "upstream_error", "error_id": "ERR_1"},)


def end_run(store: Store, run_id: str, way: str = "append", at: float = START, **end: Any) -> None:
    """End a run that has begun; `end` is what is special about its end."""
    made = replace(run_end(), **{"provider": "scripted", "model": "scripted-1", **end})
    batch = ended(run_record(run_id), texts("Hello"), made)
    batch.ends = [ended._replace(at=at) for ended in batch.ends]
    getattr(store, way)(WORKER, batch)


def used(store: Store, run_id: str, session_id: str = "s-1", **end: Any) -> None:
    store.begin_turn(turn_of(run_id, session_id=session_id))
    end_run(store, run_id, **end)


def take_over(store: Store, cost_of: Any = lambda provider, model, usage: None) -> None:
    store.take_over(WORKER, LOST, START + 60, cost_of)


@BOTH_WAYS
def test_ended_run_is_in_its_day(store: Store, way: str) -> None:
    used(store, "run-1", way=way, cost=PRICE)

    assert store.used_by_day("ann", TODAY) == [
        UsedTokens(1, 5, 2, 0, PRICE.picos, "USD", TODAY, "scripted", "scripted-1")
    ]


@BOTH_WAYS
def test_runs_of_a_day_are_one_sum(store: Store, way: str) -> None:
    used(store, "run-1", way=way, cost=PRICE)
    used(store, "run-2", way=way, cost=PRICE, usage=Usage(10, 20, "estimated"))

    [sums] = store.used_by_day("ann", TODAY)
    assert (sums.runs, sums.input_tokens, sums.output_tokens) == (2, 15, 22)
    assert (sums.estimated_runs, sums.cost) == (1, 2 * PRICE.picos)


@pytest.mark.parametrize("status", ["completed", "stopped", "failed", "interrupted"])
def test_every_end_counts(store: Store, status: str) -> None:
    used(store, "run-1", status=status)

    assert [one.tokens for one in store.used_by_day("ann", TODAY)] == [7]


def test_run_under_way_does_not_count(store: Store) -> None:
    store.begin_turn(turn_of())

    assert store.used_by_day("ann", TODAY) == store.used_in_session("ann", "s-1") == []


def test_days_providers_models_and_currencies_are_kept_apart(store: Store) -> None:
    used(store, "run-1")
    used(store, "run-2", model="other")
    used(store, "run-3", provider="another")
    used(store, "run-4", cost=PRICE)
    used(store, "run-5", at=START + DAY_S)

    found = store.used_by_day("ann", TODAY)
    assert [one.runs for one in found] == [1] * 5
    assert [one.day for one in found] == [TODAY] * 4 + [day_of(START + DAY_S)]
    assert {(one.provider, one.model, one.currency) for one in found} == {
        *(("scripted", "scripted-1", ""), ("scripted", "other", "")),
        *(("another", "scripted-1", ""), ("scripted", "scripted-1", "USD")),
    }
    assert len(store.used_by_day("ann", day_of(START + DAY_S))) == 1
    assert store.used_by_day("ann", "2999-01-01") == []


def test_somebody_else_has_used_nothing(store: Store) -> None:
    used(store, "run-1")

    assert store.used_by_day("bob", TODAY) == store.used_in_session("bob", "s-1") == []


def test_session_has_each_of_its_runs(store: Store) -> None:
    used(store, "run-1", cost=PRICE)
    used(store, "run-2", usage=Usage(1, 1, "estimated"))
    used(store, "run-3", session_id="s-2")

    found = store.used_in_session("ann", "s-1")
    assert sorted((one.runs, one.tokens, one.estimated_runs) for one in found) == [
        *((1, 2, 1), (1, 7, 0)),
    ]
    assert total(found).cost == PRICE.picos


@pytest.mark.parametrize("how", ["delete_session", "delete_old"])
def test_days_stay_when_sessions_go(store: Store, how: str) -> None:
    used(store, "run-1", cost=PRICE)
    before = store.used_by_day("ann", TODAY)
    if how == "delete_session":
        store.delete_session("ann", "s-1")
    else:
        store.delete_old(START + 60, START + 60)

    assert store.used_by_day("ann", TODAY) == before
    assert store.used_in_session("ann", "s-1") == []


def test_run_whose_session_went_first_is_no_trouble(store: Store) -> None:
    store.begin_turn(turn_of())
    store.delete_session("ann", "s-1")
    end_run(store, "run-1")

    assert store.used_in_session("ann", "s-1") == []


def test_largest_cost_is_kept(store: Store) -> None:
    used(store, "run-1", cost=Cost(MOST, "USD"))
    used(store, "run-2", cost=Cost(1, "USD"))

    assert store.used_by_day("ann", TODAY)[0].cost == MOST + 1
    found = store.find_run("ann", "run-1")
    assert found and found.cost == Cost(MOST, "USD")


@BOTH_WAYS
def test_cost_that_no_integer_holds_harms_nothing(store: Store, way: str) -> None:
    """A provider may claim any usage; the other runs of its batch must not pay for it."""
    used(store, "run-1", way=way, cost=Cost(2**80, "USD"))
    used(store, "run-2", way=way, cost=Cost(2**80, "USD"))

    found = store.find_run("ann", "run-2")
    assert found and found.status == "completed"
    assert store.used_by_day("ann", TODAY)[0].cost >= MOST


@BOTH_WAYS
@pytest.mark.parametrize("estimated", [False, True])
def test_record_has_its_cost(store: Store, way: str, estimated: bool) -> None:
    used(store, "run-1", way=way, cost=Cost(123, "EUR", estimated))

    found = store.find_run("ann", "run-1")
    assert found and found.cost == Cost(123, "EUR", estimated)


@BOTH_WAYS
@pytest.mark.parametrize("attempts,kept", [(FAILED, list(FAILED)), ((), None)])
def test_record_has_who_failed_and_who_answered(
    store: Store, way: str, attempts: Sequence[Any], kept: Any
) -> None:
    used(store, "run-1", way=way, attempts=attempts, provider="second", model="m-2")

    found = store.find_run("ann", "run-1")
    assert found and (found.provider, found.model) == ("second", "m-2")
    assert (list(found.attempts) if found.attempts else None) == kept
    assert [one.provider for one in store.used_by_day("ann", TODAY)] == ["second"]
    assert store.used_in_session("ann", "s-1")[0].model == "m-2"


def test_failed_run_keeps_who_failed(store: Store) -> None:
    error = UpstreamError().end_data()
    used(store, "run-1", status="failed", finish_reason="error", error=error, attempts=FAILED)

    found = store.find_run("ann", "run-1")
    assert found and (found.status, list(found.attempts or ())) == ("failed", list(FAILED))


# --- runs of a lost worker ----------------------------------------------------------------------


def test_run_of_a_lost_worker_is_estimated_from_the_prompt_and_what_came(store: Store) -> None:
    store.begin_turn(turn_of(text="four" * 3))
    store.append(WORKER, Batch([("run-1", texts("four" * 5))]))
    take_over(store, lambda provider, model, usage: Cost(usage.output_tokens, "USD", True))

    [sums] = store.used_by_day("ann", TODAY)
    assert (sums.runs, sums.input_tokens, sums.output_tokens, sums.estimated_runs) == (1, 3, 5, 1)
    assert (sums.cost, sums.currency) == (5, "USD")
    assert (sums.provider, sums.model) == ("scripted", "scripted-1")
    assert [one.tokens for one in store.used_in_session("ann", "s-1")] == [8]
    found = store.find_run("ann", "run-1")
    assert found and (found.usage, found.cost) == (Usage(3, 5, "estimated"), Cost(5, "USD", True))


def test_thoughts_of_a_lost_run_count(store: Store) -> None:
    store.begin_turn(turn_of())
    thoughts = [Entry(1, "reasoning", "four" * 3, START), Entry(2, "status", {"step": 1}, START)]
    store.append(WORKER, Batch([("run-1", [*thoughts, *texts("four", first=3)])]))
    take_over(store)

    assert [one.output_tokens for one in store.used_by_day("ann", TODAY)] == [4]
    assert store.read_branch("ann", "s-1")[-1].text == "four"


def test_run_of_a_lost_worker_is_counted_on_top_and_once(store: Store) -> None:
    used(store, "run-1")
    store.begin_turn(turn_of("run-2"))
    take_over(store)
    take_over(store)

    [sums] = store.used_by_day("ann", TODAY)
    assert (sums.runs, sums.output_tokens) == (2, 2)


def test_history_counts_as_prompt(store: Store) -> None:
    used(store, "run-1")  # `hi` and `Hello`
    store.begin_turn(turn_of("run-2", text="again!!!"))
    take_over(store)

    found = store.find_run("ann", "run-2")
    assert found and found.usage == Usage(4, 0, "estimated")


def test_lost_continuation_counts_what_is_new(store: Store) -> None:
    used(store, "run-1", status="stopped", finish_reason="stopped")
    store.begin_turn(continuing("run-2", "run-1-reply"))
    store.append(WORKER, Batch([("run-2", texts("four"))]))
    take_over(store)

    found = store.find_run("ann", "run-2")
    assert found and found.usage is not None
    assert found.usage.output_tokens == 1


# --- system prompts -----------------------------------------------------------------------------


def test_sessions_own_prompt_begins_what_the_model_is_given(store: Store) -> None:
    store.create_session(ChatSession("ann", "s-1", START, START, system="Be brief."))

    given = store.begin_turn(turn_of())
    assert [(one.role, one.text) for one in given] == [("system", "Be brief."), ("user", "hi")]
    assert [one.role for one in store.read_branch("ann", "s-1")] == ["user", "assistant"]
    found = store.find_session("ann", "s-1")
    assert found and (found.system, found.message_count) == ("Be brief.", 2)
