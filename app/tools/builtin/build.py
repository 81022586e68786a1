"""The tools that come with the server: those that need nothing, and those that are set up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import SecretStr

from app.runs.ports import Runtime
from app.tools.builtin.calculator import calculator
from app.tools.builtin.current_time import current_time
from app.tools.builtin.fetch_page import fetch_page_tool
from app.tools.builtin.web_search import web_search_tool
from app.tools.tool import Tool
from app.tools.web.hosts import Hosts
from app.tools.web.network import Network
from app.tools.web.pages import Pages
from app.tools.web.search import Brave, SearXNG, Service, Tavily


class BuiltInRules(Protocol):
    """What they are set up by."""

    @property
    def fetch_page(self) -> bool: ...

    @property
    def fetch_page_hosts(self) -> Sequence[str]: ...

    @property
    def fetch_page_proxy(self) -> bool: ...

    @property
    def search_url(self) -> str: ...

    @property
    def brave_api_key(self) -> SecretStr: ...

    @property
    def brave_search_url(self) -> str: ...

    @property
    def tavily_api_key(self) -> SecretStr: ...

    @property
    def tavily_url(self) -> str: ...


def built_in(rules: BuiltInRules, network: Callable[[], Network], runtime: Runtime) -> list[Tool]:
    """Return them; the network is asked for only if one of them needs it."""
    made = [current_time, calculator]
    service = search_service(rules)
    if not (rules.fetch_page or service):
        return made
    there = network()
    if rules.fetch_page:
        pages = Pages(Hosts(rules.fetch_page_hosts), there, rules.fetch_page_proxy)
        made.append(fetch_page_tool(pages, runtime))
    if service:
        made.append(web_search_tool(service, there.http, runtime))
    return made


def search_service(rules: BuiltInRules) -> Service | None:
    """Return where to search: one's own SearXNG before those that cost; None if nothing is set."""
    if rules.search_url:
        return SearXNG(rules.search_url)
    if brave := rules.brave_api_key.get_secret_value():
        return Brave(rules.brave_search_url, brave)
    if tavily := rules.tavily_api_key.get_secret_value():
        return Tavily(rules.tavily_url, tavily)
    return None
