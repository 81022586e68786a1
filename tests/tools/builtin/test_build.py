"""Which tools a server has, by what is set up."""

from __future__ import annotations

import pytest

from app.runs.ports import Clock
from app.runtimes.threads import ThreadRuntime
from app.settings import BadSetting, secrets_of
from app.tools.builtin.build import search_service
from app.tools.web.search import Brave, SearXNG, Tavily
from app.wiring import load_settings, make_toolbox

ALWAYS = {"calculator", "current_time"}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def names(**settings: str) -> set[str]:
    loaded = load_settings(settings)
    return set(make_toolbox(loaded, ThreadRuntime(), Clock()).tools())


@pytest.mark.parametrize(
    "settings,more",
    [
        ({}, set()),
        ({"FETCH_PAGE": "0", "FETCH_PAGE_HOSTS": "wiki.my.org"}, set()),
        ({"FETCH_PAGE": "1"}, {"fetch_page"}),
        ({"SEARCH_URL": "http://127.0.0.1:8888"}, {"web_search"}),
        ({"BRAVE_API_KEY": "k"}, {"web_search"}),
        ({"TAVILY_API_KEY": "k"}, {"web_search"}),
        ({"TAVILY_API_KEY": "k", "FETCH_PAGE": "1"}, {"web_search", "fetch_page"}),
        ({"TAVILY_URL": "http://a", "BRAVE_SEARCH_URL": "http://b"}, set()),
    ],
)
def test_a_tool_is_there_once_it_is_set_up(settings: dict[str, str], more: set[str]) -> None:
    assert names(**settings) == ALWAYS | more


@pytest.mark.parametrize(
    "settings,service",
    [
        ({}, None),
        ({"SEARCH_URL": "https://s.example/"}, SearXNG("https://s.example")),
        ({"SEARCH_URL": "https://s", "BRAVE_API_KEY": "b"}, SearXNG("https://s")),
        (
            {"BRAVE_API_KEY": "b", "TAVILY_API_KEY": "t"},
            Brave("https://api.search.brave.com/res/v1/web/search", "b"),
        ),
        ({"TAVILY_API_KEY": "t"}, Tavily("https://api.tavily.com/search", "t")),
        ({"TAVILY_API_KEY": "t", "TAVILY_URL": "http://a/b"}, Tavily("http://a/b", "t")),
    ],
)
def test_who_is_asked_to_search(settings: dict[str, str], service: object) -> None:
    assert search_service(load_settings(settings).tools) == service


def test_keys_are_secrets() -> None:
    settings = load_settings({"BRAVE_API_KEY": "brave-key", "TAVILY_API_KEY": "tavily-key"})
    assert {"brave-key", "tavily-key"} <= set(secrets_of(settings))
    assert "brave-key" not in repr(settings)


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "http://a",
        "a/b",
        "a b",
        "10.0.0.0/8",
        "a:b",
        "*a",
        "user@a",
        "a:80:80x",
        "[::g]",
        "1:2:3",
        "[::1",
    ],
)
def test_a_host_that_is_none_stops_the_start(value: str) -> None:
    with pytest.raises(BadSetting, match="FETCH_PAGE_HOSTS"):
        load_settings({"FETCH_PAGE_HOSTS": value})


@pytest.mark.parametrize(
    "value", ["a", "a:80", ".a.b", "*.a.b:81", "10.0.0.7", "[::1]:8", "fd00::7"]
)
def test_hosts_that_may_be_listed(value: str) -> None:
    settings = load_settings({"FETCH_PAGE_HOSTS": f"{value}, b"})
    assert settings.tools.fetch_page_hosts == (value, "b")


def test_a_proxy_that_cannot_be_used_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy")
    assert names() == ALWAYS
    with pytest.raises(BadSetting, match="HTTPS_PROXY"):
        names(FETCH_PAGE="1")


def test_certificates_that_cannot_be_read_stop_the_start() -> None:
    with pytest.raises(BadSetting, match="SSL_CERT_FILE"):
        names(FETCH_PAGE="1", SSL_CERT_FILE="/no/such/file")
