"""The page in a real browser: sends, streams, stops on both transports, under its strict CSP."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import expect

from tests.support.upstream import Exchange, silent

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser, server):
    opened = browser.new_page()
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(server.url)
    yield opened
    opened.close()
    assert complaints == []


def send(page, text):
    page.fill("#message", text)
    page.press("#message", "Enter")


@pytest.mark.parametrize("transport", ["sse", "socket"])
def test_a_reply_is_shown_as_it_comes(page, upstream, transport):
    go = threading.Event()

    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("Hello <b>")
        assert go.wait(20)
        exchange.delta("there</b>")
        exchange.finish()

    upstream.reply = reply
    page.select_option("#transport", transport)
    send(page, "say hello")
    expect(page.locator("li.streaming")).to_have_text("Hello <b>")
    go.set()
    page.wait_for_selector("li.streaming", state="detached")
    assert page.locator("#messages li").all_inner_texts() == ["say hello", "Hello <b>there</b>"]
    assert "openai" in page.inner_text("#status")


@pytest.mark.parametrize("transport", ["sse", "socket"])
def test_stop_stops(page, upstream, transport):
    upstream.reply = silent
    page.select_option("#transport", transport)
    send(page, "go")
    upstream.wait_for(1)
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text("Stopped")
    assert upstream.exchanges[0].closed.wait(2)


def test_a_failure_is_told(page, upstream):
    upstream.reply = lambda exchange: exchange.cut()
    send(page, "go")
    page.wait_for_selector("#status.bad")
    assert "ERR_" in page.inner_text("#status")
