"""Pictures of the page in its main states, in artifacts/screenshots: to be looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import SCREENSHOTS, ChatPage
from tests.support.calling import calls
from tests.support.doors import SECRET
from tests.support.proxy import CuttingProxy
from tests.support.server_tools import LOOK_UP, NAMES
from tests.support.upstream import Exchange, Steps, in_turn, say, silent

WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
QUESTION = "Why does the sky turn red in the evening?"
REPLY = """\
Sunlight is a mix of all colours, and air scatters the short waves, blue and violet, far more than \
the long ones. The effect grows with the fourth power of the frequency: blue is scattered about \
four times as much as red.

At noon the light comes straight down, through little air. Some of the blue is scattered out of \
the beam and reaches us from every side, so the sky is blue and the sun is almost white.

In the evening the light comes in flat and crosses some thirty times as much air. By the time it \
arrives, most of the blue has been scattered away over other places, where it is still day. What \
is left is orange and red, and it lights the clouds from below."""
PIECES = [piece + " " for piece in REPLY.split(" ")]
EARLIER = [
    ("Plan for the reading group in May", 40 * 60),
    ("Translate the letter from Ana", 5 * 3600),
    ("A regular expression for ISO dates", 26 * 3600),
    ("שאלות על היסטוריה של ירושלים", 3 * 86400),
    ("Names for a sourdough starter", 9 * 86400),
    ("Comparing eventlet, gevent and threads for a small chat server", 33 * 86400),
]

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture(scope="module")
def shown(start_one):
    """A server with some conversations in its list."""
    server = start_one(OPENAI_API_KEY="sk-planted-0123456789abcdef", OPENAI_MODEL="large-2")
    for n, (title, _) in enumerate(reversed(EARLIER)):
        server.post("/api/chat/sessions", {"session_id": f"earlier-{n}"})
        server.request("PATCH", f"/api/chat/sessions/earlier-{n}", {"title": title})
    return server


@pytest.fixture
def opened(browser, shown, upstream) -> Iterator:
    contexts = []

    def opened_as(screen, theme, panel=False, url=shown.url, tools=(), **more) -> ChatPage:
        context = browser.new_context(**screen, color_scheme=theme, locale="en-GB", **more)
        contexts.append(context)
        context.route("**/api/chat/sessions?*", aged)
        context.add_init_script(
            f"localStorage['tandem.preferences'] = '{json.dumps(kept(panel, tools))}'"
        )
        return ChatPage(context, url).open()

    yield opened_as
    for context in contexts:
        context.unroute_all(behavior="ignoreErrors")  # the list may be asked for at this moment
        context.close()


def kept(panel, tools):
    return {"panel": panel, "tools": list(tools)}


def aged(route):
    """Have the earlier conversations be earlier."""
    response = route.fetch()
    listed = response.json()
    ages = dict(EARLIER)
    listed["sessions"] = [one for one in listed["sessions"] if keep(one, ages)]
    listed["sessions"].sort(key=lambda one: one["timestamp"], reverse=True)
    route.fulfill(response=response, json=listed)


def keep(session, ages):
    if session["title"] in ages:
        at = time.gmtime(time.time() - ages[session["title"]])
        session["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", at)
    return session["title"] in ages or session["active_run"] or session["title"] == QUESTION


@pytest.fixture(autouse=True)
def only_the_question_of_now(shown):
    yield
    for one in shown.get("/api/chat/sessions").json["sessions"]:
        if not one["session_id"].startswith("earlier-"):
            shown.request("DELETE", f"/api/chat/sessions/{one['session_id']}")


def say_slowly(exchange, pieces):
    for n, piece in enumerate(pieces):
        exchange.delta(piece)
        exchange.wait_closed(0.004 + 0.012 * (n % 7 == 0) + 0.03 * (n % 31 == 0))


def half(exchange: Exchange) -> None:
    exchange.start()
    say_slowly(exchange, PIECES[:90])
    exchange.wait_closed(20)


def paced(exchange: Exchange) -> None:
    exchange.start()
    say_slowly(exchange, PIECES)
    exchange.finish(usage={"prompt_tokens": 16, "completion_tokens": 187})


def ask(page, upstream, reply):
    upstream.reply = reply
    page.send(QUESTION)


def complete(page, upstream):
    ask(page, upstream, paced)
    expect(page.last).to_contain_text("from below.")
    page.idle()


def streaming(page, upstream, words=75):
    reply = Steps(*PIECES)
    reply.go(words)
    ask(page, upstream, reply)
    expect(page.last).to_contain_text("".join(PIECES[words - 2 : words]).strip())
    return reply


def saved(page, name):
    page.shot(name)
    assert (SCREENSHOTS / f"{name}.png").stat().st_size > 5000


def test_empty(opened):
    saved(opened(WIDE, "light"), "01-empty-wide-light")
    saved(opened(PHONE, "dark"), "02-empty-phone-dark")


def test_waiting(opened, upstream):
    page = opened(PHONE, "light")
    ask(page, upstream, silent)
    expect(page.tab.locator(".reply-state")).to_contain_text("Waiting for the model")
    saved(page, "03-waiting-phone-light")


def test_streaming_wide(opened, upstream):
    page = opened(WIDE, "light", panel=True)
    ask(page, upstream, half)
    expect(page.last).to_contain_text(" ".join(REPLY.split(" ")[85:89]))
    expect(page.tab.locator(".plot-bar").nth(40)).to_be_attached()
    saved(page, "04-streaming-wide-light")
    page.tab.click("#stop")
    page.idle()


def test_streaming_phone(opened, upstream):
    page = opened(PHONE, "dark")
    reply = streaming(page, upstream)
    saved(page, "05-streaming-phone-dark")
    reply.finish()
    page.idle()


def test_complete(opened, upstream):
    page = opened(WIDE, "dark", panel=True)
    complete(page, upstream)
    upstream.reply = paced
    page.tab.get_by_role("button", name="Regenerate").click()
    expect(page.tab.locator(".version")).to_have_text("2/2")
    page.idle()
    saved(page, "06-complete-wide-dark")


def test_interrupted(opened, upstream):
    page = opened(WIDE, "light")
    reply = streaming(page, upstream)
    page.tab.route(f"{page.url}/api/chat/sessions/*/messages", interrupted)
    page.tab.click("#stop")
    expect(page.tab.locator(".notice.interrupted")).to_be_visible()
    saved(page, "07-interrupted-wide-light")
    reply.finish()


def interrupted(route):
    response = route.fetch()
    said = response.json()
    said["messages"][-1]["status"] = "interrupted"
    route.fulfill(response=response, json=said)


def test_failed(opened, upstream):
    def cut(exchange):
        exchange.start()
        for piece in PIECES[:40]:
            exchange.delta(piece)
        exchange.cut()

    page = opened(WIDE, "dark")
    ask(page, upstream, cut)
    expect(page.tab.locator(".notice.failed")).to_be_visible()
    page.idle()
    saved(page, "08-failed-wide-dark")


def test_offline(opened, shown, upstream):
    proxy = CuttingProxy(shown.port)
    page = opened(PHONE, "light", url=proxy.url)
    reply = streaming(page, upstream, 40)
    page.tab.context.set_offline(True)
    proxy.cut()  # a stream that goes on is none of an offline machine
    expect(page.tab.locator(".banner")).to_be_visible()
    saved(page, "09-offline-phone-light")
    page.tab.context.set_offline(False)
    reply.finish()
    proxy.close()


def test_list(opened, upstream):
    page = opened(PHONE, "light")
    complete(page, upstream)
    page.tab.tap("#sidebar-open")
    expect(page.tab.locator("#sidebar-close")).to_be_focused()
    expect(page.tab.locator(".session")).to_have_count(7)
    saved(page, "10-list-phone-light")


def test_settings(opened, upstream):
    page = opened(WIDE, "light")
    upstream.reply = say([REPLY])
    page.send(QUESTION)
    page.idle()
    page.tab.click("#open-settings")
    saved(page, "11-settings-wide-light")


def test_login(browser, start_one):
    locked = start_one(JWT_SECRET=SECRET)
    context = browser.new_context(**PHONE, color_scheme="dark")
    page = ChatPage(context, locked.url).open()
    expect(page.tab.locator("#token")).to_be_focused()
    saved(page, "12-login-phone-dark")
    context.close()


@pytest.fixture(scope="module")
def with_tools(start_one):
    tools = f"{NAMES},{LOOK_UP}"
    return start_one(
        OPENAI_API_KEY="sk-planted-0123456789abcdef", OPENAI_MODEL="large-2", TOOLS=tools
    )


@pytest.mark.parametrize("screen, theme, name", [
    (WIDE, "light", "13-approval-wide-light"), (PHONE, "dark", "14-approval-phone-dark"),
])  # fmt: skip
def test_approval(opened, with_tools, upstream, screen, theme, name):
    page = opened(screen, theme, url=with_tools.url, tools=["look_up", "calculator", "send"])
    wanted = [
        ("look_up", {"query": "why is the evening sky red"}),
        ("calculator", {"expression": "(700 / 450) ** 4"}),
        ("send", {"to": "the reading group"}),
    ]
    text = "Let me check the figures first, and send them on if you like."
    upstream.reply = in_turn(calls(*wanted, text=text), say(["Sent."]))
    page.send(QUESTION)
    expect(page.tab.get_by_role("button", name="Allow")).to_be_visible()
    page.idle()
    page.tab.locator(".call summary", has_text="calculator").click()
    page.tab.locator("#scroller").evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
    page.drawn()
    saved(page, name)
