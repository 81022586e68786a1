"""What the operator decides for all conversations; and the one seam for a filter of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from app.core.entries import TEXT
from app.core.run_errors import RunError
from app.core.runs import ProviderRequest
from app.runs.ports import Piece, PieceStream, Provider, own_patience_s

# Called with "in" and a user's message before it is stored, or "out" and a piece of the reply
# before it enters the log; returns what is to be taken instead. For "in" it may raise a
# RequestError, for "out" a RunError. A piece may end inside a word.
TextFilter = Callable[[Literal["in", "out"], str], str]


class ChatRules(Protocol):
    """What the operator decides; 0 means no bound."""

    @property
    def system_prompt(self) -> str: ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def max_output_tokens(self) -> int: ...


def output_tokens(rules: ChatRules, asked: int | None) -> int | None:
    """Return how long the reply may be: as asked, but no longer than is allowed."""
    if not rules.max_output_tokens:
        return asked
    return min(asked or rules.max_output_tokens, rules.max_output_tokens)


class Filtered:
    """A provider whose texts pass a filter."""

    def __init__(self, provider: Provider, text_filter: TextFilter) -> None:
        self.name = provider.name
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self.first_delta_timeout_s = own_patience_s(provider)
        self._provider = provider
        self._filter = text_filter

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the provider's batches with their texts filtered."""
        stream = self._provider.stream(request)
        try:
            for batch in stream:
                yield from self._filtered(batch)
        finally:
            stream.close()

    def _filtered(self, batch: Sequence[Piece]) -> Iterator[list[Piece]]:
        """Yield the batch; of one that the filter ends, what came before."""
        passed: list[Piece] = []
        try:
            for kind, data in batch:
                passed.append((kind, self._filter("out", data) if kind == TEXT else data))
        except RunError:
            if passed:
                yield passed
            raise
        yield passed
