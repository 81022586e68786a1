"""Pacing: a reply that arrives whole enters the log a few words at a time, so that it reads as
typed.

The pieces join to the exact text: each is some words with the white space that follows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

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
