"""A server that says it is loading its model is asked again until it has, or its time is over."""

from __future__ import annotations

import logging

import pytest

from app.core.run_errors import RunError, UpstreamError, UpstreamRateLimited
from tests.providers.wrappers.chain import REPLY, Chain, answering, retrying
from tests.support.options import RetryOptions


def loading(wait_s: float = 0.0) -> RunError:
    error = UpstreamError()
    error.loading, error.wait_s = True, wait_s
    return error


@pytest.mark.parametrize("random,pause_s", [(0.0, 1), (0.5, 3), (1.0, 5)])
def test_it_is_asked_each_few_seconds_beyond_all_retries(random: float, pause_s: float) -> None:
    chain = Chain("a", RetryOptions(max_retries=0), first_piece_s=285)
    chain.random = random
    chain.script("a", *[loading() for _ in range(40)])

    assert chain.ask() == [retrying(2, "a"), *REPLY]
    assert chain.watch.sleeps == [pause_s] * 40


def test_its_failures_are_one_attempt_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    chain = Chain("a", first_piece_s=285)
    errors = [loading() for _ in range(9)]
    chain.script("a", *errors)
    with caplog.at_level(logging.WARNING):
        chain.ask()

    assert chain.asked == ["a upstream_error", "a"]
    assert chain.request.attempts[0].error_id == errors[-1].error_id
    assert len(caplog.records) == 1


def test_other_failures_before_and_after_have_rows_and_retries_of_their_own() -> None:
    chain = Chain("a", first_piece_s=285)
    chain.script("a", UpstreamError(), loading(), loading(), UpstreamError(), loading())

    assert chain.ask()[-3:] == REPLY
    assert chain.asked == ["a upstream_error"] * 4 + ["a"]


def test_it_may_say_when_to_ask_again() -> None:
    chain = Chain("a", first_piece_s=285)
    chain.script("a", loading(wait_s=7.5), loading(wait_s=600))
    chain.ask()

    assert chain.watch.sleeps == [7.5, 30]


def test_who_never_loads_goes_to_the_next_when_its_time_is_over() -> None:
    chain = Chain("ab")
    chain.script("a", *[loading() for _ in range(9)])

    assert chain.ask() == [retrying(2, "a"), retrying(3, "b"), answering("b"), *REPLY]
    assert chain.asked == ["a upstream_error", "b"]
    assert chain.watch.sleeps == [5, 5, 5]


def test_only_a_run_in_which_it_never_loaded_counts_against_it() -> None:
    chain = Chain("ab")
    for _ in range(9):
        chain.script("a", loading(), loading(), ["Hi", ("finish", "stop")])
        chain.ask()
    assert chain.asked == ["a upstream_error", "a"]

    for _ in range(3):
        chain.script("a", *[loading() for _ in range(4)])
        chain.ask()
    chain.ask()
    assert chain.asked == ["b"]


def test_exact_wait_goes_before_the_rounded_one() -> None:
    chain = Chain("a")
    chain.random = 0.0
    error = UpstreamRateLimited(retry_after_s=1)
    error.wait_s = 0.25
    chain.script("a", error)
    chain.ask()

    assert chain.watch.sleeps == [0.25]
