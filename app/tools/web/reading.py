"""A page of HTML as a person reads it: headings, paragraphs, lists, tables, code; links with where
they lead, in the manner of Markdown. What is not shown is left out.

Of a page that marks its main part, and has something in it, that alone is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from app.tools.web.markup import Token, attributes, plain, tokens

MAX_TOKENS = 200_000
MAX_CHARS = 1_000_000  # links may be written much shorter than they are
MAX_LINKS = 2000  # that are told with where they lead
MAX_LINK = 500
MAX_TITLE = 300
MIN_MAIN = 200  # characters; less is no main part but a frame for scripts
PAUSE_WORK = 1000  # some milliseconds; a token is one, and so are these characters:
WORK_CHARS = 20
_SPACE = re.compile(r"[ \t\n\r\f]+")
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_PARAGRAPHS = frozenset(
    "address article aside blockquote dl fieldset figure footer form header main nav ol p pre "
    "section table ul".split()
)
_LINES = frozenset("br caption dd details div dt figcaption hr legend option summary tr".split())
_UNSEEN = frozenset(
    "audio canvas datalist iframe noembed noframes noscript object script select style svg "
    "template textarea video xmp".split()
)
# Where `hidden` is looked for: elements that are always closed, so that their end is known.
_HIDEABLE = frozenset(
    "a article aside b button div em footer form header i label main nav ol section small span "
    "strong table ul".split()
)
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


class Reading(NamedTuple):
    """What a page says."""

    title: str
    text: str


def read(document: str, url: str, pause: Callable[[], None]) -> Reading:
    """Return what a page says; `pause` is called again and again meanwhile, for others to work."""
    reader = _Reader(url)
    work = 0
    for token in islice(tokens(document), MAX_TOKENS):
        reader.take(token)
        work += 1 + (len(token.name) + len(token.rest)) // WORK_CHARS
        if work > PAUSE_WORK:
            work = 0
            pause()
        if reader.chars > MAX_CHARS:
            break
    return Reading(reader.title, reader.text())


class _Reader:
    def __init__(self, url: str) -> None:
        self.title = ""
        self.chars = 0
        self._url = url
        self._has_base = False
        self._out: list[str] = []
        self._breaks = 0  # line ends due before the next text
        self._skipped = ""  # the element that is left out, and how many of its name are open
        self._depth = 0
        self._in_title = False
        self._pre = 0
        self._link: tuple[int, str] | None = None  # where its text begins, and where it leads
        self._links = 0
        self._main: list[int] = []  # where it begins, and ends

    def take(self, token: Token) -> None:
        """Take the next token."""
        if self._skipped:
            if token.name == self._skipped:
                self._depth += 1 if token.kind == "open" else -1 if token.kind == "close" else 0
                self._skipped = self._skipped if self._depth else ""
        elif token.kind == "text":
            self._text(plain(token.name))
        elif token.kind == "open":
            self._open(token.name, token.rest)
        else:
            self._close(token.name)

    def text(self) -> str:
        """Return all, or the main part."""
        self._end_link()
        if self._main:
            begin, end = [*self._main, len(self._out)][:2]
            main = "".join(self._out[begin:end]).strip()
            if len(main) >= MIN_MAIN:
                return main
        return "".join(self._out).strip()

    def _text(self, text: str) -> None:
        if self._in_title:
            self.title = self.title or _SPACE.sub(" ", text).strip()[:MAX_TITLE]
            return
        if not self._pre:
            text = _SPACE.sub(" ", text)
            if self._breaks or not self._out or self._out[-1].endswith((" ", "\n")):
                text = text.removeprefix(" ")
        if text:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._breaks and self._out:
            self._out.append("\n" * self._breaks)
        self._out.append(text)
        self.chars += len(text) + self._breaks
        self._breaks = 0

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)

    def _open(self, name: str, rest: str) -> None:
        if name in _UNSEEN or name in _HIDEABLE and _is_hidden(rest):
            self._skipped, self._depth = name, 1
        elif name == "title":
            self._in_title = True
        elif name == "a":
            self._end_link()
            if link := self._leads_to(rest):
                self._link = (len(self._out), link)
        elif name == "img":
            if alt := _SPACE.sub(" ", attributes(rest).get("alt", "")).strip():
                self._text(f" {alt} ")
        elif name == "base":
            if not self._has_base:  # the first counts
                self._has_base = True
                self._url = _joined(self._url, attributes(rest).get("href", ""))
        else:
            self._open_block(name)

    def _open_block(self, name: str) -> None:
        if name in _HEADINGS:
            self._break(2)
            self._say(f"{'#' * _HEADINGS[name]} ")
        elif name == "li":
            self._break(1)
            self._say("- ")
        elif name in ("td", "th"):
            if not self._breaks:
                self._say(" | ")
        elif name in _PARAGRAPHS:
            self._break(2)
            if name == "pre":
                self._say("" if self._pre else "```\n")
                self._pre += 1
            elif name == "main" and not self._main:
                self._main.append(len(self._out))
        elif name in _LINES:
            self._break(1)

    def _close(self, name: str) -> None:
        if name == "title":
            self._in_title = False
        elif name == "a":
            self._end_link()
        elif name in _HEADINGS or name in _PARAGRAPHS:
            if name == "pre" and self._pre:
                self._pre -= 1
                self._say("" if self._pre else "\n```")
            elif name == "main" and len(self._main) == 1:
                self._main.append(len(self._out))
            self._break(2)
        elif name in _LINES:
            self._break(1)

    def _leads_to(self, rest: str) -> str:
        """Return where a link leads; nothing for one within the page, or to what is no page."""
        if self._links == MAX_LINKS:
            return ""
        href = attributes(rest).get("href", "").strip()
        if not href or href.startswith("#"):
            return ""
        self._links += 1
        url = _joined(self._url, href)
        return url if url.startswith(("http://", "https://")) and len(url) <= MAX_LINK else ""

    def _end_link(self) -> None:
        if self._link is None:
            return
        (start, url), self._link = self._link, None
        before = "".join(self._out[start:])
        text = before.strip()
        if not text:
            return
        lead = before[: len(before) - len(before.lstrip())]
        tail = before[len(before.rstrip()) :]
        said = f"{text} ({url})" if "\n" in text else f"[{text}]({url})"
        self._out[start:] = [f"{lead}{said}{tail}"]
        self.chars += len(url) + 4


def _is_hidden(rest: str) -> bool:
    if "hidden" not in rest and "display" not in rest:
        return False
    found = attributes(rest)
    return (
        found.get("hidden", "until-found") != "until-found"
        or found.get("aria-hidden") == "true"
        or bool(_INVISIBLE.search(found.get("style", "")))
    )


def _joined(base: str, href: str) -> str:
    """Return a link made whole, nothing if it cannot be."""
    try:
        url = urljoin(base, "".join(href.split()) if "\n" in href else href)
        urlsplit(url)
    except ValueError:
        return ""
    return url.replace(" ", "%20")
