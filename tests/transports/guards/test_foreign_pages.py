"""A web page elsewhere cannot start, read or stop anything."""

from __future__ import annotations

import pytest

from tests.transports.conftest import Build

EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        {"Origin": "null"},
        {"Origin": "http://localhost,https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:5000", "Origin": "http://evil.example:5000"},
        {"Host": "localhost", "Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "OPTIONS"])
def test_foreign_pages_are_refused_on_every_method(server, upstream, method, headers):
    before = server.status()
    answer = server.request(method, "/api/chat/stream", {"message": "hi"}, headers)
    assert (answer.status, answer.code) == (403, "forbidden_origin")
    assert "access-control-allow-origin" not in answer.headers
    after = server.status()
    assert (after["sessions"], after["runs"]) == (before["sessions"], before["runs"])
    assert upstream.exchanges == []


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173"]
)
def test_loopback_pages_are_let_in_and_told_so(server, origin):
    answer = server.post("/api/chat", {"message": "hi"}, Origin=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-run-id" in answer.headers["access-control-expose-headers"].lower()
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type, Last-Event-ID, X-Stainless-Arch",
    }
    preflight = server.request("OPTIONS", "/api/chat/stream", headers=asked)
    assert preflight.status == 200
    allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"content-type", "last-event-id", "x-stainless-arch"} <= set(allowed)
    assert "access-control-allow-credentials" not in preflight.headers


def test_following_a_link_shows_the_page(server):
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert server.get("/", **link).status == 200
    assert server.get("/api/chat/sessions", **link).status == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_star_lets_every_page_in_by_its_own_name(build: Build, origin: str) -> None:
    client = build(CORS_ORIGINS="*").app.test_client()
    answer = client.get("/api/models", headers={"Origin": origin})
    closed = build().app.test_client()

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert closed.get("/api/models", headers={"Origin": origin}).status_code == 403
    assert closed.get("/api/status").get_json()["errors"] == {"forbidden_origin": 1}


@pytest.mark.parametrize("host", ["10.0.0.7:5000", "", "evil.example"])
@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_answers_whatever_it_is_called(server, host: str, path: str) -> None:
    assert server.get(path, Host=host).status == 200
    assert server.get("/api/status", Host=host).status == 403
    page = server.get(path, Host=host, Origin="http://evil.example")
    assert (page.status, page.code) == (403, "forbidden_origin")


@pytest.mark.parametrize(
    "origin",
    ["https://Chat.example.com", "http://[fd00::1]:3000", "moz-extension://0-1"],
)
def test_a_page_that_is_listed_is_let_in_and_told_so(build: Build, origin: str) -> None:
    client = build(CORS_ORIGINS=origin).app.test_client()
    answer = client.get("/api/models", headers={"Origin": origin})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)


def test_pages_of_all_names_below_one_are_let_in(build: Build) -> None:
    client = build(CORS_ORIGINS="https://*.example.com,app://tandem").app.test_client()

    for origin in ("https://chat.example.com", "https://a.b.example.com", "app://tandem"):
        answer = client.get("/api/models", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    for origin in ("https://example.com", "https://evilexample.com", "app://other"):
        assert client.get("/api/models", headers={"Origin": origin}).status_code == 403
