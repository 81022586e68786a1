"""/examples/react in a real browser: the hook's names, its fallbacks, what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.calling import calls
from tests.support.proxy import CuttingProxy
from tests.support.server_tools import NAMES, called
from tests.support.upstream import PLANTED_KEY, Exchange, in_turn, say

pytestmark = pytest.mark.browser

PATH = "/examples/react"
HALF, REST = "Hello **there**,", " and *more*."
TEXT = "Hello there, and more."
BY_THE_BROWSER = ("Failed to load resource", "WebSocket connection to")
# Two clicks in one task: React has not rendered between them, so no disabled button is in the way.
SUBMIT_TWICE = "(form) => { form.requestSubmit(); form.requestSubmit(); }"

# All that the status line says, in its order: some of it is soon replaced by what comes next.
LISTEN = """(line) => {
  window.said = [];
  new MutationObserver(() => window.said.push(line.textContent))
    .observe(line, { characterData: true, childList: true, subtree: true });
}"""


class Held:
    """A reply that waits in the middle, to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        exchange.delta(HALF)
        assert self.go.wait(90)
        exchange.delta(REST)
        exchange.finish(usage={"prompt_tokens": 5, "completion_tokens": 4})


@pytest.fixture
def server(lively):
    """A viewer that has left is noticed with the next heartbeat, which comes soon here."""
    return lively


@pytest.fixture
def open_page(browser, server) -> Iterator[Callable[..., Page]]:
    """Open the example, at the server or a proxy. Nothing is said on its console, but what the
    browser itself says of a server that fails; and nothing is asked of another host."""
    opened: list[Page] = []
    complaints: list[str] = []

    def go(url: str = server.url, failing: bool = False) -> Page:
        page = browser.new_page()
        opened.append(page)

        def said(message: Any) -> None:
            if not (failing and message.text.startswith(BY_THE_BROWSER)):
                complaints.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith((f"{url}/", url.replace("http", "ws") + "/", "data:")):
                complaints.append(request.url)

        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", asked)
        page.goto(url + PATH)
        status_of(page).evaluate(LISTEN)
        return page

    yield go
    for page in opened:
        page.close()
    assert complaints == []


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


@pytest.fixture
def held(upstream) -> Iterator[Held]:
    upstream.reply = Held()
    yield upstream.reply
    upstream.reply.go.set()


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    made = CuttingProxy(server.port)
    yield made
    made.close()


def send(page: Page, text: str = "say hello") -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def status_of(page: Page) -> Any:
    return page.locator("p[role=status]")  # code in a reply has a status of its own


def wait_until_said(page: Page, line: str) -> None:
    page.wait_for_function("(line) => window.said.includes(line)", arg=line, timeout=15000)


def replies(page: Page) -> Any:
    return page.locator("li.assistant .markdown")


def expect_reply(page: Page, text: str = TEXT) -> None:
    expect(replies(page)).to_have_text([text], timeout=15000)
    expect(page.locator("li.streaming")).to_have_count(0)


def session_of(page: Page) -> str:
    found: str = page.evaluate("sessionStorage.getItem('tandem-react-example')")
    return found


def asked_paths(page: Page) -> list[str]:
    """Return the paths of the messages that are sent from now on."""
    paths: list[str] = []
    page.on("request", lambda one: paths.append(one.url) if one.method == "POST" else None)
    return paths


def test_a_call_is_allowed_and_the_reply_goes_on(open_page, start_one, upstream):
    server = start_one(TOOLS=NAMES, OPENAI_API_KEY=PLANTED_KEY)
    upstream.reply = in_turn(calls(("send", {"to": "bob"}), text="Wait. "), say(["Sent."]))
    page = open_page(server.url)
    page.get_by_role("switch", name="Tools").check()
    send(page)
    expect(page.locator(".call summary")).to_have_text("send: awaiting approval")
    page.reload()
    button(page, "Allow").click()
    expect_reply(page, "Wait. Sent.")
    expect(page.locator(".call summary")).to_have_text("send: done")
    expect(button(page, "Allow")).to_have_count(0)
    assert called(server.folder) == ["send bob"]


def test_a_reply_is_shown_while_it_streams(page, server, held):
    paths = asked_paths(page)
    send(page)
    streaming = page.locator("li.streaming")
    expect(streaming.locator(".markdown strong")).to_have_text("there")
    expect(streaming).to_contain_text("Streaming response...")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "true")
    wait_until_said(page, "Streaming")
    caret = "(one) => getComputedStyle(one.querySelector('.markdown').lastChild, '::after').content"
    assert "\u258d" in streaming.evaluate(caret)
    element = streaming.element_handle()
    held.go.set()
    expect_reply(page)
    assert "assistant completed" == element.get_attribute("class")  # the same one, not drawn again
    expect(page.get_by_text("Streaming response...")).to_have_count(0)
    expect(status_of(page)).to_contain_text("Complete \u00b7 openai")
    expect(page.locator("li.user")).to_contain_text("say hello")
    assert paths == [f"{server.url}/api/chat/stream"]


def test_a_whole_answer_where_streaming_is_off(page, server, held):
    paths = asked_paths(page)
    page.get_by_role("switch", name="Streaming").uncheck()
    send(page)
    expect(page.get_by_text("Waiting for the whole answer...")).to_be_visible()
    expect(replies(page)).to_have_count(0)
    held.go.set()
    expect_reply(page)
    assert paths == [f"{server.url}/api/chat"]


def test_the_provider_and_the_model_reach_the_server(page, upstream):
    page.get_by_label("Model").fill("another-model")
    send(page)
    expect_reply(page, "Hello there")
    assert upstream.exchanges[0].body["model"] == "another-model"
    page.get_by_label("Provider").select_option("demo")
    expect(page.get_by_label("Model")).to_have_value("")
    send(page, "and you?")
    expect(status_of(page)).to_contain_text("Complete \u00b7 demo")
    assert len(upstream.exchanges) == 1


