"""Retries, then fallbacks, for as long as nothing of the reply has come.

Once a piece has come another answer would contradict it: from there on a failure is the run's. What
is tried again, what goes to the next provider at once, and how long each may be silent:
`docs/upstream.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

from app.core.entries import STATUS, is_content
from app.core.run_errors import (
    RunError,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from app.core.runs import NEVER_IGNORED, Attempt, ProviderRequest
from app.providers.wire.images import needed
from app.providers.wrappers.breaker import Breaker, Breakers, says_ill
from app.runs.ports import FINISH, SIGNS_OF_LIFE, Piece, PieceStream, Provider, own_patience_s

log = logging.getLogger(__name__)

Returned = TypeVar("Returned")
Answering = Generator[Sequence[Piece], None, Returned]
# What the same provider may not say twice. A bad key or a refused request it would.
PASSING = (
    UpstreamError,
    UpstreamIncomplete,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
# What client libraries make of a deadline that breaks them off; the time tells that it was one.
DISGUISES = (UpstreamIncomplete, UpstreamRefused, UpstreamTimeout)
EARLY_S = 0.05  # a timer may fire that much before the clock says so (gevent's loop caches time)


BACKOFF_S = 0.5  # before the first retry; twice as long before each further one
LONGEST_BACKOFF_S = 8.0
# Before a server that loads its model is asked again: it takes seconds to minutes.
LOADING_S, LONGEST_LOADING_S = 1.0, 5.0


class RetryRules(Protocol):
    """How often and how patiently; times in seconds."""

    @property
    def max_retries(self) -> int:
        """Of the same provider, before the next is asked; a model that is loading aside."""

    @property
    def fallback_after_s(self) -> float:
        """How long a provider that has another after it may be silent."""

    @property
    def retry_after_max_s(self) -> float:
        """The longest Retry-After that is waited for."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What waits: `sleep`, a `deadline` that breaks a block off with TimeoutError, the monotonic
    clock, and `random` in [0, 1)."""

    sleep: Callable[[float], None]
    deadline: Callable[[float], AbstractContextManager[object]]
    monotonic: Callable[[], float]
    random: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a chain waits, in seconds: for its first piece, all retries and fallbacks included,
    and after a sign of life. Both must be a little less than what ends the run from outside."""

    first_piece_s: float
    alive_s: float


class _Course:
    """How a run of the chain goes: when its time is over, and that of the provider being asked;
    what a sign of life gives to that one (`alive_s`); how many tries clients were told of."""

    def __init__(self, now: float, waits: Waits) -> None:
        self.tries = 1
        self.chain_until = self.provider_until = now + waits.first_piece_s
        self.alive_s = self._chain_alive_s = waits.alive_s

    def move(self, now: float) -> None:
        """Note a sign of life."""
        self.provider_until = max(self.provider_until, now + self.alive_s)
        self.chain_until = max(self.chain_until, now + self._chain_alive_s)

    def retrying(self, provider: Provider) -> list[Piece]:
        """Return the status that a further try begins with; `attempt` counts over the chain."""
        self.tries += 1
        said = {"status": "retrying", "attempt": self.tries, "provider": provider.name}
        return [(STATUS, said)]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A provider with its breakers, which all chains that it is in share."""

    provider: Provider
    breakers: Breakers


class _Link(NamedTuple):
    """One of a chain, as it is asked in a run: the request for it, and its model's breaker."""

    provider: Provider
    request: ProviderRequest
    breaker: Breaker
    was_asked_for: bool  # it itself, not one after it


class _Unanswered(Exception):
    """A provider failed before its first piece. `silent`: it said nothing for all of its time."""

    def __init__(self, error: RunError, silent: bool) -> None:
        super().__init__(error.code)
        self.error = error
        self.silent = silent


