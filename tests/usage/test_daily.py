"""Sums of a day, in memory: by owner, day, provider, model; exact."""

from __future__ import annotations

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.usage import Cost, Usage, UsedTokens
from app.usage.daily import DAY_S, UsageLedger, day_of, total, until_tomorrow_s, used_by
from tests.support.clock import START
from tests.support.samples import run_record

COSTS = st.none() | st.builds(Cost, st.integers(0, 2**62), st.just("USD"), st.booleans())
USAGES = st.builds(
    Usage, st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from(["reported", "estimated"])
)
RUNS = st.lists(st.tuples(USAGES, COSTS), max_size=12)


def at(written: str) -> float:
    return calendar.timegm(time.strptime(written, "%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize(
    "written,day,left_s",
    [
        ("2026-01-31T00:00:00Z", "2026-01-31", DAY_S),
        ("2026-01-31T00:00:01Z", "2026-01-31", DAY_S - 1),
        ("2026-01-31T23:59:59Z", "2026-01-31", 1),
        ("2024-02-29T12:00:00Z", "2024-02-29", DAY_S // 2),
        ("2026-12-31T23:00:00Z", "2026-12-31", 3600),
    ],
)
def test_day_is_utc(written: str, day: str, left_s: int) -> None:
    assert (day_of(at(written)), until_tomorrow_s(at(written))) == (day, left_s)


@given(st.floats(0, 4e9))
def test_the_wait_ends_in_the_next_day(now: float) -> None:
    left_s = until_tomorrow_s(now)

    assert 1 <= left_s <= DAY_S
    assert day_of(now + left_s) == day_of((now // DAY_S + 1) * DAY_S)


def test_run_without_usage_counts_as_a_run() -> None:
    used = used_by(run_record())

    assert (used.runs, used.tokens, used.cost, used.currency) == (1, 0, 0, "")
    assert used.to_json()["cost"] is None


@given(RUNS)
def test_total_is_the_exact_sum(ended: list[tuple[Usage, Cost | None]]) -> None:
    sums = total([used_by(run_record(usage=usage, cost=cost)) for usage, cost in ended])

    assert sums.runs == len(ended)
    assert sums.tokens == sum(u.input_tokens + u.output_tokens for u, _ in ended)
    assert sums.cost == sum(cost.picos for _, cost in ended if cost)
    assert sums.estimated_runs == sum(u.source == "estimated" for u, _ in ended)


def test_one_estimate_makes_the_sum_one() -> None:
    reported, guessed = Usage(1, 2), Usage(3, 4, "estimated")
    cost = Cost(5, "USD")
    sure = used_by(run_record(usage=reported, cost=cost))
    guess = used_by(run_record(usage=guessed, cost=cost))

    assert total([sure]).to_json() == {
        **{"runs": 1, "input_tokens": 1, "output_tokens": 2, "source": "reported"},
        "cost": {"amount": "0.000000000005", "currency": "USD", "estimated": False},
    }
    assert total([sure, guess]).to_json() == {
        **{"runs": 2, "input_tokens": 4, "output_tokens": 6, "source": "estimated"},
        "cost": {"amount": "0.00000000001", "currency": "USD", "estimated": True},
    }


def test_nothing_used_is_all_zeros() -> None:
    assert total([]) == UsedTokens()


@given(RUNS)
def test_ledger_loses_nothing(ended: list[tuple[Usage, Cost | None]]) -> None:
    ledger = UsageLedger()
    for usage, cost in ended:
        ledger.add(run_record(usage=usage, cost=cost), START)
    sums = total(ledger.since("ann", day_of(START)))

    assert sums.tokens == sum(u.input_tokens + u.output_tokens for u, _ in ended)
    assert sums.cost == sum(cost.picos for _, cost in ended if cost)
    assert sums.runs == len(ended)


def test_ledger_keeps_owners_days_and_models_apart() -> None:
    ledger = UsageLedger()
    for owner, day, model in (("ann", 0, "a"), ("ann", 1, "a"), ("ann", 1, "b"), ("bob", 1, "a")):
        run = run_record(owner=owner, model=model, usage=Usage(1, 1))
        ledger.add(run, START + day * DAY_S)

    first, second = day_of(START), day_of(START + DAY_S)
    assert [(u.day, u.model, u.runs) for u in ledger.since("ann", first)] == [
        *((first, "a", 1), (second, "a", 1), (second, "b", 1)),
    ]
    assert len(ledger.since("ann", second)) == 2
    assert ledger.since("ann", "2999-01-01") == ledger.since("carl", first) == []
