"""Turn the chunks of an OpenAI-compatible stream into pieces; each chunk is one JSON object in
bytes.

Without pydantic: a model object a chunk costs more than everything else that happens to the chunk.
Source: OpenAI API reference, "The chat completion chunk object".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.runs.interfaces import FINISH, REASONING, TEXT, USAGE, Piece
from app.runs.run_errors import UpstreamError, UpstreamMalformed
from app.runs.usage import Usage

DONE = b"[DONE]"
MAX_TOKENS = 2**53  # what JSON numbers keep exactly; orjson refuses to write more than 64 bits

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
        self._half = ""

    def pieces(self, events: Iterable[bytes]) -> list[Piece]:
        """Return the pieces of these events. Raises UpstreamMalformed, UpstreamError."""
        found: list[Piece] = []
        for data in events:
            if data == DONE:
                self.done = True
                break
            self._add_chunk(_parsed(data), found)
        return found

    def _add_chunk(self, chunk: Any, found: list[Piece]) -> None:
        if not isinstance(chunk, dict):
            raise UpstreamMalformed()
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
            delta = choice.get("delta") or {}
            text = delta.get("content")
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            reason = choice.get("finish_reason")
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if reasoning:
            found.append((REASONING, self._whole(reasoning)))
        if text:
            text = self._whole(text)
            if text:
                found.append((TEXT, text))
        if reason:
            if not isinstance(reason, str):
                raise UpstreamMalformed()
            if self._half:
                self._half = ""
                found.append((TEXT, "\ufffd"))
            self.finished = True
            found.append((FINISH, FINISH_REASONS.get(reason, "stop")))

    def _whole(self, text: Any) -> str:
        """Return the text with surrogate pairs joined, across chunks too; a lone one is U+FFFD."""
        if not isinstance(text, str):
            raise UpstreamMalformed()
        if not self._half:
            if text.isascii():
                return text
            try:
                text.encode()
                return text
            except UnicodeEncodeError:
                pass
        joined: str = self._half + text
        self._half = ""
        if "\ud800" <= joined[-1] <= "\udbff":
            self._half = joined[-1]
            joined = joined[:-1]
        return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        # The standard library reads half a surrogate pair, which some servers send; both refuse the
        # rest.
        return json.loads(data.decode(), parse_constant=_refused)
    except (ValueError, RecursionError):
        raise UpstreamMalformed() from None


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _usage(usage: Mapping[str, Any]) -> Usage:
    try:
        tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
        return Usage(_tokens(tokens_in), _tokens(tokens_out))
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise UpstreamMalformed() from None


def _tokens(written: Any) -> int:
    tokens = int(written or 0)
    if not 0 <= tokens <= MAX_TOKENS:
        raise ValueError(tokens)
    return tokens
