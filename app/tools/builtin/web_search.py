"""The tool `web_search`: titles, addresses and snippets of what a search service finds."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from pydantic import Field

from app import __version__
from app.core.run_errors import RunError, UpstreamIncomplete, UpstreamProxy, UpstreamTimeout
from app.runs.ports import Runtime
from app.tools.tool import Result, Tool, ToolError, tool_of
from app.tools.web.network import Http
from app.tools.web.search import Hit, Service

log = logging.getLogger(__name__)
MAX_S = 20.0
MAX_BYTES = 2_000_000  # of an answer
MAX_TITLE, MAX_URL, MAX_SNIPPET = 200, 1000, 600  # characters
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"Tandem/{__version__} (web_search)",
}
MARK = re.compile(r"</?[A-Za-z][^<>]{0,100}>")  # in Brave's texts, and some of SearXNG's
REFUSED = {
    401: "refused its key",
    402: "says that its key has no credit",
    403: "refused its key",
    429: "limits how often it may be asked; try again later",
}

# Brave's bounds; the others have none that are tighter.
Text = Annotated[
    str, Field(description="What to search for, in a few words.", min_length=1, max_length=400)
]
Count = Annotated[int, Field(description="How many results.", ge=1, le=20)]


class Found(NamedTuple):
    """One result, as the model is told it."""

    title: str
    url: str
    snippet: str


def web_search_tool(service: Service, http: Http, runtime: Runtime) -> Tool:
    """Return the tool that asks that service."""

    def web_search(query: Text, count: Count = 5) -> Result:
        """Search the web. Cite results by their numbers and addresses."""
        if not query.strip():
            raise ToolError("The query is empty.")
        try:
            with runtime.deadline(MAX_S):
                answer = _asked(service, http, query, count)
        except TimeoutError:
            raise ToolError("The search service took too long.") from None
        found = list(_found(service.hits(answer), count))
        sources = [{"url": one.url, "title": one.title} for one in found]
        return Result(_told(found), sources)

    return tool_of(web_search, idempotent=True)


def _asked(service: Service, http: Http, text: str, count: int) -> Any:
    query = service.query(text, count)
    headers = {**HEADERS, **query.headers}
    try:
        with closing(http.open(query.method, query.url, headers, query.body)) as got:
            if got.status != 200:
                log.warning("web_search: the service of %s: %d", service.settings, got.status)
                raise ToolError(_refusal(service, got.status))
            body = _bounded(got)
    except RunError as error:
        raise ToolError(_failure(error)) from None
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise ToolError(f"The search service did not answer in JSON ({service.settings}).")
    return answer


def _bounded(pieces: Iterable[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_BYTES:
            raise ToolError("The search service's answer is too long.")
    return bytes(body)


def _refusal(service: Service, status: int) -> str:
    """Return what a status means, in words without a key."""
    why = service.refusals.get(status) or REFUSED.get(status)
    if why is None:
        kind = "redirects" if 300 <= status < 400 else "failed" if status >= 500 else "refused"
        why = f"{kind} (status {status}; {service.settings})"
    return f"The search service {why}."


def _failure(error: RunError) -> str:
    if isinstance(error, UpstreamTimeout):
        return "The search service took too long."
    if isinstance(error, UpstreamIncomplete):
        return "The search service's answer was cut off."
    if isinstance(error, UpstreamProxy):
        return "The search service cannot be reached through the proxy."
    reason = f": {error.said.message}" if error.said and error.said.message else ""
    return f"The search service cannot be reached{reason}."


def _found(hits: Iterable[Hit], count: int) -> Iterator[Found]:
    """Yield the first results that have an address, each address once."""
    seen: set[str] = set()
    for hit in hits:
        if len(seen) == count:
            return
        if _is_page(hit.url) and hit.url not in seen:
            seen.add(hit.url)
            title = _plain(hit.title, MAX_TITLE) or hit.url
            yield Found(title, hit.url, _plain(hit.snippet, MAX_SNIPPET))


def _is_page(url: Any) -> bool:
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _plain(text: Any, max_chars: int) -> str:
    """Return a text on one line, without the marks of HTML."""
    if not isinstance(text, str):
        return ""
    line = " ".join(html.unescape(MARK.sub("", text[: 4 * max_chars])).split())
    return line if len(line) <= max_chars else f"{line[:max_chars].rstrip()}…"


def _told(found: list[Found]) -> str:
    if not found:
        return "Nothing was found."
    entries = ("\n".join(filter(None, one)) for one in found)
    return "\n\n".join(f"[{n}] {entry}" for n, entry in enumerate(entries, 1))