class Resilient:
    """A chain of providers that is one: the first, its retries, then the next."""

    def __init__(
        self, chain: Sequence[Guarded], rules: RetryRules, waits: Waits, timing: Timing
    ) -> None:
        self.name = chain[0].provider.name
        self.default_model = chain[0].provider.default_model
        self.parameters = chain[0].provider.parameters
        self.first_delta_timeout_s = own_patience_s(chain[0].provider)
        self._chain = tuple(chain)
        self._rules = rules
        self._waits = waits
        self._timing = timing

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what the first that answers yields; a status before each further try, and one that
        names who answers where that is another than was asked for.

        `request.attempts` gets who was asked, in order. If nobody answers, raises the RunError of
        the first that was asked: the request was for that one.
        """
        # What answers is handed out from here: each layer that a piece passes through costs.
        link, stream = yield from self._answer(request)
        try:
            with closing(stream):
                yield from stream
        except (RunError, TimeoutError) as error:
            if isinstance(error, TimeoutError) or says_ill(error):
                link.breaker.failed()
            raise
        link.breaker.succeeded()

    def _answer(self, request: ProviderRequest) -> Answering[tuple[_Link, PieceStream]]:
        """Yield what comes until somebody has answered; return who, and the rest of it."""
        course = _Course(self._timing.monotonic(), self._waits)
        failure: RunError | None = None
        for index in range(len(self._chain)):
            link = self._link(index, request)
            if not self._takes(index, request) or not link.breaker.claim():
                continue
            if failure is not None:
                if self._timing.monotonic() >= course.chain_until:
                    break
                yield course.retrying(link.provider)
            self._share(index, course)
            try:
                return link, (yield from self._ask(link, course))
            except _Unanswered as unanswered:
                failure = failure or unanswered.error
        if failure is None:  # all are left out: rather the first than nobody
            first = self._link(0, request)
            try:
                return first, (yield from self._ask(first, course))
            except _Unanswered as unanswered:
                failure = unanswered.error
        raise failure

    def _takes(self, index: int, request: ProviderRequest) -> bool:
        """Whether that one would honour what must not be ignored; the first was asked to."""
        if not index:
            return True
        asked = NEVER_IGNORED.intersection(request.parameters) | needed(request.messages)
        return asked <= self._chain[index].provider.parameters

    def _link(self, index: int, request: ProviderRequest) -> _Link:
        """Return that one of the chain. One that the request was not made for is asked for its own
        model, and of the parameters is given those that it takes."""
        provider, breakers = self._chain[index].provider, self._chain[index].breakers
        if index:
            known = request.parameters.items()
            taken = {name: value for name, value in known if name in provider.parameters}
            request = replace(request, model=provider.default_model, parameters=taken)
        return _Link(provider, request, breakers.of(request.model), not index)

    def _share(self, index: int, course: _Course) -> None:
        """Give that provider its time: the last has what is left, the others an even share of it or
        `fallback_after_s`, whichever is less."""
        others = self._chain[index + 1 :]
        after = sum(not one.breakers.of(one.provider.default_model).is_out for one in others)
        if not after:
            course.provider_until, course.alive_s = course.chain_until, self._waits.alive_s
            return
        now, patience_s = self._timing.monotonic(), self._rules.fallback_after_s
        course.provider_until = now + min(patience_s, (course.chain_until - now) / (after + 1))
        course.alive_s = patience_s

    def _ask(self, link: _Link, course: _Course) -> Answering[PieceStream]:
        """Yield what comes until the provider answers, after retries if need be; return the rest.
        Raises _Unanswered."""
        retry, loading = 0, False
        while True:
            try:
                return (yield from self._attempt(link, course))
            except _Unanswered as unanswered:
                error = unanswered.error
                still_loading, loading = loading and error.loading, error.loading
                _note_failure(link, error, still_loading)
                pause_s = self._pause_s(unanswered, retry, course)
                if pause_s is None:
                    if says_ill(error):
                        link.breaker.failed()
                    raise
            retry += not loading
            if not still_loading:  # which would be no news
                yield course.retrying(link.provider)
            self._timing.sleep(pause_s)
            yield ()  # where a task cannot be killed, a run that has ended meanwhile ends here

    def _pause_s(self, unanswered: _Unanswered, retry: int, course: _Course) -> float | None:
        """Return how long to wait before the next try, None for no more tries."""
        pause_s = None if unanswered.silent else self._wanted_s(unanswered.error, retry)
        if pause_s is None or self._timing.monotonic() + pause_s >= course.provider_until:
            return None
        return pause_s

    def _wanted_s(self, error: RunError, retry: int) -> float | None:
        """The same, however much time there is."""
        rules, asked_s = self._rules, float(error.wait_s or error.retry_after_s or 0)
        # Jitter: many runs that failed at once must not come back at once.
        if error.loading:
            jitter_s = self._timing.random() * (LONGEST_LOADING_S - LOADING_S)
            asked_s = min(asked_s, rules.retry_after_max_s)
            return asked_s or LOADING_S + jitter_s
        if retry >= rules.max_retries or not isinstance(error, PASSING):
            return None
        if asked_s > rules.retry_after_max_s:
            return None
        backoff_s: float = min(LONGEST_BACKOFF_S, BACKOFF_S * 2**retry)
        return max(asked_s, self._timing.random() * backoff_s)

    def _attempt(self, link: _Link, course: _Course) -> Answering[PieceStream]:
        """Yield one call's batches until one of them is an answer; return the rest. Raises
        _Unanswered."""
        upstream = link.request.upstream
        # The receipt of a stop speaks of this connection, not of one that failed before.
        upstream.opened = upstream.closed = False
        stream = link.provider.stream(link.request)
        with ExitStack() as unless_answered:
            unless_answered.callback(stream.close)
            answered = False
            while not answered:
                try:
                    batch = self._next(stream, course.provider_until)
                except (RunError, TimeoutError) as error:
                    raise self._unanswered(course.provider_until, error) from error
                if any(kind in SIGNS_OF_LIFE for kind, _ in batch):
                    course.move(self._timing.monotonic())
                answered = any(_is_reply(piece) for piece in batch)
                if answered:
                    yield from _note_answer(link)
                yield batch
            unless_answered.pop_all()
        return stream

    def _next(self, stream: PieceStream, until: float) -> Sequence[Piece]:
        """Return the next batch. Raises TimeoutError when the time is over, UpstreamIncomplete when
        the stream is."""
        left_s = until - self._timing.monotonic()
        if left_s <= 0:
            raise TimeoutError
        with self._timing.deadline(left_s):  # never around a yield: it is for the provider alone
            batch = next(stream, None)
        if batch is None:
            raise UpstreamIncomplete(UpstreamIncomplete.nothing_came)
        return batch

    def _unanswered(self, until: float, error: RunError | TimeoutError) -> _Unanswered:
        """Return how the provider failed."""
        late = self._timing.monotonic() >= until - EARLY_S
        silent = isinstance(error, TimeoutError) or (late and isinstance(error, DISGUISES))
        if isinstance(error, TimeoutError) or silent:
            error = UpstreamTimeout()
        return _Unanswered(error, silent)


def _note_answer(link: _Link) -> PieceStream:
    """Note who answers; yield a status that says so where that is another than was asked for."""
    provider, model = link.provider.name, link.request.model
    link.request.attempts.append(Attempt(provider, model))
    link.breaker.answered()
    if not link.was_asked_for:
        yield [(STATUS, {"status": "answering", "provider": provider, "model": model})]


def _note_failure(link: _Link, error: RunError, still_loading: bool) -> None:
    """Note a failure for the record and the log; of a model that is still loading the last one."""
    name, attempts = link.provider.name, link.request.attempts
    if still_loading:
        del attempts[-1]
    else:
        said = error.said.figures() if error.said else {}
        log.warning(
            "provider %s did not answer: %s %s", name, error.code, error.error_id, extra=said
        )
    attempts.append(Attempt(name, link.request.model, error.code, error.error_id))


def _is_reply(piece: Piece) -> bool:
    """Whether a client has now seen something of the reply, be it that it is over."""
    kind, data = piece
    return (kind == FINISH or is_content(kind)) and bool(data)
