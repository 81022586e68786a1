"""The tools that read the web, run by a server in its own mode: pages, searches, stops, bounds."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tests.support.sse import stream_chat
from tests.support.upstream import Upstream, refuse
from tests.support.web import asked_for, by_path, endless, head, page, redirect

KEY = "brave-planted-0123456789"
HTML = head("200 OK", "Content-Type: text/html")


@pytest.fixture(scope="module")
def site():
    made = Upstream()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def as_new(site):
    site.exchanges = []


@pytest.fixture(scope="module")
def server(start_one, site):
    """A server that may read that site, and searches there."""
    place = f"127.0.0.1:{site.port}"
    return start_one(
        DEFAULT_PROVIDER="demo",
        FETCH_PAGE="1",
        FETCH_PAGE_HOSTS=f"{place},localhost:{site.port}",
        BRAVE_API_KEY=KEY,
        BRAVE_SEARCH_URL=f"http://{place}/res/v1/web/search",
    )


def call(server, name, **given):
    """Have the demo call a tool; return the stream of its reply."""
    return stream_chat(server, f"/call {name} {json.dumps(given)}", tools=[name])


def changes(events):
    """Return what became of the calls."""
    return [event.data["tool"] for event in events if "tool" in event.data]


def result(server, name, **given):
    """Return the last that is said of a call."""
    events = call(server, name, **given).rest()
    assert events[-1].data.get("done"), events
    return changes(events)[-1]


def fetched(server, site, path, host="127.0.0.1"):
    return result(server, "fetch_page", url=f"http://{host}:{site.port}/{path}")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost"])
def test_a_page_is_read(server, site, host):
    site.reply = by_path(a=redirect("/b"), b=page("<title>T</title><p>hello <a href=/c>d</a>"))
    found = fetched(server, site, "a", host)
    shown = f"http://{host.replace('127.1', '127.0.0.1')}:{site.port}"
    assert found["state"] == "done"
    assert found["output"] == f"Title: T\nAddress: {shown}/b\n\nhello [d]({shown}/c)"
    assert found["sources"] == [{"url": f"{shown}/b", "title": "T"}]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{own}/api/status",
        "http://localhost:{own}/api/status",
        "http://0x7f.1:{own}/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]:{site}/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://no-such-host.invalid/",
    ],
)
def test_what_is_not_listed_is_not_asked(server, site, url):
    found = result(server, "fetch_page", url=url.format(own=server.port, site=site.port))
    assert (found["state"], "output" in found, site.exchanges) == ("failed", False, [])


def test_a_redirect_to_the_server_itself_is_not_followed(server, site):
    site.reply = redirect(f"http://127.0.0.1:{server.port}/api/status")
    found = fetched(server, site, "x")
    assert (found["state"], found["error"]) == (
        "failed",
        "Only pages on ports 80 and 443 are fetched.",
    )


@pytest.mark.parametrize(
    "reply",
    [
        lambda exchange: exchange.wait_closed(60),
        lambda exchange: (exchange.raw(HTML[:20]), exchange.wait_closed(60)),
        lambda exchange: (exchange.raw(HTML + b"<p>"), exchange.wait_closed(60)),
    ],
    ids=["silent", "in its head", "in its body"],
)
def test_a_stop_closes_the_connection_of_a_page_that_does_not_come(server, site, reply):
    site.reply = reply
    stream = call(server, "fetch_page", url=f"http://127.0.0.1:{site.port}/x")
    exchange = site.wait_for(1)
    assert server.post(f"/api/runs/{stream.run_id}/stop").status == 200
    assert exchange.closed.wait(30)
    events = stream.rest()
    assert changes(events)[-1]["state"] == "stopped"
    assert events[-1].data["finish_reason"] == "stopped"


def test_a_stop_closes_the_connection_of_a_page_that_drips(server, site):
    tick = threading.Event()

    def drip(exchange):
        exchange.raw(HTML)
        while True:
            exchange.raw(b"<p>x")
            tick.wait(0.02)  # the pace of the drip

    site.reply = drip
    stream = call(server, "fetch_page", url=f"http://127.0.0.1:{site.port}/x")
    exchange = site.wait_for(1)
    assert server.get("/health").status == 200
    server.post(f"/api/runs/{stream.run_id}/stop")
    assert exchange.closed.wait(30)
    assert changes(stream.rest())[-1]["state"] == "stopped"


def test_others_are_served_while_a_page_of_tags_is_read(server, site):
    sent = threading.Event()

    def soup(exchange):
        exchange.raw(HTML + b"<p>x" * 400_000)
        sent.set()
        exchange.cut()

    site.reply = soup
    stream = call(server, "fetch_page", url=f"http://127.0.0.1:{site.port}/x")
    done = threading.Event()
    found = []
    reader = threading.Thread(target=lambda: (found.extend(stream.rest()), done.set()))
    reader.start()
    assert sent.wait(30)
    served = 0
    while not done.is_set():
        served += server.get("/health").status == 200
    reader.join()
    assert changes(found)[-1]["state"] == "done"
    assert served >= 3


def test_an_endless_page_is_cut(server, site):
    site.reply = endless(HTML, b"<p>word " * 5000)
    found = fetched(server, site, "x")
    assert found["state"] == "done" and "more characters" in found["output"]
    assert site.exchanges[0].closed.wait(30)


def test_a_page_that_drips_is_ended_with_the_tools_time(start_server, site):
    site.reply = lambda exchange: (exchange.raw(HTML), exchange.wait_closed(60))
    server = start_server(
        DEFAULT_PROVIDER="demo",
        FETCH_PAGE="1",
        FETCH_PAGE_HOSTS=f"127.0.0.1:{site.port}",
        TOOL_TIMEOUT_S="0.3",
    )
    assert "longer than 0.3 s" in fetched(server, site, "x")["error"]
    assert site.exchanges[0].closed.wait(30)


def test_a_proxy_is_not_used_unless_the_operator_says_so(start_server, site):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        settings = {
            "DEFAULT_PROVIDER": "demo",
            "FETCH_PAGE": "1",
            "HTTP_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}",
        }
        found = result(start_server(**settings), "fetch_page", url="http://a.example/")
    assert "FETCH_PAGE_PROXY" in found["error"]


def test_a_search_has_sources(server, site):
    hit = {"title": "A", "url": "https://a.example/", "description": "<strong>b</strong> c"}
    site.reply = page(json.dumps({"web": {"results": [hit]}}), "application/json")
    found = result(server, "web_search", query="x", count=2)
    assert (found["state"], found["output"]) == ("done", "[1] A\nhttps://a.example/\nb c")
    assert found["sources"] == [{"url": "https://a.example/", "title": "A"}]
    assert asked_for(site.exchanges[0])[1]["x-subscription-token"] == KEY


def test_a_refused_search_says_so_and_no_key_is_logged(server, site):
    site.reply = refuse("401 Unauthorized")
    found = result(server, "web_search", query="x")
    assert found["error"] == "The search service refused its key."
    assert KEY not in server.logs() and "BRAVE_API_KEY: 401" in server.logs()


def test_a_stop_closes_the_connection_of_a_search(server, site):
    site.reply = lambda exchange: exchange.wait_closed(60)
    stream = call(server, "web_search", query="x")
    exchange = site.wait_for(1)
    server.post(f"/api/runs/{stream.run_id}/stop")
    assert exchange.closed.wait(30)
    assert changes(stream.rest())[-1]["state"] == "stopped"