def test_providers_are_those_of_the_server(page, server):
    told = server.get("/api/models").json
    options = page.get_by_label("Provider").locator("option")
    expect(options).to_have_count(len(told["providers"]) + 1)
    expect(options.first).to_have_text(f"Default ({told['default']})")
    lacking = [one["missing"] for one in told["providers"] if not one["ready"]]
    assert lacking
    for option, missing in zip(page.locator("option:disabled").all(), lacking, strict=True):
        expect(option).to_contain_text(f"(needs {missing})")


def test_a_failure_is_told_and_the_message_can_be_sent_again(page, upstream):
    upstream.reply = lambda exchange: exchange.cut()
    send(page)
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(status_of(page)).to_have_text("Failed")
    upstream.reply = say(["Hello", " there"])
    button(page, "Retry").click()
    expect_reply(page, "Hello there")
    expect(alert).to_have_count(0)


def test_a_failure_in_the_middle_keeps_the_text_and_can_be_dismissed(page, upstream):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("Hal")
        exchange.cut()

    upstream.reply = reply
    send(page)
    expect(page.locator("li.failed .markdown")).to_have_text("Hal")
    button(page, "Dismiss").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("li.failed")).to_be_visible()


def test_the_other_transport_where_the_stream_fails(open_page, proxy, held):
    proxy.failing = ("/api/chat/stream",)
    page = open_page(proxy.url, failing=True)
    send(page)
    wait_until_said(page, "Trying again over Socket.IO")
    expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
    held.go.set()
    expect_reply(page)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_whole_answer_where_nothing_streams(open_page, proxy, upstream, held):
    proxy.failing = ("/api/chat/stream", "/socket.io")
    page = open_page(proxy.url, failing=True)
    send(page)
    wait_until_said(page, "Streaming failed: asking for the whole answer")
    held.go.set()
    expect_reply(page)
    expect(status_of(page)).to_contain_text("Complete \u00b7 openai")
    assert len(upstream.exchanges) == 1


def test_a_cut_in_the_middle_is_not_seen_in_the_text(open_page, proxy, upstream, held):
    page = open_page(proxy.url, failing=True)
    send(page)
    expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
    proxy.cut()
    wait_until_said(page, "Connection lost: resuming over Server-Sent Events")
    held.go.set()
    expect_reply(page)
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("how", ["double click", "one task"])
def test_two_clicks_send_once(page, upstream, held, streams, how):
    page.get_by_role("switch", name="Streaming").set_checked(streams)
    page.get_by_label("Message", exact=True).fill("go")
    paths = asked_paths(page)
    if how == "double click":
        button(page, "Send").dblclick()
    else:
        page.locator("form").evaluate(SUBMIT_TWICE)
    upstream.wait_for(1)
    expect(page.get_by_role("alert")).to_have_count(0)  # the second was the first, not refused
    held.go.set()
    expect_reply(page)
    expect(page.locator("li.user")).to_have_count(1)
    assert (len(paths), len(upstream.exchanges)) == (1, 1)


def test_stop_ends_the_run(page, upstream, held):
    send(page)
    expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
    button(page, "Stop").click()
    expect(page.locator("li.stopped .markdown")).to_have_text("Hello there,")
    expect(status_of(page)).to_contain_text("Stopped")
    held.go.set()
    assert upstream.exchanges[0].wait_closed(20)


def test_clear_shows_none_and_a_reload_shows_them_again(page, server):
    send(page)
    expect_reply(page, "Hello there")
    button(page, "Clear").click()
    expect(page.get_by_text("No messages.")).to_be_visible()
    expect(button(page, "Clear")).to_be_disabled()
    page.reload()
    expect_reply(page, "Hello there")


def unmount_in_mid_stream(page: Page, server: Any) -> None:
    send(page)
    expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
    assert server.status()["viewers"]["sse"] == 1
    button(page, "Unmount").click()
    expect(page.get_by_role("log")).to_have_count(0)
    assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 0)


def active_run(page: Page, server: Any) -> Any:
    return server.get(f"/api/chat/sessions/{session_of(page)}").json["active_run"]


def test_unmounted_in_mid_stream_the_run_goes_on(page, server, upstream, held):
    unmount_in_mid_stream(page, server)
    assert active_run(page, server) is not None
    assert not upstream.exchanges[0].closed.is_set()
    held.go.set()
    assert server.wait_until(lambda: active_run(page, server) is None)
    button(page, "Mount").click()
    expect_reply(page)


def test_mounted_again_it_follows_the_run(page, server, upstream, held):
    unmount_in_mid_stream(page, server)
    button(page, "Mount").click()
    expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
    held.go.set()
    expect_reply(page)
    expect(page.locator("li.user")).to_have_count(1)
    assert len(upstream.exchanges) == 1


def test_unmounting_again_and_again_leaves_nothing_behind(page, server, held):
    unmount_in_mid_stream(page, server)
    devtools = page.context.new_cdp_session(page)
    counts = []
    for _ in range(6):
        button(page, "Mount").click()
        expect(page.locator("li.streaming .markdown")).to_have_text("Hello there,")
        button(page, "Unmount").click()
        assert server.wait_until(lambda: server.status()["viewers"]["sse"] == 0)
        devtools.send("HeapProfiler.collectGarbage")
        found = devtools.send("Memory.getDOMCounters")
        counts.append((found["nodes"], found["jsEventListeners"]))
    held.go.set()
    assert counts[-1] == counts[2], counts
