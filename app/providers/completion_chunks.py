"""Turn the chunks of an OpenAI-compatible stream into pieces; each chunk is one JSON object in
bytes. A whole completion is read as one chunk that has all of it.

Source: OpenAI API reference, "The chat completion chunk object" and "The chat completion object".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.providers.chunk_parsing import WholeText, parse_object, token_count
from app.runs.interfaces import FINISH, REASONING, TEXT, USAGE, Piece
from app.runs.run_errors import UpstreamError, UpstreamMalformed
from app.runs.usage import Usage

DONE = b"[DONE]"

FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class CompletionChunks:
    """The state of one stream: whether it is complete, and half a surrogate pair."""

    def __init__(self) -> None:
        self.finished = False  # a finish reason came
        self.done = False  # [DONE] came: nothing after it counts
        self._text = WholeText()
        self._reasoning = WholeText()

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises what `add` does."""
        found: list[Piece] = []
        self.add(events, found)
        return found

    def add(self, events: Iterable[bytes], found: list[Piece]) -> None:
        """Add the pieces of these events, those before a fault too. Raises UpstreamMalformed,
        UpstreamError."""
        for data in events:
            if data == DONE:
                self.done = True
                break
            self._add_chunk(parse_object(data), found)

    def _add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if chunk.get("error"):
            raise UpstreamError()
        choices = chunk.get("choices")
        if choices:
            self._add_choice(choices, found)
        usage = chunk.get("usage")
        if usage:
            found.append((USAGE, _usage(usage)))

    def _add_choice(self, choices: Any, found: list[Piece]) -> None:
        try:
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message") or {}
            text = delta.get("content")
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            reason = choice.get("finish_reason")
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if reasoning and (reasoning := self._reasoning.take(reasoning)):
            found.append((REASONING, reasoning))
        if text and (text := self._text.take(text)):
            found.append((TEXT, text))
        if reason:
            self._finish(reason, found)

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        if not isinstance(reason, str):
            raise UpstreamMalformed()
        if half := self._reasoning.end():
            found.append((REASONING, half))
        if half := self._text.end():
            found.append((TEXT, half))
        self.finished = True
        found.append((FINISH, FINISH_REASONS.get(reason, "stop")))


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        raise UpstreamMalformed()
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Usage(token_count(read), token_count(written))
