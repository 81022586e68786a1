"""The tool `fetch_page`: the text of a page of the public internet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from app.runs.ports import Runtime
from app.tools.tool import Result, Tool, ToolError, tool_of
from app.tools.web.charsets import decoded
from app.tools.web.pages import Page, Pages
from app.tools.web.reading import Reading, read

MAX_S = 30.0  # for all of it
MAX_CHARS = 40_000  # of one answer: some 10,000 tokens
HTML = frozenset({"text/html", "application/xhtml+xml"})
TEXT = re.compile(
    r"text/|application/(?:json|xml|javascript|ecmascript|x-javascript|yaml|x-yaml|toml|sql)\b"
    r"|[^/]+/[^/]+\+(?:json|xml|yaml)\b"
)
LOOKS_LIKE_HTML = re.compile(r"\s*<(?:!doctype html|html|head|body|!--)", re.IGNORECASE)
NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
LOOK_CHARS = 2000

PageUrl = Annotated[
    str, Field(description="Its address, with http:// or https://.", min_length=1, max_length=2000)
]
Start = Annotated[
    int, Field(description="From which character on; a long page says what comes next.", ge=0)
]


def fetch_page_tool(pages: Pages, runtime: Runtime) -> Tool:
    """Return the tool that fetches those pages."""

    def fetch_page(url: PageUrl, start: Start = 0) -> Result:
        """Return the text of a page on the public internet, with its links."""
        with runtime.deadline(MAX_S):
            page = pages.fetch(url, MAX_S)
        reading = _read(page, lambda: runtime.sleep(0))
        source = {"url": page.url, "title": reading.title or page.url}
        return Result(_told(page, reading, start), [source])

    return tool_of(fetch_page, idempotent=True)


def _read(page: Page, pause: Callable[[], None]) -> Reading:
    kind = page.content_type.partition(";")[0].strip().lower()
    is_html = kind in HTML
    if kind and not is_html and not TEXT.match(kind):
        raise ToolError(f"It is no page but {_shown(kind)}, which is not read here.")
    text = decoded(page.body, page.content_type, is_html or not kind, page.is_cut)
    if NOT_TEXT.search(text[:LOOK_CHARS]):
        raise ToolError("It is no text.")
    if is_html or (not kind and LOOKS_LIKE_HTML.match(text)):
        return read(text, page.url, pause)
    return Reading("", text.replace("\r\n", "\n").strip())


def _shown(kind: str) -> str:
    return kind if re.fullmatch(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", kind) else "something"


def _told(page: Page, reading: Reading, start: int) -> str:
    """Return what the model is told: a part of the text, and whether there is more."""
    text = reading.text
    if start and start >= len(text):
        raise ToolError(f"The page has {len(text)} characters.")
    part = text[start : start + MAX_CHARS]
    lines = [f"Title: {reading.title}"] if reading.title else []
    lines += [f"Address: {page.url}", "", part or "(The page has no text.)"]
    left = len(text) - start - len(part)
    if left:
        lines += ["", f"[{left} more characters: ask again with start={start + len(part)}]"]
    elif page.is_cut:
        lines += ["", "[The page goes on; only its first 2 MB are read.]"]
    return "\n".join(lines)
