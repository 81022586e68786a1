"""Each provider has the fallbacks behind it, and all share what is known of each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.core.run_errors import UpstreamAuth
from app.providers.build import chained
from app.providers.wrappers.breaker import Breaker
from app.providers.wrappers.retries import Timing, Waits
from app.runs.ports import Provider
from tests.support.options import RetryOptions
from tests.support.samples import provider_request
from tests.support.scripted import ScriptedProvider
from tests.support.stopwatch import Stopwatch


def chains(fallbacks: Sequence[str], failing: str = "") -> dict[str, Provider]:
    """Return providers a, b, c; those in `failing` refuse the key nine times."""
    watch = Stopwatch()
    providers = {}
    for name in "abc":
        providers[name] = ScriptedProvider()
        providers[name].name = name
        for _ in range(9 * (name in failing)):
            providers[name].enqueue(UpstreamAuth())
    timing = Timing(watch.sleep, watch.deadline, watch.monotonic, lambda: 0.0)
    return chained(
        providers,
        fallbacks,
        lambda: Breaker(2, 30, watch.monotonic),
        RetryOptions(),
        lambda provider: Waits(57, 57),
        timing,
    )


def asked(provider: Provider) -> str:
    request = provider_request()
    list(provider.stream(request))
    return "".join(attempt.provider for attempt in request.attempts)


def test_fallbacks_are_asked_in_their_order() -> None:
    found = chains(["c", "b", "c"], failing="ac")

    assert [provider.name for provider in found.values()] == ["a", "b", "c"]
    assert asked(found["a"]) == "acb"
    assert asked(found["c"]) == "cb"


def test_who_is_not_named_is_no_fallback() -> None:
    found = chains([], failing="a")

    with pytest.raises(UpstreamAuth):
        asked(found["a"])


def test_what_one_chain_learns_all_know() -> None:
    found = chains(["b", "c"], failing="ab")

    assert [asked(found["b"]) for _ in range(3)] == ["bc", "bc", "c"]
    assert asked(found["a"]) == "ac"


def test_unknown_fallback_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match="names of a, b, c, separated by commas"):
        chains(["hal"])
