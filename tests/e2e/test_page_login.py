"""The page of a server that asks for access tokens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage, choose
from tests.support.doors import SECRET, bearer, token_of

TRANSPORTS = ["sse", "socket"]
REFUSED = "Failed to load resource"  # the browser's own line for each 401

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture(scope="module")
def locked(start_one):
    return start_one(JWT_SECRET=SECRET)


@pytest.fixture
def page(context, locked, upstream):
    opened = ChatPage(context, locked.url).open()
    yield opened
    assert [one for one in opened.complaints if not one.startswith(REFUSED)] == []
    assert opened.foreign == []


def sign_in(page, token, remember=False):
    page.tab.fill("#token", token)
    if remember:
        page.tab.check("#remember")
    page.tab.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def error(page):
    return page.tab.locator("#login-error")


def test_a_page_without_a_token_asks_for_one_and_for_nothing_else(page):
    expect(page.tab.locator("#login")).to_be_visible()
    expect(page.tab.locator("#token")).to_be_focused()
    assert page.complaints == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_token_opens_the_chat(page, locked, transport):
    choose(page, transport=transport)
    sign_in(page, token_of("alice"))
    expect(page.tab.locator("#login")).to_be_hidden()
    page.send("hello")
    page.idle()
    assert page.texts == ["hello", "Hello there"]
    path = f"/api/chat/sessions/{page.session_id}"
    assert locked.get(path, **bearer(token_of("alice"))).status == 200
    assert page.complaints == []


def test_a_wrong_token_says_so(page):
    sign_in(page, "")
    expect(error(page)).to_have_text("Paste the token first.")
    sign_in(page, token_of(key="another-secret-0123456789abcdefgh"))
    expect(error(page)).to_contain_text("does not accept this token")
    sign_in(page, token_of(expires_in=-3600))
    expect(error(page)).to_contain_text("has expired")
    sign_in(page, token_of())
    expect(page.tab.locator("#login")).to_be_hidden()


def test_a_token_is_kept_for_the_session_or_on_the_device(page, context, locked):
    sign_in(page, token_of())
    expect(page.tab.locator("#login")).to_be_hidden()
    page.tab.reload()
    page.ready()
    expect(page.tab.locator("#login")).to_be_hidden()
    other = ChatPage(context, locked.url).open()
    expect(other.tab.locator("#login")).to_be_visible()
    sign_in(other, token_of(), remember=True)
    expect(other.tab.locator("#login")).to_be_hidden()
    third = ChatPage(context, locked.url).open()
    expect(third.tab.locator("#login")).to_be_hidden()


def test_signing_out_forgets_the_token(page):
    sign_in(page, token_of(), remember=True)
    expect(page.tab.locator("#login")).to_be_hidden()
    page.tab.click("#open-settings")
    page.tab.click("#sign-out")
    expect(page.tab.locator("#login")).to_be_visible()
    kept = page.tab.evaluate("[sessionStorage['tandem.token'], localStorage['tandem.token']]")
    assert kept == [None, None]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_token_that_expires_is_asked_for_again_and_the_message_is_kept(page, transport):
    choose(page, transport=transport)
    with page.tab.expect_response("**/api/chat/events*"):  # before it, the news would be refused
        sign_in(page, token_of())
    expect(page.tab.locator("#login")).to_be_hidden()
    expired = token_of(expires_in=-3600)
    page.tab.evaluate("token => sessionStorage.setItem('tandem.token', token)", expired)
    page.send("precious")
    expect(error(page)).to_contain_text("has expired")
    expect(page.tab.locator("#message")).to_have_value("precious")  # not while it is under way
    sign_in(page, token_of())
    expect(page.tab.locator("#login")).to_be_hidden()
    expect(page.tab.locator("#message")).to_have_value("precious")
    page.tab.press("#message", "Enter")
    page.idle()
    assert page.texts == ["precious", "Hello there"]
