"""The provider `fault`: another provider's reply with one thing wrong, at a piece of one's choice.

For trying out clients and operations; there is none unless FAULT is set. Only text and reasoning
count as pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from app.core.entries import is_content
from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
)
from app.core.runs import ProviderRequest
from app.runs.ports import Piece, PieceStream, Provider, own_patience_s

STALL, DUPLICATE, SLOW = "stall", "duplicate", "slow"
RAISED: dict[str, Callable[[], RunError]] = {
    "drop": UpstreamIncomplete,
    "rate_limit": lambda: UpstreamRateLimited(retry_after_s=RATE_LIMIT_S),
    "break": UpstreamMalformed,
    "error": UpstreamError,
    "refuse": UpstreamRefused,
    "auth": UpstreamAuth,
}
KINDS = (*RAISED, STALL, DUPLICATE, SLOW)
MOST_PIECES = 1_000_000
RATE_LIMIT_S = 1  # what the 429 asks us to wait
SLOW_S = 1.0  # before each piece
STALL_S = 60.0  # one sleep of the many that a stall is
ALLOWED = (
    f"empty, or <what>:<n>, like drop:5, what being one of {', '.join(KINDS)} and n the pieces "
    f"that come before, 0 to {MOST_PIECES} (duplicate: at least 1)"
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What goes wrong once `after` pieces have come."""

    kind: str
    after: int


def parse_fault(written: str) -> FaultPlan | None:
    """Return the plan of `<what>:<n>`, None for the empty text. Raises ValueError: what is
    allowed."""
    if not written:
        return None
    kind, _, number = written.partition(":")
    if kind not in KINDS or not (number.isascii() and number.isdigit() and len(number) <= 7):
        raise ValueError(ALLOWED)
    after = int(number)
    if after > MOST_PIECES or (kind == DUPLICATE and not after):
        raise ValueError(ALLOWED)
    return FaultPlan(kind, after)


class FaultProvider:
    """Another provider, until the plan's piece. A reply with fewer pieces is left as it is."""

    name = "fault"

    def __init__(self, provider: Provider, plan: FaultPlan, sleep: Callable[[float], None]) -> None:
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self.first_delta_timeout_s = own_patience_s(provider)
        self._provider = provider
        self._plan = plan
        self._sleep = sleep

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the other's pieces, each in a batch of its own; do what the plan says. Raises
        RunError."""
        upstream = request.upstream
        upstream.opened, upstream.closed = True, False
        try:
            with closing(self._provider.stream(request)) as stream:
                yield from self._spoilt(piece for batch in stream for piece in batch)
        finally:
            upstream.closed = True

    def _spoilt(self, pieces: Iterator[Piece]) -> PieceStream:
        kind, after = self._plan.kind, self._plan.after
        count = 0
        if after == 0:
            self._go_wrong()
        for piece in pieces:
            counts = is_content(piece[0])
            if counts and kind == SLOW and count >= after:
                self._sleep(SLOW_S)
            yield [piece]
            if not counts:
                continue
            count += 1
            if count == after:
                if kind == DUPLICATE:
                    yield [piece]
                self._go_wrong()

    def _go_wrong(self) -> None:
        if self._plan.kind in RAISED:
            raise RAISED[self._plan.kind]()
        while self._plan.kind == STALL:  # until a stop or a deadline
            self._sleep(STALL_S)
