"""The limit of a day: reached at its number, for one owner, until 00:00 UTC."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.chats.request import ChatRequest
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.errors import RateLimited
from app.core.messages import text_parts
from app.core.usage import PICOS, UsedTokens
from app.stores.memory import MemoryStore
from app.usage.daily import day_of, until_tomorrow_s
from app.usage.limits import DailyLimits
from app.wiring import RunParts
from tests.chats.conftest import service_of
from tests.support.clock import START, HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import DailyOptions
from tests.support.scripted import ScriptedProvider


def used(tokens_in: int = 0, tokens_out: int = 0, cost: int = 0) -> list[UsedTokens]:
    return [UsedTokens(1, tokens_in, tokens_out, cost=cost, currency="EUR" if cost else "")]


def check(limits: DailyLimits, *found: UsedTokens) -> None:
    limits.check("ann", START, lambda owner, day: list(found))


@pytest.mark.parametrize("tokens_in,tokens_out", [(100, 0), (0, 100), (60, 40), (1000, 1000)])
def test_tokens_in_and_out_count_together(tokens_in: int, tokens_out: int) -> None:
    with pytest.raises(RateLimited) as refused:
        check(DailyLimits(DailyOptions(daily_tokens_per_user=100)), *used(tokens_in, tokens_out))
    assert "the 100 tokens" in refused.value.message
    assert refused.value.retry_after_s == until_tomorrow_s(START)


@pytest.mark.parametrize("tokens_in,tokens_out", [(0, 0), (99, 0), (50, 49)])
def test_less_than_the_limit_is_let_through(tokens_in: int, tokens_out: int) -> None:
    check(DailyLimits(DailyOptions(daily_tokens_per_user=100)), *used(tokens_in, tokens_out))


def test_all_models_count() -> None:
    with pytest.raises(RateLimited):
        check(DailyLimits(DailyOptions(daily_tokens_per_user=100)), *used(50), *used(50))


def test_cost_is_compared_exactly() -> None:
    limits = DailyLimits(DailyOptions(daily_cost_per_user=Decimal("0.1")))
    check(limits, *used(cost=PICOS // 10 - 1))
    with pytest.raises(RateLimited) as refused:
        check(limits, *used(cost=PICOS // 20), *used(cost=PICOS // 20))
    assert "the 0.1 EUR" in refused.value.message


def test_tokens_without_a_price_cost_nothing() -> None:
    check(DailyLimits(DailyOptions(daily_cost_per_user=Decimal(1))), *used(10**9))


def test_without_limits_nobody_is_asked() -> None:
    def never(owner: str, day: str) -> list[UsedTokens]:
        raise AssertionError

    DailyLimits(DailyOptions()).check("ann", START, never)


def test_owner_and_day_are_asked_for() -> None:
    asked = []

    def used_since(owner: str, day: str) -> list[UsedTokens]:
        asked.append((owner, day))
        return []

    DailyLimits(DailyOptions(daily_tokens_per_user=1)).check("ann", START, used_since)
    assert asked == [("ann", day_of(START))]


# --- in a service -------------------------------------------------------------------------------


@pytest.fixture
def limited(
    memory_store: MemoryStore,
    session_map: SessionMap,
    parts: RunParts,
    clock: HandClock,
) -> SessionService:
    daily = DailyLimits(DailyOptions(daily_tokens_per_user=1))
    return service_of(parts, memory_store, session_map, clock.clock, daily)


def ask(sessions: SessionService, runtime: ManualRuntime, owner: str = "ann", **fields: str) -> str:
    request = ChatRequest(text_parts("hi"), **fields)  # type: ignore[arg-type]
    started = sessions.start(owner, request)
    runtime.run()
    return started.found.record.id


def test_second_reply_of_the_day_is_refused_and_leaves_nothing(
    limited: SessionService, runtime: ManualRuntime, memory_store: MemoryStore
) -> None:
    ask(limited, runtime)
    with pytest.raises(RateLimited):
        ask(limited, runtime, session_id="s-2")
    assert memory_store.find_session("ann", "s-2") is None


def test_reply_under_way_does_not_count_yet(
    limited: SessionService, runtime: ManualRuntime
) -> None:
    limited.start("ann", ChatRequest(text_parts("one")))
    limited.start("ann", ChatRequest(text_parts("two")))
    runtime.run()
    with pytest.raises(RateLimited):
        limited.start("ann", ChatRequest(text_parts("three")))


def test_limit_is_each_owners_own(limited: SessionService, runtime: ManualRuntime) -> None:
    ask(limited, runtime)
    ask(limited, runtime, owner="bob")


def test_next_day_begins_at_midnight_utc(
    limited: SessionService, runtime: ManualRuntime, clock: HandClock
) -> None:
    ask(limited, runtime)
    with pytest.raises(RateLimited) as refused:
        ask(limited, runtime)
    wait_s = refused.value.retry_after_s
    assert wait_s is not None
    clock.advance(wait_s - 1)
    with pytest.raises(RateLimited) as refused:
        ask(limited, runtime)
    assert refused.value.retry_after_s == 1
    clock.advance(1)
    ask(limited, runtime)


def test_key_of_a_reply_joins_it_over_the_limit_too(
    limited: SessionService, runtime: ManualRuntime
) -> None:
    run_id = ask(limited, runtime, idempotency_key="k")
    assert ask(limited, runtime, idempotency_key="k") == run_id


def test_cut_reply_is_not_continued_over_the_limit(
    limited: SessionService, runtime: ManualRuntime, scripted: ScriptedProvider
) -> None:
    scripted.enqueue("cut")
    run_id = ask(limited, runtime)
    with pytest.raises(RateLimited):
        limited.continue_run("ann", run_id, ChatRequest(text_parts("")))


def test_reading_is_not_limited(limited: SessionService, runtime: ManualRuntime) -> None:
    ask(limited, runtime, session_id="s-1")
    assert [one.text for one in limited.messages("ann", "s-1")] == ["hi", "Hello there"]
    assert limited.usage("ann", 1)[0].runs == 1
