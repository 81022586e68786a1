"""The page when things fail: whatever happens, what is on show at the end is what is stored."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage, choose, stored
from tests.support.proxy import CuttingProxy, HoldingProxy
from tests.support.upstream import Exchange, Steps, say

TRANSPORTS = ["sse", "socket"]
WORDS = [f"{n}\u00e9\U0001f600 " for n in range(60)]
TEXT = "".join(WORDS).strip()
# Browsers write each failed request into the console; that is all that may be there.
BROWSERS_OWN = ("Failed to load resource", "WebSocket connection to", "net::ERR_")

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    made = CuttingProxy(server.port)
    yield made
    made.close()


def opened(context, url, transport="sse", session_id=None):
    page = ChatPage(context, url).open(session_id)
    choose(page, transport=transport)
    return page


def assert_calm(page):
    """Nothing in the console that the page could have helped."""
    assert [one for one in page.complaints if not one.startswith(BROWSERS_OWN)] == []
    assert page.foreign == []


def assert_as_stored(server, page):
    page.idle()
    assert page.texts == stored(server, page)


def begun(page, upstream, words=20):
    """Send a message; return its reply, `words` of it on show."""
    reply = upstream.reply = Steps(*WORDS)
    page.send("go")
    reply.go(words)
    expect(page.last).to_have_text("".join(WORDS[:words]).strip())
    return reply


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_ten_reloads_in_mid_reply(context, server, upstream, transport):
    page = opened(context, server.url, transport)
    seed = random.randrange(10**6)
    print("seed", seed)
    chosen = random.Random(seed)
    reply = upstream.reply = Steps(*WORDS)
    page.send("go")
    page.session_id
    for _ in range(10):
        reply.go(chosen.randrange(1, 6))
        page.tab.reload(wait_until=chosen.choice(["domcontentloaded", "load"]))
    reply.finish()
    expect(page.last).to_have_text(TEXT)
    assert_as_stored(server, page)
    assert page.texts == ["go", TEXT]
    assert len(upstream.exchanges) == 1
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_closed_and_opened_again(context, server, upstream, transport):
    page = opened(context, server.url, transport)
    reply = begun(page, upstream)
    session_id = page.session_id
    page.tab.close()
    reply.go(20)
    page = opened(context, server.url, transport, session_id)
    expect(page.last).to_have_text("".join(WORDS[:40]).strip())
    reply.finish()
    expect(page.last).to_have_text(TEXT)
    assert_as_stored(server, page)
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_network_is_cut(context, server, proxy, upstream, transport):
    page = opened(context, proxy.url, transport)
    reply = begun(page, upstream)
    proxy.cut()
    reply.go(20)
    expect(page.last).to_have_text("".join(WORDS[:40]).strip(), timeout=15_000)
    page.tab.click("#panel-toggle")
    expect(page.tab.locator("#panel")).to_contain_text("once")
    reply.finish()
    expect(page.last).to_have_text(TEXT)
    assert_as_stored(server, page)
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_offline_for_three_seconds(context, server, proxy, upstream, transport):
    page = opened(context, proxy.url, transport)
    reply = begun(page, upstream)
    context.set_offline(True)
    proxy.cut()
    expect(page.tab.locator(".banner")).to_contain_text("You are offline")
    expect(page.tab.locator(".reply-state")).to_contain_text("Waiting for the network")
    reply.go(20)
    # The cut is three seconds by the page's own clock.
    page.tab.evaluate("new Promise(done => setTimeout(done, 3000))")
    context.set_offline(False)
    expect(page.tab.locator(".banner")).to_have_count(0)
    expect(page.last).to_have_text("".join(WORDS[:40]).strip(), timeout=15_000)
    reply.finish()
    expect(page.last).to_have_text(TEXT)
    assert_as_stored(server, page)
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_server_is_killed_and_started_again(context, start_server, upstream, transport):
    own = start_server(HEARTBEAT_S=0.3)
    proxy = CuttingProxy(own.port)
    page = opened(context, proxy.url, transport)
    reply = begun(page, upstream)
    own.kill()
    expect(page.tab.locator(".reply-state")).to_contain_text("The connection was cut")
    own.restart()
    proxy.move(own.port)
    expect(page.tab.locator(".notice.interrupted")).to_be_visible(timeout=20_000)
    assert_as_stored(own, page)
    reply.finish()
    upstream.reply = say(["the rest"])
    page.tab.get_by_role("button", name="Continue").click()
    expect(page.last).to_have_text("".join(WORDS[:20]) + "the rest")
    assert_as_stored(own, page)
    proxy.close()
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hidden_tab_catches_up(context, server, upstream, transport):
    page = opened(context, server.url, transport)
    reply = begun(page, upstream)
    show(page, "hidden")
    reply.finish()
    path = f"/api/chat/sessions/{page.session_id}"
    assert server.wait_until(lambda: server.get(path).json["active_run"] is None)
    show(page, "visible")
    expect(page.last).to_have_text(TEXT)
    assert_as_stored(server, page)
    assert_calm(page)


def show(page, state):
    """Have the page believe that its tab is shown, or hidden."""
    page.tab.evaluate(
        """(state) => {
            const define = (name, value) =>
                Object.defineProperty(document, name, {value, configurable: true});
            define("visibilityState", state);
            define("hidden", state === "hidden");
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def test_a_hidden_tab_gives_its_connection_back(context, server, upstream):
    page = opened(context, server.url)
    page.send("hi")
    page.idle()
    assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 1)
    show(page, "hidden")
    assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 0)
    show(page, "visible")
    assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 1)


def test_a_proxy_that_holds_the_stream_back_is_told_of(context, start_server, upstream):
    def slow(exchange: Exchange) -> None:
        exchange.start()
        for word in WORDS[:5]:
            exchange.delta(word)
            exchange.wait_closed(0.6)
        exchange.finish()

    own = start_server(HEARTBEAT_S=0.3)
    proxy = HoldingProxy(own.port)
    upstream.reply = slow
    page = opened(context, proxy.url)
    page.send("go")
    banner = page.tab.locator(".banner")
    expect(banner).to_contain_text("docs/troubleshooting.md", timeout=15_000)
    assert page.texts == ["go", "".join(WORDS[:5]).strip()]
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).to_have_count(0)
    proxy.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_message_that_did_not_arrive_is_sent_after_a_reload(
    context, server, proxy, upstream, transport
):
    page = opened(context, proxy.url, transport)
    proxy.failing = ("/api/chat", "/socket.io")
    page.send("precious")
    expect(page.tab.locator(".reply-state")).to_be_visible()
    page.session_id
    assert upstream.exchanges == []
    proxy.failing = ()
    page.tab.reload()
    expect(page.last).to_have_text("Hello there")
    assert_as_stored(server, page)
    assert page.texts == ["precious", "Hello there"]
    assert len(upstream.exchanges) == 1
    assert_calm(page)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_two_tabs_send_at_once_and_nothing_is_lost(context, server, upstream, transport):
    page = opened(context, server.url, transport)
    page.send("hi")
    page.idle()
    other = opened(context, server.url, transport, page.session_id)
    context.route("**/api/chat/events*", lambda route: route.abort())
    reply = upstream.reply = Steps("One ", "two")
    page.send("mine")
    reply.go()
    expect(page.last).to_have_text("One")
    other.send("yours")
    expect(other.tab.locator("#message")).to_have_value("yours")
    expect(other.last).to_have_text("One")
    reply.finish()
    for tab in (page, other):
        expect(tab.last).to_have_text("One two")
        assert_as_stored(server, tab)
