"""Retries and fallbacks: before the first piece only, and everybody is told."""

from __future__ import annotations

from itertools import pairwise

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
)
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.runs.ports import Piece
from tests.providers.wrappers.chain import REPLY, Chain, answering, retrying
from tests.support.options import RetryOptions
from tests.support.scripted import STOP


def test_reply_of_the_first_goes_through() -> None:
    chain = Chain()

    assert chain.ask() == REPLY
    assert chain.asked == ["a"]
    assert chain.watch.sleeps == []
    assert chain.resilient.name == "a" and chain.resilient.default_model == "a-default"


@pytest.mark.parametrize(
    "error", [UpstreamError, UpstreamRefused, UpstreamRateLimited, UpstreamTimeout]
)
def test_failure_that_may_pass_is_tried_again(error: type[RunError]) -> None:
    chain = Chain()
    chain.script("a", error())

    assert chain.ask() == [retrying(2, "a"), *REPLY]
    assert chain.asked == [f"a {error.code}", "a"]
    assert chain.watch.sleeps == [0.5]


def test_empty_stream_is_tried_again() -> None:
    chain = Chain()
    chain.script("a", [], [("usage", Usage(1, 0))], ["Hi", STOP])

    assert [piece for piece in chain.ask() if piece[0] == "text"] == [("text", "Hi")]
    assert chain.asked == ["a upstream_incomplete"] * 2 + ["a"]


def test_back_off_doubles_up_to_its_limit_with_full_jitter() -> None:
    chain = Chain("a", RetryOptions(max_retries=6))
    chain.script("a", *[UpstreamError() for _ in range(6)])
    chain.ask()
    assert chain.watch.sleeps == [0.5, 1, 2, 4, 8, 8]

    chain.random = 0.0
    chain.script("a", UpstreamError())
    chain.ask()
    assert chain.watch.sleeps[6:] == [0.0]


def test_retry_after_is_honoured() -> None:
    chain = Chain()
    chain.script("a", UpstreamRateLimited(retry_after_s=7))

    assert chain.ask() == [retrying(2, "a"), *REPLY]
    assert chain.watch.sleeps == [7]


@pytest.mark.parametrize("wait_s,silence_s", [(31, 60), (7, 6)])
def test_retry_after_that_is_too_long_goes_to_the_next(wait_s: int, silence_s: float) -> None:
    chain = Chain("ab", RetryOptions(fallback_after_s=silence_s), first_piece_s=120)
    chain.script("a", UpstreamRateLimited(retry_after_s=wait_s))

    assert chain.ask() == [retrying(2, "b"), answering("b"), *REPLY]
    assert chain.watch.sleeps == []


def test_after_its_retries_the_next_is_asked_with_its_own_model() -> None:
    chain = Chain()
    chain.script("a", *[UpstreamError() for _ in range(3)])

    assert chain.ask() == [
        retrying(2, "a"),
        retrying(3, "a"),
        retrying(4, "b"),
        answering("b"),
        *REPLY,
    ]
    assert [attempt.to_json() for attempt in chain.request.attempts][2:] == [
        {
            "provider": "a",
            "model": "asked-for",
            "code": "upstream_error",
            "error_id": chain.request.attempts[2].error_id,
        },
        {"provider": "b", "model": "b-default"},
    ]
    assert chain.providers["b"].requests[0].messages == chain.request.messages


@pytest.mark.parametrize(
    "error",
    [
        *(UpstreamAuth, UpstreamBlocked, UpstreamContext, UpstreamCredit, UpstreamFiltered),
        *(UpstreamMalformed, UpstreamNotFound, UpstreamProxy, UpstreamRejected),
    ],
)
def test_failure_that_stays_goes_to_the_next_at_once(error: type[RunError]) -> None:
    chain = Chain()
    chain.script("a", error())

    assert chain.ask() == [retrying(2, "b"), answering("b"), *REPLY]
    assert chain.asked == [f"a {error.code}", "b"]


def test_after_the_first_piece_nothing_is_tried_again() -> None:
    chain = Chain()
    error = UpstreamIncomplete()
    chain.script("a", ["Hel", error])

    assert chain.fail() is error
    assert chain.asked == ["a"]
    assert len(chain.providers["a"].requests) == 1


@pytest.mark.parametrize("piece", [("reasoning", "hm"), ("finish", "content_filter")])
def test_reasoning_and_a_finish_are_an_answer_too(piece: Piece) -> None:
    chain = Chain()
    chain.script("a", [piece, UpstreamError()])
    chain.fail()

    assert chain.asked == ["a"]


def test_when_all_fail_the_error_is_that_of_the_first() -> None:
    chain = Chain("ab")
    error = UpstreamRejected()
    chain.script("a", error)
    chain.script("b", UpstreamAuth())

    assert chain.fail() is error
    assert chain.asked == ["a upstream_rejected", "b upstream_auth"]


