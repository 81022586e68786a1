"""Who is left out: a model whose server fails run after run, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.core.run_errors import (
    RunError,
    Said,
    UpstreamAuth,
    UpstreamBlocked,
    UpstreamContext,
    UpstreamCredit,
    UpstreamError,
    UpstreamFiltered,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamProxy,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTooLarge,
)
from app.providers.wrappers.breaker import LONGEST_NAME, MOST_MODELS, Breaker, Breakers
from tests.providers.wrappers.chain import FAILURES, LEFT_OUT_S, REPLY, Chain
from tests.support.options import RetryOptions
from tests.support.stopwatch import Stopwatch

OF_HEALTH = [
    *(UpstreamAuth, UpstreamCredit, UpstreamError, UpstreamProxy),
    *(UpstreamRateLimited, UpstreamRefused, UpstreamTimeout),
]
OF_THE_REQUEST = [
    *(UpstreamBlocked, UpstreamContext, UpstreamFiltered, UpstreamIncomplete, UpstreamMalformed),
    *(UpstreamNotFound, UpstreamRejected, UpstreamTooLarge),
]


def forbidden() -> RunError:
    error = UpstreamAuth()
    error.said = Said(403)
    return error


def after_failures(*script: Any) -> Sequence[str]:
    """Return who is asked once the first has done this in enough runs to be left out."""
    chain = Chain("ab", RetryOptions(max_retries=0))
    for _ in range(FAILURES):
        chain.script("a", list(script))
        try:
            chain.ask()
        except RunError:
            pass
    chain.ask()
    return chain.asked


@pytest.mark.parametrize("error", OF_HEALTH)
@pytest.mark.parametrize("begun", [[], ["Hel"]])
def test_server_that_is_ill_is_left_out(error: type[RunError], begun: list[str]) -> None:
    assert after_failures(*begun, error()) == ["b"]


@pytest.mark.parametrize("error", [*OF_THE_REQUEST, forbidden])
@pytest.mark.parametrize("begun", [[], ["Hel"]])
def test_what_may_be_of_one_request_leaves_nobody_out(error: Any, begun: list[str]) -> None:
    assert after_failures(*begun, error()) == ["a"]


def test_every_failure_of_upstream_is_one_or_the_other() -> None:
    upstream = [one for one in RunError.__subclasses__() if one.__name__.startswith("Upstream")]

    assert {*OF_HEALTH, *OF_THE_REQUEST} == set(upstream)


def test_other_models_of_the_provider_go_on() -> None:
    chain = Chain("ab")
    for _ in range(FAILURES):
        chain.script("a", UpstreamAuth())
        chain.ask()
    chain.ask()
    assert chain.asked == ["b"]
    chain.model = "another"
    chain.ask()

    assert chain.asked == ["a"]


def test_fallback_is_known_by_its_own_model() -> None:
    chain = Chain("ab")
    for model in ("one", "two", "three", "four"):
        chain.model = model
        chain.script("a", UpstreamRejected())
        chain.script("b", UpstreamAuth())
        failure = chain.fail()

    assert isinstance(failure, UpstreamRejected)
    assert chain.asked == ["a upstream_rejected"]


def test_models_that_nobody_asks_for_are_forgotten() -> None:
    breakers = Breakers(lambda: Breaker(1, LEFT_OUT_S, Stopwatch().monotonic))
    kept, lost = breakers.of("kept"), breakers.of("lost")
    for number in range(MOST_MODELS - 1):
        breakers.of(f"model {number}")
        assert breakers.of("kept") is kept

    assert breakers.of("lost") is not lost


def test_long_names_take_no_more_room_than_others() -> None:
    breakers = Breakers(lambda: Breaker(1, LEFT_OUT_S, Stopwatch().monotonic))

    assert breakers.of("x" * 10_000) is breakers.of("x" * LONGEST_NAME)


def test_once_its_time_is_over_one_trial_decides() -> None:
    chain = Chain("ab")
    for _ in range(3):
        chain.script("a", UpstreamAuth())
        chain.ask()
    chain.watch.clock.advance(LEFT_OUT_S)
    chain.script("a", UpstreamAuth())
    chain.ask()
    assert chain.asked == ["a upstream_auth", "b"]
    chain.ask()
    assert chain.asked == ["b"]

    chain.watch.clock.advance(LEFT_OUT_S)
    chain.ask()
    assert chain.asked == ["a"]
    chain.ask()
    assert chain.asked == ["a"]


def test_when_all_are_left_out_the_first_is_asked() -> None:
    chain = Chain("ab")
    for _ in range(3):
        chain.script("a", UpstreamAuth())
        chain.script("b", UpstreamAuth())
        chain.fail()

    error = UpstreamAuth()
    chain.script("a", error)
    assert chain.fail() is error
    assert chain.ask() == REPLY
    assert chain.asked == ["a"]


def test_only_one_run_gets_the_trial() -> None:
    watch = Stopwatch()
    breaker = Breaker(1, LEFT_OUT_S, watch.monotonic)
    breaker.failed()
    assert (breaker.is_out, breaker.claim()) == (True, False)

    watch.clock.advance(LEFT_OUT_S)
    assert [breaker.claim() for _ in range(3)] == [True, False, False]
    watch.clock.advance(LEFT_OUT_S)
    assert breaker.claim()  # the trial never came back
    breaker.answered()
    assert all(breaker.claim() for _ in range(3))
