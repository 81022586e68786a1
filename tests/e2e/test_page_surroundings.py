"""The page where its surroundings are odd: browsers that block, mistake or translate, servers that
are long away, addresses and lists of any kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import FLAGS, ChatPage, need_chromium, stored
from tests.support.doors import SECRET, token_of
from tests.support.proxy import CuttingProxy
from tests.support.upstream import Steps, say

SAYS_OFFLINE = """Object.defineProperty(Navigator.prototype, "onLine", {
    get: () => false, configurable: true });"""
# What translators do: they put an element of theirs in the place of each text that is not spared.
TRANSLATOR = """() => {
    const own = (node) => node.parentElement.closest("[translate=no], font, script, style");
    const translate = () => {
        const all = document.getElementById("messages");
        const texts = document.createTreeWalker(all, NodeFilter.SHOW_TEXT);
        const found = [];
        while (texts.nextNode()) if (!own(texts.currentNode)) found.push(texts.currentNode);
        for (const node of found) {
            if (!node.data.trim()) continue;
            const font = document.createElement("font");
            font.textContent = node.data.replaceAll("word", "Wort");
            node.replaceWith(font);
        }
    };
    translate();
    new MutationObserver(translate).observe(document.getElementById("messages"),
        { subtree: true, childList: true, characterData: true, attributes: true });
}"""
CODE = "let word = 1;\nlet other = word + 1;"

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
def server(lively):
    return lively


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    made = CuttingProxy(server.port)
    yield made
    made.close()


def test_a_browser_that_wrongly_says_it_is_offline_is_not_believed(
    context, server, proxy, upstream
):
    context.add_init_script(SAYS_OFFLINE)
    page = ChatPage(context, proxy.url).open()
    reply = upstream.reply = Steps("One ", "two ", "three", patience_s=120)
    page.send("go")
    reply.go()
    expect(page.last).to_have_text("One ")
    expect(page.tab.locator(".reply-state")).to_have_text("Streaming response…")
    proxy.cut()
    reply.go()
    expect(page.last).to_have_text("One two ")
    expect(page.tab.locator(".banner")).to_have_count(0)
    reply.finish()
    expect(page.last).to_have_text("One two three")
    page.idle()
    assert page.texts == stored(server, page)


@pytest.fixture
def blocking(tmp_path, browser) -> Iterator[Any]:
    """A browser whose user has blocked all site data; naming `localStorage` throws there."""
    profile = tmp_path / "Default"
    profile.mkdir()
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Preferences").write_text(json.dumps(blocked))
    context = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=need_chromium(), args=FLAGS
    )
    yield context
    context.close()


def test_a_page_whose_data_are_blocked_starts_and_works(blocking, server, upstream):
    page = ChatPage(blocking, server.url).open()
    assert page.tab.evaluate("() => { try { localStorage } catch (e) { return e.name } }") == (
        "SecurityError"
    )
    page.tab.click("#open-settings")
    page.tab.fill("#model", "tiny")
    page.tab.keyboard.press("Escape")
    page.send("hi")
    page.idle()
    assert page.texts == ["hi", "Hello there"]
    assert upstream.exchanges[0].body["model"] == "tiny"
    page.tab.fill("#message", "half written")
    page.tab.click("#new-chat")
    expect(page.tab.locator("#message")).to_have_value("")
    page.tab.go_back()
    expect(page.tab.locator("#message")).to_have_value("half written")
    assert (page.complaints, page.foreign) == ([], [])


@pytest.mark.parametrize("remember", [True, False])
def test_a_token_is_kept_for_the_page_where_data_are_blocked(
    blocking, start_server, upstream, remember
):
    locked = start_server(JWT_SECRET=SECRET)
    page = ChatPage(blocking, locked.url).open()
    page.tab.fill("#token", token_of("alice"))
    if remember:
        page.tab.check("#remember")
    page.tab.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.tab.locator("#login")).to_be_hidden()
    page.send("hi")
    page.idle()
    assert page.texts == ["hi", "Hello there"]


def test_a_translated_page_has_code_once_and_a_reply_once(context, server, upstream):
    page = ChatPage(context, server.url).open()
    page.tab.evaluate(TRANSLATOR)
    text = f"A word.\n\n```js\n{CODE}\n```\n\nAnd a `word` more, said by word of mouth."
    reply = upstream.reply = Steps(*text.replace(" ", " \0").split("\0"), patience_s=120)
    page.send("a word")
    reply.finish()
    page.idle()
    code = page.tab.locator(".reply pre code")
    expect(code).to_have_text(CODE, use_inner_text=True)
    expect(page.tab.locator(".reply p code")).to_have_text("word")
    expect(page.tab.locator(".reply .text p").last).to_have_text(
        "And a word more, said by Wort of mouth."
    )
    expect(page.tab.locator(".mine .text")).to_have_text("a Wort")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.tab.locator(".md-copy").click()
    assert page.tab.evaluate("navigator.clipboard.readText()").strip() == CODE


def test_a_translated_reply_that_is_carried_on_is_whole(context, server, upstream):
    page = ChatPage(context, server.url).open()
    page.tab.evaluate(TRANSLATOR)
    reply = upstream.reply = Steps("One word ", "two ", patience_s=120)
    page.send("count")
    reply.go()
    expect(page.last).to_have_text("One word")
    page.tab.keyboard.press("Escape")
    expect(page.last).to_have_text("One Wort")
    upstream.reply = say(["and more."])
    page.tab.get_by_role("button", name="Continue").click()
    expect(page.last).to_have_text("One Wort and more.")
    page.idle()
    assert stored(server, page) == ["count", "One word and more."]
    reply.finish()


def test_a_server_that_was_away_for_long_is_heard_again(context, server, proxy, upstream):
    page = ChatPage(context, proxy.url)
    page.tab.clock.install()
    page.open()
    page.send("hi")
    page.idle()
    proxy.failing = ("/api/chat/events",)
    proxy.cut()
    asked = len(proxy.paths)
    while sum(path.startswith("/api/chat/events") for path in proxy.paths[asked:]) < 80:
        page.tab.clock.run_for(30_000)
    proxy.failing = ()
    body = {"message": "from afar", "session_id": page.session_id, "detach": True}
    assert server.post("/api/chat/stream", body).status == 202
    for _ in range(90):
        page.tab.clock.run_for(500)
        if page.tab.locator(".mine", has_text="from afar").count():
            break
    expect(page.tab.locator(".mine .text").last).to_have_text("from afar")
    page.tab.clock.resume()
    page.idle()
    assert page.texts == stored(server, page)


def test_the_list_keeps_its_length_and_its_place(context, start_server, upstream):
    own = start_server(DATABASE_URL="memory:", RATE_LIMIT_READ="off")
    for n in range(290):
        own.post("/api/chat/sessions", {"session_id": f"s{n}"})
    page = ChatPage(context, own.url).open()
    rows = page.tab.locator(".session")
    for count in (40, 80, 120, 160, 200, 240, 280):
        expect(rows).to_have_count(count)
        page.tab.locator("#more").scroll_into_view_if_needed()
    expect(rows).to_have_count(290)
    at = page.tab.evaluate("document.getElementById('sessions-scroll').scrollTop")
    assert at > 0
    page.send("hi")
    page.idle()
    expect(rows).to_have_count(291)
    expect(rows.first).to_contain_text("hi")
    assert page.tab.evaluate("document.getElementById('sessions-scroll').scrollTop") == at
    last = rows.last.get_attribute("data-id")
    page.tab.evaluate("new BroadcastChannel('tandem').postMessage('list')")
    own.request("DELETE", "/api/chat/sessions/s40")
    expect(page.tab.locator(".session[data-id=s40]")).to_have_count(0)
    expect(rows).to_have_count(290)
    assert rows.last.get_attribute("data-id") == last


@pytest.mark.parametrize("address", ["%E0%A4%A", "%", "a%20b", "../x", "no-such-one", "%00"])
def test_an_address_of_nothing_says_so_and_the_page_works(context, server, upstream, address):
    page = ChatPage(context, server.url)
    page.tab.goto(f"{server.url}/#/c/{address}")
    page.ready()
    expect(page.tab.locator(".banner.bad")).to_contain_text("not there any more")
    page.tab.locator(".banner button").click()
    page.send("hi")
    page.idle()
    assert page.texts == ["hi", "Hello there"]
    page.tab.goto(f"{server.url}/#/c/{address}")
    expect(page.tab.locator(".banner.bad")).to_contain_text("not there any more")
    expect(page.tab.locator("#empty")).to_be_visible()