def test_silent_provider_falls_through_and_failing_ones_are_left_out() -> None:
    chain = Chain()
    for _ in range(10):
        chain.script("a", *[UpstreamError() for _ in range(3)])
        chain.script("b", [chain.watch.silence()])
    first = chain.ask()
    asked = ["a upstream_error"] * 3 + ["b upstream_timeout", "c"]
    waiting = [
        retrying(2, "a"),
        retrying(3, "a"),
        retrying(4, "b"),
        retrying(5, "c"),
        answering("c"),
    ]
    assert (first, chain.asked) == ([*waiting, *REPLY], asked)

    for _ in range(9):
        tenth = chain.ask()
    assert (tenth, chain.asked) == ([answering("c"), *REPLY], ["c"])


@pytest.mark.parametrize("error", [None, UpstreamRefused(), UpstreamIncomplete()])
def test_deadline_is_known_in_any_disguise(error: RunError | None) -> None:
    chain = Chain("ab")
    chain.script("a", [chain.watch.silence(error)])
    chain.ask()

    assert chain.asked == ["a upstream_timeout", "b"]


def test_late_failure_keeps_its_name() -> None:
    chain = Chain("ab")
    # as in a thread, which no deadline breaks off
    chain.script("a", [lambda: chain.watch.clock.advance(25), UpstreamError()])
    chain.ask()

    assert chain.asked == ["a upstream_error", "b"]


def test_each_has_its_share_of_the_time() -> None:
    chain = Chain("abcd", RetryOptions(fallback_after_s=20))
    for name in "abcd":
        chain.script(name, [chain.watch.silence()])

    assert chain.fail().code == "upstream_timeout"
    assert chain.watch.deadlines == [15, 15, 15, 15]


def test_silence_counts_from_the_share_and_the_last_gets_the_rest() -> None:
    chain = Chain("ab", RetryOptions(fallback_after_s=20))
    for name in "ab":
        chain.script(name, [chain.watch.silence()])
    chain.fail()

    assert chain.watch.deadlines == [20, 40]


def test_nobody_is_asked_when_the_time_is_over() -> None:
    chain = Chain("ab")
    chain.script("a", [lambda: chain.watch.clock.advance(61), UpstreamError()])
    chain.fail()

    assert chain.asked == ["a upstream_error"]


def test_words_that_are_no_reply_do_not_hold_off_the_deadline() -> None:
    chain = Chain("ab")
    status: Piece = ("status", {"status": "thinking"})
    chain.script("a", [status, lambda: chain.watch.clock.advance(21), status])

    assert chain.ask()[-3:] == REPLY
    assert chain.asked == ["a upstream_timeout", "b"]


def test_upstream_is_that_of_the_attempt_under_way() -> None:
    chain = Chain("a")
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        upstream = chain.request.upstream
        seen.append((upstream.opened, upstream.closed))

    chain.script("a", UpstreamError(), [look, "Hi", STOP])
    chain.ask()

    assert seen == [(True, False)]
    assert chain.request.upstream.was_closed is True


def test_closing_closes_the_provider() -> None:
    chain = Chain("ab")
    stream = chain.resilient.stream(ProviderRequest((), "m"))
    next(stream)
    stream.close()

    assert chain.providers["a"].closed == 1


def test_stop_before_the_second_try_asks_nobody() -> None:
    chain = Chain("ab")
    chain.script("a", UpstreamError())
    stream = chain.resilient.stream(ProviderRequest((), "m"))
    batches = [next(stream), next(stream)]  # the status, then the turn after the pause
    stream.close()

    assert batches == [[retrying(2, "a")], ()]
    assert len(chain.providers["a"].requests) == 1


def test_pauses_never_outlast_the_time_that_is_left() -> None:
    chain = Chain("a", first_piece_s=6)
    chain.script("a", UpstreamRateLimited(retry_after_s=7))

    assert chain.fail().retry_after_s == 7
    assert chain.watch.sleeps == []


def test_attempts_are_numbered_over_the_chain() -> None:
    chain = Chain()
    chain.script("a", UpstreamError(), UpstreamAuth())
    chain.script("b", UpstreamAuth())
    numbers = [data["attempt"] for _, data in chain.ask() if "attempt" in data]

    assert all(later == earlier + 1 for earlier, later in pairwise([1, *numbers]))


def test_log_line_of_a_failure_has_what_upstream_said(caplog: pytest.LogCaptureFixture) -> None:
    chain = Chain("ab")
    error = UpstreamRejected()
    error.said = Said(400, "no_such_model")
    chain.script("a", error)
    chain.ask()

    [line] = caplog.records
    said = {name: one for name, one in vars(line).items() if name.startswith("upstream_")}
    assert said == {"upstream_status": 400, "upstream_code": "no_such_model"}
    assert error.error_id in line.getMessage()
