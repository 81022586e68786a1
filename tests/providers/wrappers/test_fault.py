"""Faults: one thing goes wrong, at the piece it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
)
from app.providers.wrappers.fault import (
    ALLOWED,
    KINDS,
    SLOW_S,
    FaultPlan,
    FaultProvider,
    parse_fault,
)
from app.runs.ports import Piece, Provider
from tests.support.samples import provider_request
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stopwatch import Stopwatch

SCRIPT: list[Any] = [[("text", "a"), ("reasoning", "b"), ("status", {}), ("text", "c")], "d", STOP]
WHOLE: list[Piece] = [
    *(("text", "a"), ("reasoning", "b"), ("status", {}), ("text", "c"), ("text", "d"), STOP)
]


def spoilt(written: str, watch: Stopwatch | None = None) -> tuple[list[Piece], RunError | None]:
    """Return the pieces and the error of the script with that fault."""
    scripted = ScriptedProvider()
    scripted.enqueue(*SCRIPT)
    plan = parse_fault(written)
    assert plan is not None
    pieces: list[Piece] = []
    try:
        provider = FaultProvider(scripted, plan, (watch or Stopwatch()).sleep)
        for batch in provider.stream(provider_request()):
            pieces += batch
    except RunError as error:
        return pieces, error
    return pieces, None


@pytest.mark.parametrize(
    "kind,error",
    [
        ("drop", UpstreamIncomplete),
        ("rate_limit", UpstreamRateLimited),
        ("break", UpstreamMalformed),
        ("error", UpstreamError),
        ("refuse", UpstreamRefused),
        ("auth", UpstreamAuth),
    ],
)
@pytest.mark.parametrize("after,come", [(0, 0), (1, 1), (2, 2), (3, 4), (4, 5)])
def test_error_comes_after_that_many_pieces(
    kind: str, error: type[RunError], after: int, come: int
) -> None:
    pieces, raised = spoilt(f"{kind}:{after}")

    assert pieces == WHOLE[:come]
    assert type(raised) is error


def test_rate_limit_says_how_long_to_wait() -> None:
    _, raised = spoilt("rate_limit:0")

    assert raised is not None and raised.retry_after_s == 1


@pytest.mark.parametrize("kind", ["drop", "stall", "duplicate"])
def test_reply_with_fewer_pieces_is_left_as_it_is(kind: str) -> None:
    assert spoilt(f"{kind}:5") == (WHOLE, None)


def test_piece_is_sent_twice() -> None:
    assert spoilt("duplicate:2") == ([*WHOLE[:2], WHOLE[1], *WHOLE[2:]], None)


@pytest.mark.parametrize("after,sleeps", [(0, 4), (3, 1), (4, 0)])
def test_slow_provider_takes_its_time(after: int, sleeps: int) -> None:
    watch = Stopwatch()

    assert spoilt(f"slow:{after}", watch) == (WHOLE, None)
    assert watch.sleeps == [SLOW_S] * sleeps


def test_stalled_provider_is_silent_until_it_is_broken_off(scripted: ScriptedProvider) -> None:
    watch = Stopwatch()
    scripted.enqueue(*SCRIPT)
    request = provider_request()
    stream = FaultProvider(scripted, FaultPlan("stall", 1), watch.sleep).stream(request)
    assert next(stream) == [("text", "a")]

    with pytest.raises(TimeoutError), watch.deadline(1000):
        next(stream)
    assert len(watch.sleeps) == 17
    assert scripted.closed == 1 and request.upstream.was_closed is True


def test_it_has_its_own_name_and_the_others_model(scripted: ScriptedProvider) -> None:
    provider: Provider = FaultProvider(scripted, FaultPlan("drop", 1), lambda seconds: None)

    assert (provider.name, provider.default_model) == ("fault", "scripted-1")


def test_nothing_written_means_no_fault() -> None:
    assert parse_fault("") is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_written(kind: str) -> None:
    assert parse_fault(f"{kind}:7") == FaultPlan(kind, 7)
    assert kind in ALLOWED


@pytest.mark.parametrize(
    "written",
    [
        *("drop", "drop:", "drop:x", "drop:-1", "drop:1.5", "drop:1:2", "drop: 1", "drop:²"),
        *("drop:1000001", "drop:99999999", "duplicate:0", ":1", "burn:1", "DROP:1"),
    ],
)
def test_bad_fault_is_told_what_is_allowed(written: str) -> None:
    with pytest.raises(ValueError, match="like drop:5") as refused:
        parse_fault(written)
    assert str(refused.value) == ALLOWED
