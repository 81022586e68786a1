"""Thoughts that a model writes into its text: `<think>..</think>` at the start of a reply.

Only there, since anywhere else it may be what the reply is about. A reply that begins inside its
thoughts, without the opening tag, cannot be told from one without thoughts.
"""

from __future__ import annotations

import re

from app.core.entries import REASONING, TEXT

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reasoning>": "</reasoning>",
    "<reason>": "</reason>",
    "[THINK]": "[/THINK]",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<seed:think>": "</seed:think>",
    "◁think▷": "◁/think▷",
}
_BLOCK = re.compile(
    r"\s*(?:" + "|".join(f"{re.escape(a)}.*?{re.escape(b)}" for a, b in TAGS.items()) + r")\s*",
    re.DOTALL,
)
_FIRST = frozenset(tag[0] for tag in TAGS)


def without_thoughts(text: str) -> str:
    """Return a reply's text without the thoughts at its start."""
    start = text[:64].lstrip()
    if start[:1] not in _FIRST:
        return text
    found = _BLOCK.match(text)
    return text[found.end() :] if found else text


class ThoughtSplitter:
    """Takes a reply's text as it comes. Once `done`, all that follows is text, and no more need be
    handed in. Holds back what may be the beginning of a tag; linear in what it is given."""

    def __init__(self) -> None:
        self.done = False
        self._held = ""
        self._closing = ""  # the tag that ends the thoughts under way
        self._thought = False  # something of the thoughts was said
        self._after = False  # the thoughts are over, their white space is not

    def take(self, text: str) -> list[tuple[str, str]]:
        """Return what is known of the text so far: kinds and texts, none empty."""
        self._held += text
        found: list[tuple[str, str]] = []
        if not (self._closing or self._after):
            self._open(found)
        if self._closing:
            self._close(found)
        if self._after:
            self._go_on(found)
        return found

    def end(self) -> list[tuple[str, str]]:
        """Return what was held back, since nothing more comes."""
        held, self._held, self.done = self._held, "", True
        if self._after or not held:
            return []
        return [(REASONING if self._closing else TEXT, held)]

    def _open(self, found: list[tuple[str, str]]) -> None:
        start = self._held.lstrip()
        for opening, closing in TAGS.items():
            if start.startswith(opening):
                self._held, self._closing = start[len(opening) :], closing
                return
        if start and not any(opening.startswith(start) for opening in TAGS):
            found.append((TEXT, self._held))
            self._held, self.done = "", True

    def _close(self, found: list[tuple[str, str]]) -> None:
        if not self._thought:
            self._held = self._held.lstrip()
        thoughts, tag, rest = self._held.partition(self._closing)
        if tag:
            self._held, self._closing, self._after = rest, "", True
            thoughts = thoughts.rstrip()
        else:
            # What may begin the tag waits, and so does white space, which may be before it.
            size = len(thoughts) - _overlap(thoughts, self._closing)
            size = len(thoughts[:size].rstrip())
            thoughts, self._held = thoughts[:size], thoughts[size:]
        if thoughts:
            self._thought = True
            found.append((REASONING, thoughts))

    def _go_on(self, found: list[tuple[str, str]]) -> None:
        self._held = self._held.lstrip()
        if self._held:
            found.append((TEXT, self._held))
            self._held, self.done = "", True


def _overlap(text: str, tag: str) -> int:
    """Return how much of the text's end may be the tag's beginning."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
