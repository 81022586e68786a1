"""Whole replies: of a model that is not to stream, or where streaming fails before its first piece.

They are handed out a few words at a time, so that they read as typed (runs/pacing.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from app.core.entries import TEXT, is_content
from app.core.run_errors import (
    RunError,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRejected,
)
from app.core.runs import ProviderRequest
from app.providers.wire.adapting import WHOLE, Adaptations, StreamingRefused
from app.runs.ports import Piece, PieceStream, Provider

_WORD = re.compile(r"\S+\s*")  # a leading \s* would try white space anew from each place


def split_words(text: str, words: int) -> Iterator[str]:
    """Yield `text` in pieces of `words` words; joined they are `text` again, white space
    included."""
    start = end = 0
    for count, word in enumerate(_WORD.finditer(text), 1):
        end = word.end()
        if count % words == 0:
            yield text[start:end]
            start = end
    if start < len(text):
        yield text[start:]


def paced(text: str, words: int, delay_s: float, sleep: Callable[[float], None]) -> Iterator[str]:
    """Yield the pieces of `text`, `delay_s` seconds apart; the first at once."""
    for index, piece in enumerate(split_words(text, words)):
        if index and delay_s:
            sleep(delay_s)
        yield piece


# Failures that may be of the streaming alone. A key or an address would be as wrong for a whole.
OF_STREAMING = (UpstreamError, UpstreamIncomplete, UpstreamMalformed, UpstreamRejected)


class StreamOrWhole(Provider, Protocol):
    """A provider that can be asked either way; its `stream` may raise StreamingRefused."""

    adaptations: Adaptations

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a whole reply is handed out: words a piece, seconds between them."""

    words: int
    delay_s: float
    sleep: Callable[[float], None]

    def hand_out(self, stream: PieceStream, is_paced: bool) -> PieceStream:
        """Yield the stream's pieces, its texts a few words at a time."""
        with closing(stream):
            for batch in stream:
                if is_paced:
                    yield from self._paced(batch)
                else:
                    yield batch

    def _paced(self, batch: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
        for kind, data in batch:
            if kind == TEXT:
                for text in paced(data, self.words, self.delay_s, self.sleep):
                    yield [(TEXT, text)]
            else:
                yield [(kind, data)]


class WithWhole:
    """A provider that asks for a whole reply: always, or where a request wants it as a way out."""

    def __init__(
        self,
        provider: StreamOrWhole,
        pacing: Pacing,
        streams: bool,
        first_delta_timeout_s: float | None = None,
    ) -> None:
        self.name = provider.name
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self.first_delta_timeout_s = first_delta_timeout_s
        self._provider = provider
        self._pacing = pacing
        self._streams = streams

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the reply's pieces. Raises RunError."""
        if not self._streams or WHOLE in self._provider.adaptations.of(request.model):
            return self._whole(request)
        return self._or_whole(request)

    def _or_whole(self, request: ProviderRequest) -> PieceStream:
        answered = refused = False
        try:
            if not request.fall_back_whole:
                yield from self._provider.stream(request)
                return
            with closing(self._provider.stream(request)) as stream:
                for batch in stream:
                    answered = answered or any(is_content(kind) for kind, _ in batch)
                    yield batch
            return
        except StreamingRefused:
            refused = True
        except RunError as error:
            if answered or not request.fall_back_whole or not isinstance(error, OF_STREAMING):
                raise
        for batch in self._whole(request):
            if refused:  # not before it is known that a whole reply is had
                self._provider.adaptations.learn(request.model, frozenset({WHOLE}))
                refused = False
            yield batch

    def _whole(self, request: ProviderRequest) -> PieceStream:
        request.upstream.opened = request.upstream.closed = False
        yield from self._pacing.hand_out(self._provider.whole(request), request.paced)
