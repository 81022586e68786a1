"""HTML taken apart into texts and tags, in time that grows with its length and no faster.

The standard library's parser takes minutes for 60 kB of unclosed tags. What is here knows as much
of HTML's tokenization (WHATWG HTML, 13.2.5) as reading needs: comments, quoted values, elements
whose content is raw. What is open at the end is dropped, as there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

# Quotes count after `=` alone. Possessive: what has been passed is never looked at again.
_TAG = re.compile(
    r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>"'=]++|=\s*+(?:"[^"]*+"|'[^']*+')|[="'])*+)>"""
)
_ATTRIBUTE = re.compile(r"""([^\s/>="'][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"']++))?""")
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in "script style title textarea iframe noembed noframes xmp".split()
}


MAX_TEXT = 4096  # of one token
MAX_ENTITY = 40
MAX_ATTRIBUTES = 4096  # characters that are read of a tag's


class Token(NamedTuple):
    """A text as it is written, or a tag by its name in lower case, with its attributes unread."""

    kind: Literal["text", "open", "close"]
    name: str
    rest: str = ""


def tokens(document: str) -> Iterator[Token]:
    """Yield what a document consists of. Entities are left for `plain`."""
    at, end = 0, len(document)
    while at < end:
        start = document.find("<", at)
        if start < 0:
            start = end
        yield from _texts(document, at, start)
        if start == end:
            return
        tag = _TAG.match(document, start)
        if tag is None:
            at = _after_markup(document, start)
            if at == start:
                yield Token("text", "<")
                at += 1
            continue
        at = tag.end()
        name = tag[2].lower()
        if tag[1]:
            yield Token("close", name)
            continue
        yield Token("open", name, tag[3])
        if name in _RAW:
            closing = _RAW[name].search(document, at)
            stop = closing.start() if closing else end
            yield from _texts(document, at, stop)
            at = stop


def _texts(document: str, at: int, end: int) -> Iterator[Token]:
    """Yield a text in pieces, none of which ends within an entity."""
    while end - at > MAX_TEXT:
        cut = at + MAX_TEXT
        entity = document.rfind("&", cut - MAX_ENTITY, cut)
        cut = entity if entity >= 0 else cut
        yield Token("text", document[at:cut])
        at = cut
    if end > at:
        yield Token("text", document[at:end])


def _after_markup(document: str, start: int) -> int:
    """Return where what is no tag ends: a comment, a declaration; `start` where it is text."""
    following = document[start + 1 : start + 2]
    if following == "!" or following == "?" or following == "/":
        is_comment = document.startswith("<!--", start)
        closing = "-->" if is_comment else ">"
        stop = document.find(closing, start + 2)
        return stop + len(closing) if stop >= 0 else len(document)
    return len(document) if following.isascii() and following.isalpha() else start


def attributes(rest: str) -> dict[str, str]:
    """Return the attributes of a tag, the first of each name."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(rest, 0, MAX_ATTRIBUTES):
        value = match[2] or ""
        if value[:1] in ("'", '"'):
            value = value[1:-1]
        found.setdefault(match[1].lower(), plain(value))
    return found


def plain(text: str) -> str:
    """Return a text with its entities undone."""
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # of thousands of digits
        return text
