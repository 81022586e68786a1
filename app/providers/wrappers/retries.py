"""Retries, then fallbacks, for as long as nothing of the reply has come.

Once a piece has come another answer would contradict it: from there on a failure is the run's. What
is tried again, what goes to the next provider at once, and how long each may be silent:
`docs/upstream.md`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from app.core.entries import STATUS, is_content
from app.core.run_errors import (
    RunError,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
)
from app.core.runs import Attempt, ProviderRequest
from app.runs.ports import FINISH, Piece, PieceStream, Provider

log = logging.getLogger(__name__)


class Breaker:
    """The record of one provider, shared by all its runs; thread-safe. Times are in seconds."""

    def __init__(self, failures: int, left_out_s: float, monotonic: Callable[[], float]) -> None:
        self._most = failures
        self._left_out_s = left_out_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failed = 0  # guarded by _lock; runs that failed, one after the other
        self._out_until = 0.0  # guarded by _lock; counts once there are enough of them

    @property
    def is_out(self) -> bool:
        """Whether a claim would be refused now."""
        with self._lock:
            return self._failed >= self._most and self._monotonic() < self._out_until

    def claim(self) -> bool:
        """Whether the provider may be asked. Once its time is over, one run gets a trial; the
        others wait for its outcome, and for no longer than `left_out_s`: it may never come."""
        with self._lock:
            if self._failed < self._most:
                return True
            now = self._monotonic()
            if now < self._out_until:
                return False
            self._out_until = now + self._left_out_s
            return True

    def failed(self) -> None:
        """Note that it failed a run."""
        with self._lock:
            self._failed += 1
            self._out_until = self._monotonic() + self._left_out_s

    def answered(self) -> None:
        """Note a first piece: it is in again, and out at its next failure if it was out."""
        with self._lock:
            self._failed = min(self._failed, self._most - 1)

    def succeeded(self) -> None:
        """Note that it brought a reply to its end."""
        with self._lock:
            self._failed = 0


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


class RetryRules(Protocol):
    """How often and how patiently; times in seconds."""

    @property
    def max_retries(self) -> int:
        """Of the same provider, before the next is asked."""

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
class Guarded:
    """A provider with its breaker, which all chains that it is in share."""

    provider: Provider
    breaker: Breaker


class _Unanswered(Exception):
    """A provider failed before its first piece. `silent`: it said nothing for all of its time."""

    def __init__(self, error: RunError, silent: bool) -> None:
        super().__init__(error.code)
        self.error = error
        self.silent = silent


class Resilient:
    """A chain of providers that is one: the first, its retries, then the next.

    `first_piece_s` is for the whole chain, and must be a little less than what ends the run from
    outside.
    """

    def __init__(
        self, chain: Sequence[Guarded], rules: RetryRules, first_piece_s: float, timing: Timing
    ) -> None:
        self.name = chain[0].provider.name
        self.default_model = chain[0].provider.default_model
        self.parameters = chain[0].provider.parameters
        self._chain = tuple(chain)
        self._rules = rules
        self._first_piece_s = first_piece_s
        self._timing = timing

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what the first that answers yields, and a status before each further try.

        `request.attempts` gets who was asked, in order. If nobody answers, raises the RunError of
        the first that was asked: the request was for that one.
        """
        # What answers is handed out from here: each layer that a piece passes through costs.
        link, stream = yield from self._answer(request)
        try:
            with closing(stream):
                yield from stream
        except (RunError, TimeoutError):
            link.breaker.failed()
            raise
        link.breaker.succeeded()

    def _answer(self, request: ProviderRequest) -> Answering[tuple[Guarded, PieceStream]]:
        """Yield what comes until somebody has answered; return who, and the rest of it."""
        give_up_at = self._timing.monotonic() + self._first_piece_s
        failure: RunError | None = None
        for index, link in enumerate(self._chain):
            if not link.breaker.claim():
                continue
            if failure is not None:
                if self._timing.monotonic() >= give_up_at:
                    break
                yield _retrying(link, request)
            try:
                stream = yield from self._ask(link, request, self._until(index, give_up_at))
                return link, stream
            except _Unanswered as unanswered:
                failure = failure or unanswered.error
        if failure is None:  # all are left out: rather the first than nobody
            try:
                first = self._chain[0]
                return first, (yield from self._ask(first, request, give_up_at))
            except _Unanswered as unanswered:
                failure = unanswered.error
        raise failure

    def _until(self, index: int, give_up_at: float) -> float:
        """Return when that provider's time is over: the last has what is left, the others an even
        share of it or `fallback_after_s`, whichever is less."""
        after = sum(not link.breaker.is_out for link in self._chain[index + 1 :])
        if not after:
            return give_up_at
        now = self._timing.monotonic()
        return now + min(self._rules.fallback_after_s, (give_up_at - now) / (after + 1))

    def _ask(self, link: Guarded, request: ProviderRequest, until: float) -> Answering[PieceStream]:
        """Yield what comes until the provider answers, after retries if need be; return the rest.
        Raises _Unanswered."""
        asked = request if link is self._chain[0] else _for_another(link.provider, request)
        retry = 0
        while True:
            try:
                return (yield from self._attempt(link, asked, until))
            except _Unanswered as unanswered:
                pause_s = self._pause_s(unanswered, retry, until)
                if pause_s is None:
                    if not isinstance(unanswered.error, UpstreamRejected):  # the request's fault
                        link.breaker.failed()
                    raise
            retry += 1
            yield _retrying(link, request)
            self._timing.sleep(pause_s)
            yield ()  # where a task cannot be killed, a run that has ended meanwhile ends here

    def _pause_s(self, unanswered: _Unanswered, retry: int, until: float) -> float | None:
        """Return how long to wait before the next try, None for no more tries."""
        rules, error = self._rules, unanswered.error
        if unanswered.silent or retry >= rules.max_retries or not isinstance(error, PASSING):
            return None
        asked_s = error.retry_after_s or 0
        if asked_s > rules.retry_after_max_s:
            return None
        # Full jitter: many runs that failed at once must not come back at once.
        backoff_s = self._timing.random() * min(LONGEST_BACKOFF_S, BACKOFF_S * 2**retry)
        pause_s = max(asked_s, backoff_s)
        return pause_s if self._timing.monotonic() + pause_s < until else None

    def _attempt(
        self, link: Guarded, request: ProviderRequest, until: float
    ) -> Answering[PieceStream]:
        """Yield one call's batches until one of them is an answer; return the rest. Raises
        _Unanswered."""
        # The receipt of a stop speaks of this connection, not of one that failed before.
        request.upstream.opened = request.upstream.closed = False
        stream = link.provider.stream(request)
        with ExitStack() as unless_answered:
            unless_answered.callback(stream.close)
            answered = False
            while not answered:
                try:
                    batch = self._next(stream, until)
                except (RunError, TimeoutError) as error:
                    raise self._unanswered(link, request, until, error) from error
                answered = any(_is_reply(piece) for piece in batch)
                if answered:
                    self._note_answer(link, request)
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
            raise UpstreamIncomplete()
        return batch

    def _note_answer(self, link: Guarded, request: ProviderRequest) -> None:
        request.attempts.append(Attempt(link.provider.name, request.model))
        link.breaker.answered()

    def _unanswered(
        self, link: Guarded, request: ProviderRequest, until: float, error: RunError | TimeoutError
    ) -> _Unanswered:
        """Note how the provider failed, and return it."""
        late = self._timing.monotonic() >= until - EARLY_S
        silent = isinstance(error, TimeoutError) or (late and isinstance(error, DISGUISES))
        if isinstance(error, TimeoutError) or silent:
            error = UpstreamTimeout()
        name = link.provider.name
        log.warning("provider %s did not answer: %s %s", name, error.code, error.error_id)
        request.attempts.append(Attempt(name, request.model, error.code, error.error_id))
        return _Unanswered(error, silent)


def _for_another(provider: Provider, request: ProviderRequest) -> ProviderRequest:
    """Return the request for a provider that it was not made for: its own model, and of the
    parameters those that it takes."""
    taken = {n: value for n, value in request.parameters.items() if n in provider.parameters}
    return replace(request, model=provider.default_model, parameters=taken)


def _retrying(link: Guarded, request: ProviderRequest) -> list[Piece]:
    """Return the status that a further try begins with; `attempt` counts from 1 over the chain."""
    attempt = len(request.attempts) + 1
    return [(STATUS, {"status": "retrying", "attempt": attempt, "provider": link.provider.name})]


def _is_reply(piece: Piece) -> bool:
    """Whether a client has now seen something of the reply, be it that it is over."""
    kind, data = piece
    return (kind == FINISH or is_content(kind)) and bool(data)
