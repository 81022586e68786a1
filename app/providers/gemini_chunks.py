"""Turn the chunks of a Gemini stream into pieces; each chunk is one GenerateContentResponse.

Source: Gemini API reference, "GenerateContentResponse" (`candidates`, `promptFeedback`,
`usageMetadata`), and its `FinishReason`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.providers.chunk_parsing import WholeText, parse_object, token_count
from app.runs.interfaces import FINISH, REASONING, TEXT, USAGE, Piece
from app.runs.run_errors import UpstreamError, UpstreamMalformed
from app.runs.usage import Usage

FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
}


class GeminiChunks:
    """The state of one stream: whether it is complete, half surrogate pairs, the last counts.

    There is no mark of the end, and some models repeat the finish reason in every chunk: a stream
    is read until its connection says that the body is over.
    """

    done = False

    def __init__(self) -> None:
        self.finished = False  # a finish reason came
        self._text = WholeText()
        self._reasoning = WholeText()
        self._usage: Usage | None = None
        self._told: list[Piece] = []  # the finish and the usage that went out already

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add` does."""
        found: list[Piece] = []
        self.add(events, found)
        return found

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of these events, those before a fault too. Raises UpstreamMalformed,
        UpstreamError."""
        for data in events:
            self._add_chunk(parse_object(data), found)

    def _add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if chunk.get("error"):
            raise UpstreamError()
        usage = chunk.get("usageMetadata")
        if usage:
            self._usage = _usage(usage)
        try:
            blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
            candidate = (chunk.get("candidates") or [{}])[0]
            parts = (candidate.get("content") or {}).get("parts") or ()
            reason = candidate.get("finishReason")
            for part in parts:
                self._add_part(part.get("text"), part.get("thought"), found)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if blocked:
            self._finish("content_filter", found)
        elif reason:
            if not isinstance(reason, str):
                raise UpstreamMalformed()
            self._finish(FINISH_REASONS.get(reason, "stop"), found)
        if self.finished and self._usage is not None:
            # Counts that come before are not of the whole reply yet.
            self._tell((USAGE, self._usage), found)

    def _add_part(self, text: Any, thought: Any, found: list[Piece]) -> None:
        if not text:  # a signature, or a kind of part that was not asked for
            return
        if thought:
            if text := self._reasoning.take(text):
                found.append((REASONING, text))
        elif text := self._text.take(text):
            found.append((TEXT, text))

    def _finish(self, reason: str, found: list[Piece]) -> None:
        if half := self._reasoning.end():
            found.append((REASONING, half))
        if half := self._text.end():
            found.append((TEXT, half))
        self.finished = True
        self._tell((FINISH, reason), found)

    def _tell(self, piece: Piece, found: list[Piece]) -> None:
        if piece not in self._told:
            self._told = [told for told in self._told if told[0] != piece[0]] + [piece]
            found.append(piece)


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        raise UpstreamMalformed()
    # Thoughts are paid for as output, and are not among the candidates' tokens.
    written = token_count(usage.get("candidatesTokenCount"))
    thought = token_count(usage.get("thoughtsTokenCount"))
    return Usage(token_count(usage.get("promptTokenCount")), token_count(written + thought))
