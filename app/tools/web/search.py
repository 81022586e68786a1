"""Services that search the web: what each is asked, and what its answers mean.

SearXNG: docs.searxng.org/dev/search_api. Brave: api-dashboard.search.brave.com, "Web search".
Tavily: docs.tavily.com, "Search".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes, urlencode, urlsplit, urlunsplit

import orjson


class Query(NamedTuple):
    """A request; the headers and the address may hold a key."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class Hit(NamedTuple):
    """One result, as it came: any of it may be missing, or anything."""

    title: Any
    url: Any
    snippet: Any


class Service(Protocol):
    """Where to search."""

    @property
    def settings(self) -> str:
        """What an operator is to look at."""

    @property
    def refusals(self) -> Mapping[int, str]:
        """What statuses mean there and not elsewhere; `The search service ...`."""

    def query(self, text: str, count: int) -> Query:
        """Return what to ask."""

    def hits(self, answer: Any) -> Iterator[Hit]:
        """Yield the results of an answer, which may be any JSON."""


@dataclass(frozen=True, slots=True)
class SearXNG:
    """An own one, or somebody's; its address may have a user and a password in it."""

    url: str
    settings: ClassVar[str] = "SEARCH_URL"
    refusals: ClassVar[Mapping[int, str]] = {
        403: "does not answer in JSON: its settings.yml must have `json` in search.formats, "
        "and its limiter must let this server ask"
    }

    def query(self, text: str, count: int) -> Query:
        """Ask for JSON; how many results come is its own affair."""
        parts = urlsplit(self.url)
        userinfo, _, place = parts.netloc.rpartition("@")
        path = parts.path if parts.path.endswith("/search") else f"{parts.path}/search"
        asked = urlencode({"q": text, "format": "json"})
        url = urlunsplit((parts.scheme, place, path, f"{parts.query}&{asked}".lstrip("&"), ""))
        user, _, password = userinfo.partition(":")
        secret = b64encode(b":".join(map(unquote_to_bytes, (user, password)))).decode()
        return Query("GET", url, {"Authorization": f"Basic {secret}"} if userinfo else {})

    def hits(self, answer: Any) -> Iterator[Hit]:
        """Yield its `results`."""
        return (Hit(one.get("title"), one.get("url"), one.get("content")) for one in _in(answer))


@dataclass(frozen=True, slots=True)
class Brave:
    """Brave's Search API."""

    url: str
    key: str = field(repr=False)
    settings: ClassVar[str] = "BRAVE_API_KEY"
    refusals: ClassVar[Mapping[int, str]] = {422: "refused its key (BRAVE_API_KEY), or the query"}

    def query(self, text: str, count: int) -> Query:
        """Ask for web pages alone, without marks in the texts."""
        asked = {
            "q": text,
            "count": count,
            "result_filter": "web",
            "text_decorations": "false",
        }
        return Query("GET", f"{self.url}?{urlencode(asked)}", {"X-Subscription-Token": self.key})

    def hits(self, answer: Any) -> Iterator[Hit]:
        """Yield the `results` of `web`, which is missing where there are none."""
        web = answer.get("web") if isinstance(answer, dict) else None
        return (Hit(one.get("title"), one.get("url"), one.get("description")) for one in _in(web))


@dataclass(frozen=True, slots=True)
class Tavily:
    """Tavily's search."""

    url: str
    key: str = field(repr=False)
    settings: ClassVar[str] = "TAVILY_API_KEY"
    refusals: ClassVar[Mapping[int, str]] = {
        432: "says that the plan of its key is used up",
        433: "says that the limit of its key's costs is reached",
    }

    def query(self, text: str, count: int) -> Query:
        """Ask for the plain kind of search, which costs least."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return Query("POST", self.url, headers, orjson.dumps({"query": text, "max_results": count}))

    def hits(self, answer: Any) -> Iterator[Hit]:
        """Yield its `results`."""
        return (Hit(one.get("title"), one.get("url"), one.get("content")) for one in _in(answer))


def _in(answer: Any) -> list[dict[str, Any]]:
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        return []
    return [one for one in results if isinstance(one, dict)]
