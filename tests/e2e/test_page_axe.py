"""axe-core finds nothing to complain of, in any main state of the page, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage
from tests.support.doors import SECRET
from tests.support.node import install
from tests.support.upstream import Steps, say

PAGE = Path(__file__).parent.parent / "page"
AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ["light", "dark"]
SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture(scope="module", autouse=True)
def axe():
    install(PAGE)


@pytest.fixture(params=[f"{theme} {size}" for theme in THEMES for size in SIZES])
def page(browser, server, upstream, request):
    theme, size = request.param.split()
    # Past the CSP: axe is put into the page as a script.
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme, bypass_csp=True)
    opened = ChatPage(context, server.url).open()
    yield opened
    context.close()


def assert_no_violation(page):
    page.tab.add_script_tag(path=AXE)
    found = page.tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{one['id']}: {one['help']}\n" + "\n".join(node["html"][:200] for node in one["nodes"])
        for one in found["violations"]
    ]
    assert told == []


def test_empty_streaming_and_complete(page, upstream):
    assert_no_violation(page)
    reply = upstream.reply = Steps("One ", "two")
    page.send("go")
    expect(page.tab.locator(".reply-state")).to_be_visible()
    assert_no_violation(page)
    reply.go()
    expect(page.last).to_have_text("One")
    assert_no_violation(page)
    reply.go(2)
    page.idle()
    upstream.reply = say(["Again"])
    page.tab.get_by_role("button", name="Regenerate").click()
    expect(page.tab.locator(".version")).to_be_visible()
    page.tab.click("#panel-toggle")
    expect(page.tab.locator("#panel")).to_be_visible()
    assert_no_violation(page)


def test_failed_stopped_editing_and_offline(page, upstream):
    upstream.reply = lambda exchange: exchange.cut()
    page.send("go")
    expect(page.tab.locator(".notice.failed")).to_be_visible()
    page.tab.context.set_offline(True)
    expect(page.tab.locator(".banner")).to_be_visible()
    assert_no_violation(page)
    page.tab.get_by_role("button", name="Edit").click()
    expect(page.tab.get_by_label("Edit the message")).to_be_visible()
    assert_no_violation(page)


def test_settings_menu_and_question(page, upstream):
    page.send("a conversation")
    page.idle()
    if page.tab.locator("#sidebar-open").is_visible():
        page.tab.click("#sidebar-open")
        assert_no_violation(page)
    page.tab.locator(".session").first.hover()
    page.tab.locator(".session button[aria-haspopup]").first.click()
    assert_no_violation(page)
    page.tab.get_by_role("menuitem", name="Delete").click()
    assert_no_violation(page)
    page.tab.keyboard.press("Escape")
    page.tab.click("#open-settings")
    assert_no_violation(page)


def test_login(browser, start_one):
    locked = start_one(JWT_SECRET=SECRET)
    for theme in THEMES:
        context = browser.new_context(color_scheme=theme, bypass_csp=True)
        page = ChatPage(context, locked.url).open()
        page.tab.locator("#login").get_by_role("button", name="Sign in").click()
        expect(page.tab.locator("#login-error")).not_to_be_empty()
        assert_no_violation(page)
        context.close()
