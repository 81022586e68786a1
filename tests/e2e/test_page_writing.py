"""What is written into the page: nothing of it is lost, and keys mean what their reader thinks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage, stored
from tests.support.proxy import CuttingProxy
from tests.support.upstream import Steps, say

# Safari tells of the end of a composition before the key that ended it, and leaves this mark.
SAFARI = {"isComposing": False, "keyCode": 229}
COMPOSING = {"isComposing": True, "keyCode": 229}
PRESS = """(element, [key, init]) => element.dispatchEvent(new KeyboardEvent(
    "keydown", {key, bubbles: true, cancelable: true, ...init}))"""

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
def server(lively):
    return lively


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    made = CuttingProxy(server.port)
    yield made
    made.close()


def field(page):
    return page.tab.locator("#message")


def editor(page):
    return page.tab.get_by_label("Edit the message")


def swallowed(page, proxy, text):
    """Send a message that the network swallows, and load the page again once it is back."""
    proxy.failing = ("/api/chat", "/socket.io")
    page.send(text)
    expect(page.tab.locator(".reply-state").last).to_be_visible()
    proxy.failing = ()
    page.tab.reload()
    page.ready()


def test_a_message_with_the_text_of_the_one_before_is_sent_after_a_reload(
    context, server, proxy, upstream
):
    page = ChatPage(context, proxy.url).open()
    page.send("yes")
    page.idle()
    upstream.reply = say(["Again"])
    swallowed(page, proxy, "yes")
    expect(page.last).to_have_text("Again")
    page.idle()
    assert page.texts == stored(server, page) == ["yes", "Hello there", "yes", "Again"]
    assert len(upstream.exchanges) == 2


def test_a_message_that_has_arrived_is_not_sent_after_a_reload(context, server, proxy, upstream):
    page = ChatPage(context, proxy.url).open()
    page.send("yes")
    page.idle()
    reply = upstream.reply = Steps("Again", patience_s=120)
    page.tab.route("**/api/chat/stream", lambda route: route.fetch())  # no answer
    page.send("yes")
    upstream.wait_for(2)
    page.tab.unroute("**/api/chat/stream")
    page.tab.reload()
    page.ready()
    reply.finish()
    expect(page.last).to_have_text("Again")
    page.idle()
    assert page.texts == stored(server, page) == ["yes", "Hello there", "yes", "Again"]
    assert len(upstream.exchanges) == 2


def test_an_edit_to_the_same_text_is_sent_after_a_reload(context, server, proxy, upstream):
    page = ChatPage(context, proxy.url).open()
    page.send("yes")
    page.idle()
    upstream.reply = say(["Again"])
    proxy.failing = ("/api/chat", "/socket.io")
    page.tab.get_by_role("button", name="Edit").click()
    editor(page).press("Enter")
    expect(page.tab.locator(".reply-state").last).to_be_visible()
    proxy.failing = ()
    page.tab.reload()
    expect(page.last).to_have_text("Again")
    page.idle()
    expect(page.tab.locator(".mine .version")).to_have_text("2/2")
    assert page.texts == stored(server, page) == ["yes", "Again"]


def test_only_what_was_sent_from_it_empties_the_composer(context, server, upstream):
    page = ChatPage(context, server.url).open()
    page.send("hi")
    page.idle()
    page.tab.fill("#message", "half written")
    page.tab.get_by_role("button", name="Regenerate").click()
    page.idle()
    expect(field(page)).to_have_value("half written")
    page.tab.get_by_role("button", name="Edit").click()
    editor(page).fill("hi there")
    page.tab.keyboard.press("Enter")
    page.idle()
    expect(page.tab.locator(".mine .text")).to_have_text("hi there")
    expect(field(page)).to_have_value("half written")
    page.tab.reload()
    page.ready()
    expect(field(page)).to_have_value("half written")
    page.tab.press("#message", "Enter")
    expect(field(page)).to_have_value("")
    page.idle()
    page.tab.reload()
    page.ready()
    expect(field(page)).to_have_value("")


def test_what_could_not_be_sent_is_put_before_what_is_being_written(context, proxy, upstream):
    page = ChatPage(context, proxy.url).open()
    proxy.failing = ("/api/chat", "/socket.io")
    page.send("the first")
    expect(page.tab.locator(".reply-state")).to_be_visible()
    page.tab.type("#message", "the second")
    expect(page.tab.locator(".banner.bad")).to_contain_text("Not sent")
    expect(field(page)).to_have_value("the first\nthe second")
    page.tab.reload()
    page.ready()
    expect(field(page)).to_have_value("the first\nthe second")


@pytest.mark.parametrize("init", [SAFARI, COMPOSING], ids=["safari", "composing"])
def test_keys_of_an_input_method_are_its_own(context, server, upstream, init):
    page = ChatPage(context, server.url).open()
    page.send("hi")
    page.idle()
    title = page.tab.locator(".session.current .title").text_content()

    page.tab.fill("#message", "にほん")
    assert field(page).evaluate(PRESS, ["Enter", init])  # nobody has taken it
    expect(field(page)).to_have_value("にほん")

    page.tab.get_by_role("button", name="Edit").click()
    for key in ("Enter", "Escape"):
        assert editor(page).evaluate(PRESS, [key, init])
    expect(editor(page)).to_be_visible()
    page.tab.keyboard.press("Escape")

    page.menu(title, "Rename")
    name = page.tab.get_by_label("New title")
    for key in ("Enter", "Escape"):
        name.evaluate(PRESS, [key, init])
    expect(name).to_be_visible()
    page.tab.keyboard.press("Escape")

    page.tab.fill("#search", "にほん")
    assert page.tab.locator("#search").evaluate(PRESS, ["Escape", init])
    expect(page.tab.locator("#search")).to_have_value("にほん")

    reply = upstream.reply = Steps("One ", "two")
    page.send("go")
    reply.go()
    expect(page.last).to_have_text("One ")
    assert field(page).evaluate(PRESS, ["Escape", init])
    reply.finish()
    expect(page.last).to_have_text("One two")
    page.idle()
    expect(page.tab.locator(".notice")).to_have_count(0)
    assert page.texts == ["hi", "Hello there", "go", "One two"]


@pytest.mark.parametrize("init", [SAFARI, COMPOSING], ids=["safari", "composing"])
def test_an_input_method_has_its_enter_in_the_example_too(browser, server, upstream, init):
    tab = browser.new_page()
    tab.goto(f"{server.url}/examples/react")
    box = tab.get_by_role("textbox").first
    box.fill("にほん")
    assert box.evaluate(PRESS, ["Enter", init])
    expect(box).to_have_value("にほん")
    assert upstream.exchanges == []
    tab.close()


def test_escape_in_the_search_clears_it_and_stops_nothing(context, server, upstream):
    page = ChatPage(context, server.url).open()
    reply = upstream.reply = Steps("One ", "two")
    page.send("a question")
    reply.go()
    expect(page.last).to_have_text("One ")
    page.tab.fill("#search", "no such thing")
    expect(page.tab.locator("#list-note")).to_be_visible()
    page.tab.press("#search", "Escape")
    expect(page.tab.locator("#search")).to_have_value("")
    expect(page.tab.locator(".session", has_text="a question").first).to_be_visible()
    page.tab.press("#search", "Escape")  # there is nothing to clear
    reply.finish()
    expect(page.last).to_have_text("One two")
    page.idle()
    expect(page.tab.locator(".notice")).to_have_count(0)


def test_on_a_screen_enter_is_a_line_in_an_edit_too(browser, server, upstream):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = ChatPage(context, server.url).open()
    page.tab.fill("#message", "one")
    page.tab.press("#message", "Control+Enter")  # of a keyboard that is plugged in
    page.idle()
    page.tab.get_by_role("button", name="Edit").tap()
    editor(page).press("End")
    editor(page).press("Enter")
    editor(page).type("two")
    page.tab.locator(".editor").get_by_role("button", name="Send").tap()
    page.idle()
    assert page.texts == ["one two", "Hello there"]
    context.close()
