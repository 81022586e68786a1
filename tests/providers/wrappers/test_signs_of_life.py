"""Signs of life: every wrapper passes them on, and a chain waits longer for who shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.chats.rules import Filtered
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.providers.wire.adapting import Adaptations
from app.providers.wrappers.breaker import Breaker, Breakers
from app.providers.wrappers.complete import Pacing, WithWhole
from app.providers.wrappers.fault import FaultPlan, FaultProvider
from app.providers.wrappers.recording import Recording
from app.providers.wrappers.retries import Guarded, Resilient, Timing, Waits
from app.runs.ports import ALIVE, USAGE, Clock, Piece, PieceStream, Provider
from tests.support.options import RetryOptions
from tests.support.samples import provider_request
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stopwatch import Stopwatch

SIGN: Piece = (ALIVE, None)
FIRST_S, ALIVE_S, FALLBACK_S = 60.0, 50.0, 20.0


class EitherWay(ScriptedProvider):
    """A scripted provider that can be asked for a whole reply too."""

    adaptations = Adaptations("scripted")

    def whole(self, request: ProviderRequest) -> PieceStream:
        return self.stream(request)


def chain(watch: Stopwatch, *providers: Provider) -> Resilient:
    timing = Timing(watch.sleep, watch.deadline, watch.monotonic, lambda: 0.0)
    rules = RetryOptions(fallback_after_s=FALLBACK_S)
    guarded = [Guarded(one, Breakers(lambda: Breaker(3, 30, watch.monotonic))) for one in providers]
    return Resilient(guarded, rules, Waits(FIRST_S, ALIVE_S), timing)


PACING = Pacing(1, 0, lambda seconds: None)
WRAPPERS: dict[str, Callable[[EitherWay], Provider]] = {
    "whole": lambda provider: WithWhole(provider, PACING, streams=False),
    "stream": lambda provider: WithWhole(provider, PACING, streams=True),
    "recording": lambda one: Recording(one, "/none", Clock(), lambda path, data: None),
    "fault": lambda one: FaultProvider(one, FaultPlan("drop", 9), lambda seconds: None),
    "filter": lambda provider: Filtered(provider, lambda direction, text: text),
    "retries": lambda provider: chain(Stopwatch(), provider),
}


@pytest.mark.parametrize("paced", [True, False])
@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapper_passes_it_on_in_its_place(name: str, paced: bool) -> None:
    provider = EitherWay()
    provider.enqueue([SIGN], "a", [SIGN], "b", STOP)
    request = replace(provider_request(), paced=paced)
    batches = [list(batch) for batch in WRAPPERS[name](provider).stream(request)]

    assert batches == [[SIGN], [("text", "a")], [SIGN], [("text", "b")], [STOP]]


class Chain:
    """Two scripted providers behind one; `pause` is a step that takes that long."""

    def __init__(self, names: str) -> None:
        self.watch = Stopwatch()
        self.request = provider_request()
        self.providers = {name: ScriptedProvider() for name in names}
        for name, provider in self.providers.items():
            provider.name = name

    def pause(self, seconds: float) -> Callable[[], None]:
        return lambda: self.watch.pass_(seconds)

    def asked(self, *steps: Any) -> list[str]:
        """Return who was asked, and how it failed, where the first says so."""
        first, *_ = self.providers.values()
        first.enqueue(*steps)
        list(chain(self.watch, *self.providers.values()).stream(self.request))
        return [one.provider + f" {one.code or ''}" for one in self.request.attempts]


def thinking(one: Chain, times: int, every_s: float, sign: Piece = SIGN) -> Sequence[Any]:
    return [step for _ in range(times) for step in (one.pause(every_s), [sign])]


@pytest.mark.parametrize("sign", [SIGN, (USAGE, Usage(5, 1))])
def test_last_that_shows_signs_of_life_is_waited_for(sign: Piece) -> None:
    one = Chain("a")

    assert one.asked(*thinking(one, 9, ALIVE_S - 1, sign), "Hi", STOP) == ["a "]


def test_first_that_shows_signs_of_life_is_not_left_for_the_next() -> None:
    one = Chain("ab")

    assert one.asked(*thinking(one, 9, FALLBACK_S - 1), "Hi", STOP) == ["a "]


def test_next_has_its_time_after_a_first_that_fell_silent_late() -> None:
    one = Chain("ab")
    one.providers["b"].enqueue(one.pause(ALIVE_S - FALLBACK_S - 1), "Hi", STOP)
    asked = one.asked(*thinking(one, 9, FALLBACK_S - 1), one.watch.silence())

    assert asked == ["a upstream_timeout", "b "]


def test_sign_of_life_takes_no_time_away() -> None:
    one = Chain("a")

    assert one.asked([SIGN], one.pause(FIRST_S - 1), "Hi", STOP) == ["a "]
