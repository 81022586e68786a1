"""Whose pages may use the server, by origin, host and Fetch Metadata."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.transports.guards.origins import OriginPolicy

LOCAL = OriginPolicy((), (), True)


def policy(*extra: str, hosts: tuple[str, ...] = (), loopback: bool = True) -> OriginPolicy:
    return OriginPolicy(extra, hosts, loopback)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "http://localhost",
        "http://localhost:3000",
        "https://127.0.0.1:8443",
        "http://[::1]:5173",
        "HTTP://LOCALHOST:5000",
    ],
)
def test_loopback_origins_and_no_origin_are_allowed(origin: str | None) -> None:
    assert LOCAL.allows_origin(origin, "localhost:5000")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "http://localhost:5000@evil.example",
        "http://localhost,http://evil.example",
        "http://localhost http://evil.example",
        "http://localhost\n",
        "file://localhost",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.2:5000",
        "http://[::2]",
        "//localhost",
        "localhost",
    ],
)
def test_other_origins_are_refused(origin: str) -> None:
    assert not LOCAL.allows_origin(origin, "localhost:5000")


def test_the_servers_own_origin_is_allowed_with_its_port() -> None:
    anywhere = policy(loopback=False)
    assert anywhere.allows_origin("https://chat.example:8443", "chat.example:8443")
    assert anywhere.allows_origin("https://Chat.Example", "chat.example")
    assert not anywhere.allows_origin("https://chat.example", "chat.example:8443")
    assert not anywhere.allows_origin("https://other.chat.example", "chat.example")


def test_listed_origins_are_allowed_as_written_but_for_case() -> None:
    listed = policy("https://Chat.Example")
    assert listed.allows_origin("https://chat.example", "localhost")
    assert not listed.allows_origin("http://chat.example", "localhost")
    assert not listed.allows_origin("https://chat.example:444", "localhost")


@pytest.mark.parametrize(
    "starred, origin",
    [
        ("https://*.example.com", "https://chat.example.com"),
        ("https://*.example.com", "https://A.b-c.Example.com"),
        ("https://*.example.com:8443", "https://chat.example.com:8443"),
        ("http://10.0.0.7:*", "http://10.0.0.7:3000"),
        ("http://10.0.0.7:*", "http://10.0.0.7"),
        ("https://*.example.com:*", "https://chat.example.com:1"),
        ("http://[fd00::1]:*", "http://[fd00::1]:3000"),
    ],
)
def test_star_stands_for_names_and_ports(starred: str, origin: str) -> None:
    listed = policy(starred)

    assert listed.allows_origin(origin, "localhost")
    assert any(re.match(pattern, origin, re.IGNORECASE) for pattern in listed.patterns())


@pytest.mark.parametrize(
    "starred, origin",
    [
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "http://chat.example.com"),
        ("https://*.example.com", "https://chat.example.com:8443"),
        ("https://*.example.com", "https://chat.example.com.evil.example"),
        ("https://*.example.com", "https://evil.example/.example.com"),
        ("https://*.example.com", "https://evil.example@chat.example.com"),
        ("https://*.example.com", "https://chatxexamplexcom"),
        ("https://*.example.com", "https://.example.com"),
        ("http://10.0.0.7:*", "http://10.0.0.7:80.evil.example"),
        ("http://10.0.0.7:*", "http://10.0.0.70"),
    ],
)
def test_star_stands_for_nothing_else(starred: str, origin: str) -> None:
    listed = policy(starred)

    assert not listed.allows_origin(origin, "localhost")
    assert not any(re.match(pattern, origin, re.IGNORECASE) for pattern in listed.patterns())


def test_origins_of_extensions_and_shells_are_allowed_if_they_are_listed() -> None:
    listed = policy("chrome-extension://abcdef", "tauri://localhost")

    assert listed.allows_origin("chrome-extension://abcdef", "localhost")
    assert listed.allows_origin("tauri://localhost", "localhost")
    assert not listed.allows_origin("chrome-extension://other", "localhost")
    assert not policy().allows_origin("tauri://localhost", "localhost")


@pytest.mark.parametrize(
    "listed, host",
    [
        (".example.com", "example.com"),
        (".example.com", "Chat.example.com:5000"),
        (".example.com", "a.b.example.com"),
        ("*.example.com", "chat.example.com"),
        (".example.com:8443", "chat.example.com:8443"),
        (".example.com:8443", "example.com:8443"),
        ("*", "anything.at.all"),
        ("*", ""),
    ],
)
def test_hosts_below_a_listed_one_are_ours(listed: str, host: str) -> None:
    assert policy(hosts=(listed,)).allows_host(host)


@pytest.mark.parametrize(
    "listed, host",
    [
        (".example.com", "evilexample.com"),
        (".example.com", "example.com.evil.example"),
        (".example.com", ""),
        ("*.example.com", "example.com"),
        (".example.com:8443", "chat.example.com"),
        (".example.com:8443", "chat.example.com:844"),
        ("example.com", "chat.example.com"),
    ],
)
def test_hosts_not_below_a_listed_one_are_not_ours(listed: str, host: str) -> None:
    assert not policy(hosts=(listed,)).allows_host(host)


def test_health_is_asked_for_by_any_name_but_by_no_foreign_page() -> None:
    probe = {"PATH_INFO": "/health", "REQUEST_METHOD": "GET"}

    assert LOCAL.allows(probe)
    assert LOCAL.allows({**probe, "HTTP_HOST": "10.0.0.7"})
    assert not LOCAL.allows({**probe, "PATH_INFO": "/health/x"})
    assert not LOCAL.allows({**probe, "HTTP_HOST": "evil", "HTTP_ORIGIN": "http://evil"})


def test_a_star_allows_every_origin_and_no_foreign_host() -> None:
    star = policy("*")
    assert star.allows_origin("https://evil.example", "localhost")
    assert star.allows_origin("null", "localhost")
    assert star.patterns() == ["*"]
    assert not star.allows({"HTTP_HOST": "evil.example", "HTTP_ORIGIN": "http://evil.example"})


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_loopback_hosts_are_ours(host: str) -> None:
    assert LOCAL.allows_host(host)


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "[::1", "0.0.0.0"])
def test_other_hosts_are_not_ours_on_loopback(host: str) -> None:
    assert not LOCAL.allows_host(host)


def test_hosts_count_off_loopback_only_if_there_is_a_list() -> None:
    assert policy(loopback=False).allows_host("anything.example")
    listed = policy(hosts=("chat.example", "other.example:8443"), loopback=False)
    assert listed.allows_host("CHAT.example:1234") and listed.allows_host("other.example:8443")
    assert not listed.allows_host("other.example") and not listed.allows_host("evil.example")


def cross_site(**more: Any) -> dict[str, Any]:
    return {
        "HTTP_HOST": "localhost:5000",
        "HTTP_SEC_FETCH_SITE": "cross-site",
        "HTTP_SEC_FETCH_MODE": "navigate",
        "HTTP_SEC_FETCH_DEST": "document",
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        **more,
    }


def test_following_a_link_to_the_page_is_allowed() -> None:
    assert LOCAL.allows(cross_site())
    assert LOCAL.allows(cross_site(REQUEST_METHOD="HEAD"))


@pytest.mark.parametrize(
    "more",
    [
        {"REQUEST_METHOD": "POST"},
        {"PATH_INFO": "/api/chat"},
        {"PATH_INFO": "/socket.io/"},
        {"HTTP_SEC_FETCH_DEST": "iframe"},
        {"HTTP_SEC_FETCH_MODE": "no-cors"},
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_HOST": "evil.example"},
    ],
    ids=str,
)
def test_anything_else_from_another_site_is_refused(more: dict[str, Any]) -> None:
    assert not LOCAL.allows(cross_site(**more))


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_requests_of_the_same_site_are_allowed(site: str) -> None:
    assert LOCAL.allows(cross_site(HTTP_SEC_FETCH_SITE=site, REQUEST_METHOD="POST"))


def test_what_cors_answers_name_is_what_is_allowed() -> None:
    patterns = policy("https://chat.example").patterns()
    for origin in ("https://chat.example", "http://localhost:3000", "http://[::1]"):
        assert any(re.match(pattern, origin) for pattern in patterns)
    assert not any(re.match(pattern, "http://localhost.evil.example") for pattern in patterns)
