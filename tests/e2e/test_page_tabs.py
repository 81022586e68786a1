"""Many tabs of one browser: it has six connections to a server, and one is enough for all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from tests.support.browser import ChatPage, choose, stored
from tests.support.proxy import CuttingProxy
from tests.support.upstream import Steps, say

MOST = 6  # connections of a browser to a server over HTTP/1.1
PATIENT = {"HEARTBEAT_S": 0.3, "FIRST_DELTA_TIMEOUT_S": 500, "DELTA_TIMEOUT_S": 500}
# A page over http from another machine is no secure context, and has no locks.
NO_LOCKS = "delete Navigator.prototype.locks"
# Hears nothing: neither of the other tabs nor of the server.
DEAF = "delete window.BroadcastChannel"

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def server(start_one):
    """A server with time for a slow machine, where many tabs take long to open."""
    return start_one(**PATIENT, RATE_LIMIT_READ="off", RATE_LIMIT_STREAM="off")


@pytest.fixture
def context(context):
    context.set_default_timeout(120_000)
    return context


def replying(context, server, upstream, count, url=None, **preferences):
    """Open tabs, each with a reply under way; return them with what lets the replies go on."""
    tabs, replies = [], []
    for n in range(count):
        text = f"question {n}"
        replies.append(Steps("One ", "two ", f"three of {n}", patience_s=400))
        upstream.replies[text] = replies[-1]
        tabs.append(ChatPage(context, url or server.url).open())
        if preferences and n == 0:
            choose(tabs[-1], **preferences)
        tabs[-1].send(text)
        replies[-1].go()
        if preferences.get("streaming", True):
            expect(tabs[-1].last).to_have_text("One ")
        else:
            expect(tabs[-1].tab.locator(".reply-state")).to_contain_text("whole answer")
    return tabs, replies


def finished(server, tabs, replies):
    """Let the replies end; what is on show is what is stored."""
    for n, (tab, reply) in enumerate(zip(tabs, replies)):
        reply.finish()
        expect(tab.last).to_have_text(f"One two three of {n}")
        tab.idle()
        assert tab.texts == stored(server, tab) == [f"question {n}", f"One two three of {n}"]


def run_of(server, tab):
    messages = server.get(f"/api/chat/sessions/{tab.session_id}/messages").json["messages"]
    return server.get(f"/api/runs/{messages[-1]['run_id']}").json


def viewers(server):
    return server.status()["viewers"]["sse"]


@pytest.mark.parametrize(
    "preferences",
    [{}, {"transport": "socket"}, {"streaming": False}],
    ids=["sse", "socket", "whole"],
)
def test_stop_is_heard_while_as_many_tabs_reply_as_there_are_connections(
    context, server, upstream, preferences
):
    tabs, replies = replying(context, server, upstream, MOST, **preferences)
    assert server.wait_until(lambda: viewers(server) <= 1)
    tabs[3].tab.click("#stop")
    expect(tabs[3].tab.locator(".notice.stopped")).to_be_visible()
    assert run_of(server, tabs[3])["status"] == "stopped"

    seventh = ChatPage(context, server.url).open()
    upstream.replies["one more"] = say(["Hello ", "seventh"])
    seventh.send("one more")
    expect(seventh.last).to_have_text("Hello seventh")
    seventh.idle()
    del tabs[3], replies[3]
    for tab, reply in zip(tabs, replies):
        reply.finish()
        expect(tab.last).to_contain_text("One two three")
        tab.idle()
        assert tab.texts == stored(server, tab)
        assert tab.complaints == []


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
@pytest.mark.parametrize("end", ["closes", "reloads", "crashes"])
def test_the_tab_that_has_the_connection_goes_and_nothing_is_lost(
    context, server, upstream, locks, end
):
    if not locks:
        context.add_init_script(NO_LOCKS)
    (leader, *tabs), (own, *replies) = replying(context, server, upstream, 3)
    if end == "closes":
        leader.tab.close()
    elif end == "reloads":
        leader.tab.reload()
        leader.ready()
        expect(leader.last).to_have_text("One ")
    else:
        with suppress(Error):
            leader.tab.goto("chrome://crash")
    for reply in replies:
        reply.go()
    for tab in tabs:
        expect(tab.last).to_have_text("One two ")
    own.finish()
    for n, (tab, reply) in enumerate(zip(tabs, replies), 1):
        reply.finish()
        expect(tab.last).to_have_text(f"One two three of {n}")
        tab.idle()
        assert tab.texts == stored(server, tab)
        assert tab.complaints == []
    assert server.wait_until(lambda: viewers(server) == 1)


def test_a_cut_is_resumed_in_all_tabs(context, server, upstream):
    proxy = CuttingProxy(server.port)
    tabs, replies = replying(context, server, upstream, 3, url=proxy.url)
    proxy.cut()
    for reply in replies:
        reply.go()
    for tab in tabs:
        expect(tab.last).to_have_text("One two ")
    finished(server, tabs, replies)
    proxy.close()


def test_a_server_that_restarts_tells_all_tabs(context, start_server, upstream):
    own = start_server(**PATIENT)
    proxy = CuttingProxy(own.port)
    tabs, replies = replying(context, own, upstream, 2, url=proxy.url)
    own.kill()
    own.restart()
    proxy.move(own.port)
    for tab in tabs:
        expect(tab.tab.locator(".notice.interrupted")).to_be_visible()
        tab.idle()
        assert tab.texts == stored(own, tab)
    for reply in replies:
        reply.finish()
    upstream.replies.clear()
    upstream.reply = say(["the rest"])
    tabs[1].tab.get_by_role("button", name="Continue").click()
    expect(tabs[1].last).to_have_text("One the rest")
    proxy.close()


def test_windows_that_only_show_a_conversation_leave_the_connections_free(
    context, server, upstream
):
    first = ChatPage(context, server.url).open()
    first.send("hi")
    first.idle()
    tabs = [ChatPage(context, server.url).open(first.session_id) for _ in range(MOST - 1)]
    for tab in tabs:
        expect(tab.last).to_have_text("Hello there")
    assert server.wait_until(lambda: viewers(server) == 1)
    upstream.reply = say(["Hello again"])
    tabs[-1].send("more")
    for tab in [first, *tabs]:
        expect(tab.last).to_have_text("Hello again")
        tab.idle()
    assert first.texts == tabs[-1].texts == stored(server, first)


def deaf(context, server, session_id):
    """Open a tab at the conversation, that learns of nothing by itself."""
    tab = ChatPage(context, server.url)
    tab.tab.add_init_script(DEAF)
    tab.tab.route("**/api/chat/events*", lambda route: route.abort())
    tab.open(session_id)
    choose(tab, transport="socket")
    return tab


def test_a_message_hangs_on_what_it_was_written_under(context, server, upstream):
    page = ChatPage(context, server.url).open()
    for text in ("first", "second"):
        upstream.reply = say([text])
        if text == "first":
            page.send("hi")
        else:
            page.tab.get_by_role("button", name="Regenerate").click()
        expect(page.last).to_have_text(text)
        page.idle()
    other = deaf(context, server, page.session_id)
    expect(other.last).to_have_text("second")
    page.tab.get_by_role("button", name="The version before").click()
    expect(page.last).to_have_text("first")
    upstream.reply = say(["third"])
    other.send("and then?")
    expect(other.last).to_have_text("third")
    other.idle()
    said = [message["content"] for message in upstream.exchanges[-1].body["messages"]]
    assert said[-3:] == other.texts[:3] == ["hi", "second", "and then?"]
    expect(page.last).to_have_text("third")


def test_the_version_that_is_chosen_elsewhere_is_shown(context, server, upstream):
    page = ChatPage(context, server.url).open()
    page.send("hi")
    page.idle()
    upstream.reply = say(["second"])
    page.tab.get_by_role("button", name="Regenerate").click()
    expect(page.last).to_have_text("second")
    page.idle()
    other = ChatPage(context, server.url).open(page.session_id)
    expect(other.last).to_have_text("second")
    page.tab.get_by_role("button", name="The version before").click()
    expect(other.last).to_have_text("Hello there")


GONE = "This conversation is not there any more."


@pytest.mark.parametrize("path", ["/{}", ""], ids=["it alone", "all"])
def test_a_conversation_that_is_deleted_elsewhere_is_gone_here(context, server, upstream, path):
    page = ChatPage(context, server.url).open()
    page.send("soon gone")
    page.idle()
    session_id = page.session_id
    page.tab.fill("#message", "half written")
    server.request("DELETE", f"/api/chat/sessions{path.format(session_id)}")
    expect(page.tab.locator(".banner.bad")).to_have_text(GONE)
    expect(page.tab.locator("#message")).to_have_value("half written")
    expect(page.tab.locator("#empty")).to_be_visible()
    expect(page.tab.locator(".session", has_text="soon gone")).to_have_count(0)
    page.tab.press("#message", "Enter")
    page.idle()
    assert page.session_id != session_id
    assert page.texts == ["half written", "Hello there"]


def test_what_is_deleted_here_is_no_news(context, server, upstream):
    page = ChatPage(context, server.url).open()
    page.send("not wanted")
    page.idle()
    page.menu("not wanted", "Delete")
    page.tab.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.tab.locator("#empty")).to_be_visible()
    page.send("the next")
    page.idle()
    expect(page.tab.locator(".banner")).to_have_count(0)


@pytest.mark.parametrize("action", ["send", "regenerate", "edit"])
def test_nothing_is_made_anew_of_a_conversation_that_is_gone(context, server, upstream, action):
    page = ChatPage(context, server.url).open()
    page.send("soon gone")
    page.idle()
    other = deaf(context, server, page.session_id)
    expect(other.last).to_have_text("Hello there")
    session_id = page.session_id
    assert server.request("DELETE", f"/api/chat/sessions/{session_id}").status == 200
    asked = len(upstream.exchanges)
    other.tab.fill("#message", "half written")
    if action == "send":
        other.tab.press("#message", "Enter")
    elif action == "regenerate":
        other.tab.get_by_role("button", name="Regenerate").click()
    else:
        other.tab.get_by_role("button", name="Edit").click()
        other.tab.get_by_label("Edit the message").fill("edited")
        other.tab.keyboard.press("Enter")
    expect(other.tab.locator(".banner.bad")).to_have_text(GONE)
    kept = "edited\nhalf written" if action == "edit" else "half written"
    expect(other.tab.locator("#message")).to_have_value(kept)
    assert server.get(f"/api/chat/sessions/{session_id}").status == 404
    assert len(upstream.exchanges) == asked
