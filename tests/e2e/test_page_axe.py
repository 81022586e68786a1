"""axe-core finds nothing to complain of, in any main state of the page, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.attaching import chosen, pick, png
from tests.support.browser import ChatPage, choose
from tests.support.calling import calls
from tests.support.doors import SECRET
from tests.support.node import install
from tests.support.server_tools import LOOK_UP, NAMES
from tests.support.upstream import PLANTED_KEY, Steps, in_turn, say

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


def test_calls_questions_sources_and_the_switch(browser, start_one, upstream):
    tools = ["look_up", "note", "order", "send"]
    names = f"{NAMES},{LOOK_UP},tests.support.asking_tools:order"
    server = start_one(TOOLS=names, OPENAI_API_KEY=PLANTED_KEY)
    wanted = [("look_up", {"query": "x"}), ("note", {"text": 1}), ("send", {"to": "bob"})]
    for theme in THEMES:
        for size in SIZES.values():
            context = browser.new_context(viewport=size, color_scheme=theme, bypass_csp=True)
            page = ChatPage(context, server.url).open()
            choose(page, tools=tools)
            page.tab.click("#tools-button")
            assert_no_violation(page)
            page.tab.keyboard.press("Escape")
            order = calls(*wanted, ("order", {"what": "tea"}))
            upstream.reply = in_turn(order, say(["Well."]))
            page.send("go")
            allow = page.tab.get_by_role("button", name="Allow")
            expect(allow).to_have_count(2)
            page.idle()
            page.tab.locator(".call summary").nth(0).click()
            page.tab.locator(".call summary").nth(1).click()
            assert_no_violation(page)
            allow.first.click()
            expect(allow).to_have_count(1)
            allow.click()
            expect(page.tab.get_by_role("spinbutton")).to_be_visible()
            page.idle()
            assert_no_violation(page)
            page.tab.get_by_role("button", name="Decline").click()
            expect(page.last).to_have_text("Well.")
            page.idle()
            expect(page.tab.locator(".source")).to_have_count(2)
            assert_no_violation(page)
            context.close()


def test_pictures_and_files(browser, start_one):
    server = start_one(DEFAULT_PROVIDER="demo")
    for theme in THEMES:
        for size in SIZES.values():
            context = browser.new_context(viewport=size, color_scheme=theme, bypass_csp=True)
            page = ChatPage(context, server.url).open()
            refused = chosen("bad.png", b"GIF89a is no picture")
            pick(page, chosen("photo.png", png()), chosen("n.txt", b"x", "text/plain"), refused)
            expect(page.tab.locator(".attached-error:visible")).to_have_count(1)
            expect(page.tab.locator(".attached-item[data-state=ready]")).to_have_count(2)
            assert_no_violation(page)
            assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.tab.get_by_role("button", name="Remove bad.png").click()
            page.send("Look")
            page.idle()
            expect(page.tab.locator(".picture img")).to_be_visible()
            assert_no_violation(page)
            assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.tab.get_by_role("button", name="Open photo.png").click()
            expect(page.tab.locator("dialog[open] img")).to_be_visible()
            assert_no_violation(page)
            page.tab.keyboard.press("Escape")
            page.tab.get_by_role("button", name="Edit").click()
            assert_no_violation(page)
            context.close()


def test_login(browser, start_one):
    locked = start_one(JWT_SECRET=SECRET)
    for theme in THEMES:
        context = browser.new_context(color_scheme=theme, bypass_csp=True)
        page = ChatPage(context, locked.url).open()
        page.tab.locator("#login").get_by_role("button", name="Sign in").click()
        expect(page.tab.locator("#login-error")).not_to_be_empty()
        assert_no_violation(page)
        context.close()
