"""Thoughts that a model writes into its text: `<think>..</think>` at the start of a reply.

Only there, since anywhere else it may be what the reply is about. A reply that begins inside its
thoughts, without the opening tag, cannot be told from one without thoughts.
"""

from __future__ import annotations

import re

from app.core.entries import REASONING, TEXT

TAGS = {  # in lower case
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reasoning>": "</reasoning>",
    "<reason>": "</reason>",
    "<longcat_think>": "</longcat_think>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "◁think▷": "◁/think▷",
}
# A closing tag may be all that is left where thoughts came in a field of their own.
_MARKS = (*TAGS, *TAGS.values())
_BLOCK = re.compile(
    r"\s*(?:" + "|".join(f"{re.escape(a)}.*?{re.escape(b)}" for a, b in TAGS.items()) + r")\s*",
    re.DOTALL | re.IGNORECASE,
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
        self._white: list[str] = []  # white space before what is held, not looked at again
        self._closing = ""  # the tag that ends the thoughts under way
        self._thought = False  # something of the thoughts under way was said
        self._after = False  # thoughts are over, their white space is not

    def take(self, text: str) -> list[tuple[str, str]]:
        """Return what is known of the text so far: kinds and texts, none empty."""
        if not self._held and (not text or text.isspace()):
            self._white.append(text)
            return []
        self._held += text
        found: list[tuple[str, str]] = []
        while not self.done and self._step(found):
            pass
        return found

    def end(self) -> list[tuple[str, str]]:
        """Return what was held back, since nothing more comes."""
        white, held = "".join(self._white), self._held
        self._held, self.done = "", True
        if self._closing:
            thoughts = (white if self._thought else "") + held
            return [(REASONING, thoughts)] if thoughts.strip() else []
        if not held and (self._after or not white):
            return []
        return [(TEXT, held if self._after else white + held)]

    def _step(self, found: list[tuple[str, str]]) -> bool:
        """Go on in what is held; return whether there is more to be done with it."""
        return self._close(found) if self._closing else self._open(found)

    def _open(self, found: list[tuple[str, str]]) -> bool:
        start = self._held.lstrip()
        if start and start[0] not in _FIRST:  # as a rule
            self._begin_text(start, found)
            return False
        lowered = start[:40].lower()
        mark = next((mark for mark in _MARKS if lowered.startswith(mark)), "")
        if mark:
            self._white.clear()
            self._held = start[len(mark) :]
            self._closing, self._thought, self._after = TAGS.get(mark, ""), False, True
            return bool(self._held)
        if start and not any(mark.startswith(lowered) for mark in _MARKS):
            self._begin_text(start, found)
        return False

    def _begin_text(self, start: str, found: list[tuple[str, str]]) -> None:
        """Add what is held as the text that it begins with; all else is text too."""
        found.append((TEXT, start if self._after else "".join(self._white) + self._held))
        self._held, self.done = "", True

    def _close(self, found: list[tuple[str, str]]) -> bool:
        place = self._held.lower().find(self._closing)
        if place >= 0:
            thoughts, rest = self._held[:place], self._held[place + len(self._closing) :]
            self._say(thoughts.rstrip(), found)
            self._held, self._closing, self._thought = rest, "", False
            self._white.clear()
            return bool(rest)
        # What may begin the tag waits, and so does white space, which may be before it.
        size = len(self._held) - _overlap(self._held.lower(), self._closing)
        thoughts = self._held[:size].rstrip()
        if thoughts:
            self._say(thoughts, found)
            rest = self._held[len(thoughts) :]
        else:
            rest = self._held
        tag = rest.lstrip()
        if rest != tag:
            self._white.append(rest[: len(rest) - len(tag)])
        self._held = tag
        return False

    def _say(self, thoughts: str, found: list[tuple[str, str]]) -> None:
        if not thoughts:
            return
        white = "".join(self._white)
        self._white.clear()
        found.append((REASONING, white + thoughts if self._thought else thoughts.lstrip()))
        self._thought = True


def _overlap(text: str, tag: str) -> int:
    """Return how much of the text's end may be the tag's beginning."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
