"""Messages, their parts, and the tree that they are: what a reader sees is one branch of it, from
root to leaf."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.usage import Usage

# `{"type": "text", "text": ".."}`; other types have other fields.
Part = Mapping[str, Any]
Content = tuple[Part, ...]


def text_parts(text: str) -> Content:
    """Return message content that is one text part."""
    return ({"type": "text", "text": text},)


def text_of(content: Iterable[Part]) -> str:
    """Return the text parts, joined."""
    return "".join([part["text"] for part in content if part["type"] == "text"])


def is_blank(content: Iterable[Part]) -> bool:
    """Whether there is nothing but white space, or nothing at all."""
    return all(part["type"] == "text" and not part["text"].strip() for part in content)


REPLY_OF = "reply_of"  # a part of a request that stands for what a run's reply has: {run_id}
HIDDEN = frozenset({"opaque"})  # types of parts that only the provider reads which they came from


def has_content(content: Iterable[Part]) -> bool:
    """Whether there is anything but empty text, and what only its provider reads."""
    return any(
        part["text"] if part["type"] == "text" else part["type"] not in HIDDEN for part in content
    )


def extended(content: Content, more: Content) -> Content:
    """Return the content with more of the same message; text that goes on stays one part."""
    if content and more and content[-1]["type"] == more[0]["type"] == "text":
        text = content[-1]["text"] + more[0]["text"]
        return (*content[:-1], *text_parts(text), *more[1:])
    return content + more


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a conversation's tree; times are seconds since the epoch."""

    id: str
    role: str
    content: Content
    created_at: float
    parent_id: str | None = None
    status: str = "completed"
    run_id: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return text_of(self.content)


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """What a model is given of one message: its role and content."""

    role: str
    content: Content
    text: str = field(init=False, compare=False, repr=False)  # its text parts, joined

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", text_of(self.content))


def is_plain(content: Content) -> bool:
    """Whether that is one text, as nearly every message is."""
    return len(content) == 1 and content[0]["type"] == "text"


def has_others(messages: Iterable[ProviderMessage]) -> bool:
    """Whether any of the messages is more than one text, or other than that."""
    for message in messages:  # each start asks: a generator for each would take twice as long
        content = message.content
        if len(content) != 1 or content[0]["type"] != "text":
            return True
    return False


class KnownBranch(NamedTuple):
    """A branch that was read before. A message that has one after it never changes, so that of a
    longer branch only what comes after the messages in here need be read."""

    messages: Sequence[Message]
    places: Mapping[str, int]  # of the messages, by id


SESSION_PROMPT = "session"  # the id of the message that stands for a session's own system prompt


def branch(messages: Mapping[str, Message], leaf_id: str | None) -> list[Message]:
    """Return the messages from the root to `leaf_id`, oldest first."""
    found: list[Message] = []
    while leaf_id is not None and leaf_id in messages:
        found.append(messages[leaf_id])
        leaf_id = messages[leaf_id].parent_id
    return found[::-1]


def in_order(messages: Iterable[Message]) -> dict[str, Message]:
    """Return messages, which are in the order of their times, by id: each after its parent. Those
    of one turn have one time."""
    waiting = {message.id: message for message in messages}
    found: dict[str, Message] = {}
    for message in waiting.values():
        chain = []
        at: Message | None = message
        while at is not None and at.id not in found:
            chain.append(at)
            at = waiting.get(at.parent_id or "")
        found.update((one.id, one) for one in reversed(chain))
    return found


def newest_leaf(messages: Mapping[str, Message], message_id: str) -> str | None:
    """Return the leaf that one gets to from the message by the newest reply each time; None if the
    message is not there. `messages` are in the order they came."""
    if message_id not in messages:
        return None
    newest = {one.parent_id: one.id for one in messages.values()}
    while message_id in newest:
        message_id = newest[message_id]
    return message_id


def siblings(messages: Mapping[str, Message]) -> dict[str | None, list[str]]:
    """Return the ids of the messages that hang on the same parent, by that parent's id."""
    found: dict[str | None, list[str]] = {}
    for one in messages.values():
        found.setdefault(one.parent_id, []).append(one.id)
    return found


def prompt_of(
    request: str | None, session: str | None, default: str = "", client_has_one: bool = False
) -> str:
    """Return the system prompt that goes before the messages; empty for none.

    The request's counts more than the session's own, and that more than the default; a client that
    holds the conversation has its prompt in there.
    """
    return request or session or ("" if client_has_one else default)


# --- Texts as people read them: searched, and cut to a title ------------------------------------

TITLE_LENGTH = 60
ZWJ = "\u200d"
SKIN_TONES = range(0x1F3FB, 0x1F400)
TAGS = range(0xE0020, 0xE0080)  # of a flag
REGIONAL = range(0x1F1E6, 0x1F200)  # two of them are a flag
# A Hangul syllable that is written in its parts: what it begins with, and what follows.
LEADING, FOLLOWING = range(0x1100, 0x1160), range(0x1160, 0x1200)
VIRAMA = 9  # the combining class of what joins two consonants of an Indic script


def searchable(text: str) -> str:
    """Return what is the same for texts that differ in case, in how letters are composed, or in
    compatibility forms (Unicode 3.13, D146)."""
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def title_from(text: str, length: int = TITLE_LENGTH) -> str:
    """Return a title from a first message: its first line that has anything to see, cut at a word,
    or between what a reader takes for characters."""
    line = next((" ".join(line.split()) for line in text.splitlines() if _is_seen(line)), "")
    if len(line) <= length:
        return line
    return line[: _end_of_cluster(line, length)].rsplit(" ", 1)[0] + "…"


def title_of(content: Content) -> str:
    """Return a title from a first message: from its text, or the name of its first file."""
    names = (
        part["name"] for part in content if part["type"] in {"image", "file"} and part.get("name")
    )
    return title_from(text_of(content)) or title_from(next(names, ""))


def _is_seen(line: str) -> bool:
    """Whether there is anything but white space and what formats."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in line)


def _end_of_cluster(text: str, most: int) -> int:
    """Return the last place up to `most` that is inside no grapheme cluster (UAX 29); `most` itself
    where there is none."""
    return next((at for at in range(most, 0, -1) if not _joined(text, at)), most)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after that place belong together."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or after == ZWJ or before == ZWJ:
        return True
    if unicodedata.combining(before) == VIRAMA and after.isalpha():
        return True
    code = ord(after)
    if code in SKIN_TONES or code in TAGS:
        return True
    if code in REGIONAL:
        start = at
        while start and ord(text[start - 1]) in REGIONAL:
            start -= 1
        return (at - start) % 2 == 1
    if code in FOLLOWING:
        return ord(before) in LEADING or ord(before) in FOLLOWING
    return code in LEADING and ord(before) in LEADING
