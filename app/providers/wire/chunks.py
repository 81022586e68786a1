"""What the chunks of every wire need: JSON as servers really write it, whole characters, token
counts.

Without pydantic: a model object a chunk costs more than everything else that happens to the chunk.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from app.core.run_errors import UpstreamMalformed

MAX_TOKENS = 2**53  # what JSON numbers keep exactly; orjson refuses to write more than 64 bits


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that a chunk is. Raises UpstreamMalformed."""
    parsed = _parsed(data)
    if not isinstance(parsed, dict):
        raise UpstreamMalformed()
    return parsed


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


def token_count(written: Any) -> int:
    """Return a count of tokens; none written is 0. Raises UpstreamMalformed."""
    try:
        tokens = int(written or 0)
    except (OverflowError, TypeError, ValueError):
        raise UpstreamMalformed() from None
    if not 0 <= tokens <= MAX_TOKENS:
        raise UpstreamMalformed()
    return tokens


class WholeText:
    """One text that comes in pieces: surrogate pairs are joined, across pieces too."""

    def __init__(self) -> None:
        self._half = ""

    def take(self, text: Any) -> str:
        """Return the piece in whole characters; a lone half is U+FFFD. Raises
        UpstreamMalformed."""
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
        joined = self._half + text
        self._half = ""
        if "\ud800" <= joined[-1] <= "\udbff":
            self._half = joined[-1]
            joined = joined[:-1]
        return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def end(self) -> str:
        """Return U+FFFD if half a pair was left, else nothing."""
        half, self._half = self._half, ""
        return "\ufffd" if half else ""
