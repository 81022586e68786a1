"""Scripted providers behind one, as the tests of retries, breakers and fallbacks ask them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.core.run_errors import RunError
from app.providers.wrappers.breaker import Breaker, Breakers
from app.providers.wrappers.retries import Guarded, Resilient, Timing, Waits
from app.runs.ports import Piece
from tests.support.options import RetryOptions
from tests.support.samples import provider_request
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stopwatch import Stopwatch

RULES = RetryOptions()
FAILURES, LEFT_OUT_S = 3, 30.0
ALIVE_S = 50.0


class Chain:
    """Three scripted providers behind one; `ask` returns what came of a request."""

    def __init__(
        self, names: str = "abc", rules: RetryOptions = RULES, first_piece_s: float = 60
    ) -> None:
        self.watch = Stopwatch()
        self.random = 1.0
        self.model = "asked-for"
        self.providers = {name: named(name) for name in names}
        guarded = [
            Guarded(provider, Breakers(lambda: Breaker(FAILURES, LEFT_OUT_S, self.watch.monotonic)))
            for provider in self.providers.values()
        ]
        watch = self.watch
        timing = Timing(watch.sleep, watch.deadline, watch.monotonic, lambda: self.random)
        self.resilient = Resilient(guarded, rules, Waits(first_piece_s, ALIVE_S), timing)
        self.request = provider_request()

    def script(self, name: str, *scripts: Sequence[Any] | BaseException) -> None:
        for script in scripts:
            steps = [script] if isinstance(script, BaseException) else script
            self.providers[name].enqueue(*steps)

    def ask(self) -> list[Piece]:
        self.request = replace(provider_request(), model=self.model)
        return [piece for batch in self.resilient.stream(self.request) for piece in batch]

    def fail(self) -> RunError:
        with pytest.raises(RunError) as raised:
            self.ask()
        return raised.value

    @property
    def asked(self) -> list[str]:
        """Who was asked and how it failed, as the record has it."""
        said = [(attempt.provider, attempt.code) for attempt in self.request.attempts]
        return [name if code is None else f"{name} {code}" for name, code in said]


def named(name: str) -> ScriptedProvider:
    provider = ScriptedProvider()
    provider.name, provider.default_model = name, f"{name}-default"
    return provider


def retrying(attempt: int, provider: str) -> Piece:
    return "status", {"status": "retrying", "attempt": attempt, "provider": provider}


def answering(provider: str) -> Piece:
    """The status that says that this one answers in the place of another."""
    return "status", {"status": "answering", "provider": provider, "model": f"{provider}-default"}


REPLY: list[Piece] = [("text", "Hello"), ("text", " there"), STOP]
