"""What each dialect's bytes are, told a second time: what a row of test_conformance.py has.

`hello` is a whole stream written down as it goes over the wire; the other members say the same of
any text, so that every situation can be compared to its last byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import ChatError
from app.dialects.dialect import Dialect

OPEN = ": open\n\n"
COUNTS = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
USAGE = {"input_tokens": 5, "output_tokens": 2, "source": "reported"}


@dataclass(frozen=True)
class At:
    """Where a stream is: after `count` pieces that say `so_far`, of which `text` is the last."""

    count: int
    so_far: str
    text: str = ""
    first: bool = False  # nothing came before to this viewer


@dataclass(frozen=True)
class Golden:
    """One dialect. The functions return frames."""

    dialect: Dialect
    hello: str  # of "Hello" and " there", completed
    opening: str  # of a stream from its start
    resumed: str  # of one from a later cursor
    piece: Callable[[At], str]
    completed: Callable[[At], str]
    stopped: Callable[[At], str]
    failed: Callable[[At], str]
    whole: Mapping[str, Any]  # of "Hel" and "lo", completed
    problem: Callable[[ChatError, str], Any]  # the error's body, and the sentence in it
    text_of: Callable[[Mapping[str, Any]], str]  # how a client finds the text in an event
    heartbeat: str = ": ping\n\n"
    shows: frozenset[str] = frozenset()  # kinds of entries that it has a place for, besides text

    def stream(self, pieces: list[tuple[str, int]], end: str, after: int = 0) -> str:
        """Return the stream of these texts, each joined of so many entries."""
        frames, count, so_far, first = [self.resumed if after else self.opening], 0, "", True
        for text, entries in pieces:
            count, so_far = count + entries, so_far + text
            if count > after:
                frames.append(self.piece(At(count, so_far, text, first)))
                first = False
        ending: Callable[[At], str] = getattr(self, end)
        return "".join([*frames, ending(At(count, so_far, "", first))])


def escaped(text: str) -> str:
    """Return a text as it stands in JSON on one line, also for readers that know Unicode's."""
    line = json.dumps(text, ensure_ascii=False)[1:-1]
    for end in "\u2028\u2029\u0085":
        line = line.replace(end, f"\\u{ord(end):04x}")
    return line
