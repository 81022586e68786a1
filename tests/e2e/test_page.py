"""The page in a real browser, under its strict CSP: every action of it, on both transports."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage, choose, stored
from tests.support.upstream import Steps, say, silent

TRANSPORTS = ["sse", "socket"]
SEED_LOOP = """async (url) => {
  const response = await fetch(url, {method: 'POST', body: JSON.stringify({message: 'hi'})});
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let shown = '';
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    const chunk = decoder.decode(value);
    for (const line of chunk.split('\\n')) {
      if (line.startsWith('data: ')) {
        const data = JSON.parse(line.slice(6));
        if (data.token) shown += data.token;
      }
    }
  }
  return shown;
}"""

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
def server(lively):
    """A server that soon finds out which of its viewers have gone."""
    return lively


@pytest.fixture(params=TRANSPORTS)
def transport(request, page):
    """The transport that the page is set to use."""
    choose(page, transport=request.param)
    return request.param


def titles(page):
    return page.tab.locator(".session .title")


def test_a_reply_is_shown_as_it_comes(page, upstream, transport):
    reply = upstream.reply = Steps("Hello <b>", "there</b>")
    page.send("say hello")
    expect(page.tab.locator(".reply-state")).to_contain_text("Waiting for the model")
    expect(page.tab.locator("#status")).to_have_text("Sent. Waiting for the reply.")
    reply.go()
    expect(page.tab.locator(".message.streaming .text")).to_have_text("Hello <b>")
    expect(page.tab.locator(".reply-state")).to_have_text("Streaming response…")
    reply.go(2)
    page.idle()
    assert page.texts == ["say hello", "Hello <b>there</b>"]
    expect(page.tab.locator("#status")).to_have_text("The reply is complete.")
    expect(page.tab.locator("#message")).to_be_focused()


def test_stop_stops(page, upstream, transport):
    upstream.reply = silent
    page.send("go")
    upstream.wait_for(1)
    page.tab.click("#stop")
    expect(page.tab.locator(".notice.stopped")).to_contain_text("Stopped here.")
    assert upstream.exchanges[0].closed.wait(20)


def test_escape_stops_and_continue_goes_on(page, server, upstream, transport):
    reply = upstream.reply = Steps("One ", "two ")
    page.send("count")
    reply.go()
    expect(page.last).to_have_text("One ")
    page.tab.keyboard.press("Escape")
    expect(page.tab.locator(".notice.stopped")).to_be_visible()
    reply.go(2)
    upstream.reply = say(["two three"])
    page.tab.get_by_role("button", name="Continue").click()
    expect(page.last).to_have_text("One two three")
    page.idle()
    expect(page.tab.locator(".notice")).to_have_count(0)
    assert stored(server, page) == ["count", "One two three"]


def test_regenerate_makes_a_version_beside_and_both_can_be_shown(page, server, upstream, transport):
    upstream.reply = say(["first"])
    page.send("hi")
    expect(page.last).to_have_text("first")
    page.idle()
    upstream.reply = say(["second"])
    page.tab.get_by_role("button", name="Regenerate").click()
    expect(page.last).to_have_text("second")
    expect(page.tab.locator(".version")).to_have_text("2/2")
    page.tab.get_by_role("button", name="The version before").click()
    expect(page.last).to_have_text("first")
    expect(page.tab.locator(".version")).to_have_text("1/2")
    assert stored(server, page) == page.texts == ["hi", "first"]


def test_an_edit_begins_a_branch(page, server, upstream, transport):
    page.send("hi")
    page.idle()
    upstream.reply = say(["Bonjour"])
    page.tab.press("#message", "ArrowUp")
    expect(page.tab.get_by_label("Edit the message")).to_be_focused()
    page.tab.get_by_label("Edit the message").fill("salut")
    page.tab.keyboard.press("Enter")
    expect(page.last).to_have_text("Bonjour")
    page.idle()
    assert stored(server, page) == page.texts == ["salut", "Bonjour"]
    page.tab.get_by_role("button", name="The version before").click()
    expect(page.last).to_have_text("Hello there")
    assert page.texts == ["hi", "Hello there"]


def test_an_edit_can_be_left(page, upstream):
    page.send("hi")
    page.idle()
    page.tab.press("#message", "ArrowUp")
    page.tab.get_by_label("Edit the message").fill("something else")
    page.tab.keyboard.press("Escape")
    expect(page.tab.locator("#message")).to_be_focused()
    assert page.texts[0] == "hi"


def test_shift_enter_is_a_new_line(page, upstream):
    page.tab.fill("#message", "one")
    page.tab.press("#message", "Shift+Enter")
    page.tab.type("#message", "two")
    page.tab.press("#message", "Enter")
    page.idle()
    assert page.tab.locator(".mine .text").text_content() == "one\ntwo"


def test_rename_export_and_delete(page, server, upstream):
    page.send("a title of its own")
    page.idle()
    session_id = page.session_id
    page.menu("a title of its own", "Rename")
    page.tab.get_by_label("New title").fill("Renamed")
    page.tab.keyboard.press("Enter")
    expect(page.tab.locator("#chat-title")).to_have_text("Renamed")
    assert server.get(f"/api/chat/sessions/{session_id}").json["title"] == "Renamed"
    for entry, suffix, start in [("Markdown", "md", "# Renamed"), ("JSON", "json", "{")]:
        with page.tab.expect_download() as download:
            page.menu("Renamed", f"Export as {entry}")
        assert download.value.suggested_filename == f"Renamed.{suffix}"
        assert Path(download.value.path()).read_text().startswith(start)
    page.menu("Renamed", "Delete")
    page.tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(titles(page).filter(has_text="Renamed")).to_have_count(0)
    expect(page.tab.locator("#empty")).to_be_visible()
    assert server.get(f"/api/chat/sessions/{session_id}").status == 404


def test_search_is_the_servers(page, upstream):
    for text in ("zebras are striped", "snails are slow"):
        page.tab.click("#new-chat")
        page.send(text)
        page.idle()
    page.tab.keyboard.press("Control+k")
    expect(page.tab.locator("#search")).to_be_focused()
    page.tab.keyboard.type("ZEBRAS")
    expect(titles(page)).to_have_text(["zebras are striped"])
    page.tab.fill("#search", "no such thing")
    expect(page.tab.locator("#list-note")).to_have_text("Nothing has “no such thing” in it.")


def test_the_list_has_pages_and_delete_all_empties_it(context, start_server):
    own = start_server(DATABASE_URL="memory:")
    for n in range(95):
        own.post("/api/chat/sessions", {"session_id": f"s{n}"})
    page = ChatPage(context, own.url).open()
    expect(titles(page)).to_have_count(40)
    page.tab.locator("#more").scroll_into_view_if_needed()
    expect(titles(page)).to_have_count(80)
    page.tab.locator("#more").scroll_into_view_if_needed()
    expect(titles(page)).to_have_count(95)
    expect(page.tab.locator("#more")).to_be_hidden()
    page.tab.click("#open-settings")
    page.tab.click("#delete-all")
    page.tab.locator("#confirm").get_by_role("button", name="Delete all").click()
    expect(titles(page)).to_have_count(0)
    assert own.get("/api/chat/sessions").json["sessions"] == []
    assert page.complaints == []


def test_the_settings_are_asked_of_the_model(page, upstream):
    page.tab.click("#open-settings")
    page.tab.fill("#system", "Be brief.")
    page.tab.fill("#temperature", "0.5")
    page.tab.fill("#max-tokens", "64")
    page.tab.fill("#model", "tiny")
    page.tab.keyboard.press("Escape")
    page.send("hi")
    page.idle()
    asked = upstream.exchanges[0].body
    assert (asked["model"], asked["temperature"]) == ("tiny", 0.5)
    assert 64 in asked.values()
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    page.tab.click("#open-settings")
    expect(page.tab.locator("#system")).to_have_value("Be brief.")
    expect(page.tab.locator("#provider option:disabled").first).to_contain_text("needs")


def test_a_whole_answer(page, upstream):
    choose(page, streaming=False)
    page.send("hi")
    page.idle()
    assert page.texts == ["hi", "Hello there"]
    page.tab.click("#panel-toggle")
    expect(page.tab.locator("#panel")).to_contain_text("Whole answer")


def test_the_panel_has_the_figures(page, upstream, transport):
    reply = upstream.reply = Steps("One ", "two ", "three")
    page.tab.click("#panel-toggle")
    expect(page.tab.locator("#panel")).to_contain_text("Figures of the next reply")
    page.send("go")
    reply.go(4)
    page.idle()
    panel = page.tab.locator("#panel")
    name = {"sse": "Server-Sent Events", "socket": "Socket.IO"}[transport]
    for text in (name, "7 in, 3 out", "reported by the provider", "never", "This conversation"):
        expect(panel).to_contain_text(text)
    expect(panel.locator(".plot-bar")).to_have_count(2)
    expect(panel.locator(".big dd").first).to_contain_text("s")


def test_the_theme_is_kept(page):
    page.tab.click("#open-settings")
    page.tab.get_by_text("Dark", exact=True).click()
    page.tab.reload()
    page.ready()
    expect(page.tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_failure_says_what_to_do_and_its_id(page, upstream, transport):
    upstream.reply = lambda exchange: exchange.cut()
    page.send("go")
    notice = page.tab.locator(".notice.failed")
    expect(notice).to_contain_text("ERR_")
    page.tab.reload()
    expect(notice).to_contain_text("ERR_")
    expect(notice.get_by_role("button", name="Continue")).to_be_visible()


def test_what_is_not_sent_is_kept(page, upstream, transport):
    choose(page, transport=transport, model="m" * 140_000)
    page.send("precious")
    expect(page.tab.locator(".banner.bad")).to_contain_text("Not sent")
    expect(page.tab.locator("#message")).to_have_value("precious")
    assert page.texts == []
    page.complaints.clear()  # the browser's own, of the refusal


def test_a_second_tab_sees_the_reply_go_on(page, context, server, upstream, transport):
    page.send("hi")
    page.idle()
    other = ChatPage(context, server.url).open(page.session_id)
    expect(other.last).to_have_text("Hello there")
    reply = upstream.reply = Steps("One ", "two")
    page.send("more")
    reply.go()
    expect(other.tab.locator(".message.streaming .text")).to_have_text("One ")
    reply.go(2)
    for tab in (page, other):
        expect(tab.last).to_have_text("One two")
        tab.idle()
    assert other.texts == page.texts == stored(server, page)
    assert other.complaints == []


def test_the_conversation_is_in_the_address(page, upstream):
    page.send("the first of two")
    page.idle()
    first = page.session_id
    page.tab.click("#new-chat")
    expect(page.tab.locator(".message")).to_have_count(0)
    page.send("the second of two")
    page.idle()
    titles(page).filter(has_text="the first of two").click()
    expect(page.tab.locator(".mine .text")).to_have_text("the first of two")
    assert page.session_id == first
    page.tab.go_back()
    expect(page.tab.locator(".mine .text")).to_have_text("the second of two")


def test_a_reader_who_scrolled_up_stays_there(page, upstream):
    reply = upstream.reply = Steps("word " * 900, "word " * 500, "word " * 500)
    at_end = "scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 2"
    page.send("go")
    reply.go()
    page.holds(f"scroller.scrollTop > 200 && {at_end}")
    page.tab.locator("#scroller").hover()
    page.tab.mouse.wheel(0, -300)
    expect(page.tab.locator("#to-end")).to_be_visible()
    page.holds(f"!({at_end})")
    page.tab.evaluate("window.at = scroller.scrollTop")
    reply.go()
    expect(page.last).to_have_text(("word " * 1400).strip())
    assert page.tab.evaluate("scroller.scrollTop <= at")
    page.tab.click("#to-end")
    reply.go(2)
    page.idle()
    page.holds(at_end)
    expect(page.tab.locator("#to-end")).to_be_hidden()


def test_right_to_left_text_has_its_direction(page, upstream):
    upstream.reply = say(["שלום עולם"])
    page.send("مرحبا")
    page.idle()
    for text in page.tab.locator(".message .text").all():
        block = "e => getComputedStyle(e.querySelector('p') ?? e).direction"
        assert text.evaluate(block) == "rtl"


def test_the_keyboard_alone_is_enough(page, upstream):
    page.send("by keys")
    page.idle()
    page.tab.locator("#skip").focus()
    page.tab.keyboard.press("Enter")
    expect(page.tab.locator("#message")).to_be_focused()
    menu = page.tab.locator(".session.current button[aria-haspopup]")
    menu.focus()
    page.tab.keyboard.press("Enter")
    page.tab.keyboard.press("ArrowDown")
    expect(page.tab.get_by_role("menuitem", name="Export as Markdown")).to_be_focused()
    page.tab.keyboard.press("Escape")
    expect(menu).to_be_focused()


def test_on_a_phone_the_list_is_a_drawer(browser, server, upstream):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = ChatPage(context, server.url).open()
    page.tab.fill("#message", "from a phone")
    page.tab.press("#message", "Enter")  # its keyboard has no Shift: the button sends
    page.tab.type("#message", "in two lines")
    page.tab.tap("#send")
    page.idle()
    assert page.texts == ["from a phone in two lines", "Hello there"]
    expect(page.tab.locator("#message")).to_have_attribute("enterkeyhint", "enter")
    page.tab.tap("#sidebar-open")
    expect(page.tab.locator("#sidebar-close")).to_be_focused()
    expect(page.tab.locator("#chat")).to_have_attribute("inert", "")
    page.tab.keyboard.press("Escape")
    expect(page.tab.locator("#sidebar-open")).to_be_focused()
    assert page.tab.evaluate("document.documentElement.scrollWidth") == 390
    assert (page.complaints, page.foreign) == ([], [])
    context.close()


def test_the_simple_loop_works_on_the_pages_origin(page):
    assert page.tab.evaluate(SEED_LOOP, "/api/chat/stream") == "Hello there"
