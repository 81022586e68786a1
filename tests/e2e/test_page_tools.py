"""Calls of tools in the page, in a real browser: as they come, after a reload, in other tabs; what
a person is asked, and what is left of that after a crash."""

from __future__ import annotations

import json
import threading

import pytest
from playwright.sync_api import expect

from tests.support.browser import ChatPage, choose, stored
from tests.support.calling import call_delta, calls, last_results
from tests.support.server_tools import LOOK_UP, NAMES, Gate, called
from tests.support.upstream import PLANTED_KEY, in_turn, say

SETTINGS = {
    "TOOLS": f"{NAMES},{LOOK_UP},tests.support.asking_tools:order",
    "OPENAI_API_KEY": PLANTED_KEY,
    "HEARTBEAT_S": 0.3,
}
ALL = ["calculator", "current_time", "look_up", "note", "order", "send", "wait"]
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
# What is on show of the replies: the lines of calls, and the texts, in their order.
SHOWN = """() => [...document.querySelectorAll(".reply :is(.text, .call summary)")]
    .map((one) => one.textContent.trim().replace(/\\s+/g, " ")).filter(Boolean)"""

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture(scope="module")
def with_tools(start_one):
    return start_one(**SETTINGS)


@pytest.fixture
def server(with_tools, upstream):
    return with_tools


@pytest.fixture
def gate(server):
    made = Gate(server.folder)
    yield made
    made.open()


@pytest.fixture
def page(page):
    """The page of a reader who has chosen all tools."""
    choose(page, tools=ALL)
    return page


@pytest.fixture
def ran(server):
    """What tools were called since."""
    before = len(called(server.folder))
    return lambda: called(server.folder)[before:]


def shown(page):
    return page.tab.evaluate(SHOWN)


def line(page, name, at=0):
    """The call of a tool."""
    return page.tab.locator(".call", has=page.tab.locator(".call-name", has_text=name)).nth(at)


def state(page, name, wanted, at=0):
    expect(line(page, name, at)).to_have_attribute("data-state", wanted)


def button(page, name):
    return page.tab.get_by_role("button", name=name, exact=True)


def asked(page, upstream, *wanted, then="Sent."):
    """Have the model call tools that need leave, and say something afterwards."""
    upstream.reply = in_turn(calls(*(wanted or [("send", {"to": "bob"})])), say([then]))
    page.send("do it")
    expect(button(page, "Allow").first).to_be_enabled()


@pytest.mark.parametrize("transport", ["sse", "socket"])
def test_a_call_is_shown_as_it_comes(page, server, gate, upstream, context, transport):
    choose(page, tools=ALL, transport=transport)
    whole = threading.Event()

    def slowly(exchange):
        exchange.start()
        exchange.delta("Let me see. ")
        exchange.event(call_delta(0, "wait", '{"name": "<b>', "call-a"))
        assert whole.wait(60)
        exchange.event(call_delta(0, args='bob"}'))
        exchange.finish("tool_calls")

    upstream.reply = in_turn(slowly, say(["That ", "was it."]))
    page.send("wait for it")
    state(page, "wait", "calling")
    expect(page.tab.locator(".reply-state")).to_have_text("Calling wait…")
    whole.set()
    state(page, "wait", "running")
    expect(page.tab.locator(".reply-state")).to_contain_text("Running wait")
    line(page, "wait").locator("summary").click()
    parts = line(page, "wait").locator("pre")
    expect(parts).to_have_text(['{\n  "name": "<b>bob"\n}', "waiting"])
    expect(line(page, "wait").locator(".call-label")).to_have_text(["Arguments", "So far"])

    # In its midst it is the same for who comes anew.
    page.tab.reload()
    other = ChatPage(context, server.url).open(page.session_id)
    for tab in (page.ready(), other):
        expect(tab.tab.locator(".reply-state")).to_contain_text("Running wait")
        line(tab, "wait").locator("summary").click()
        expect(line(tab, "wait").locator("pre").last).to_have_text("waiting")
    gate.open()
    for tab in (page, other):
        state(tab, "wait", "done")
        expect(line(tab, "wait").locator("pre").last).to_have_text("waited for <b>bob")
        expect(tab.last).to_have_text("That was it.")
        tab.idle()
    before = shown(page)
    assert [one.split()[0] for one in before] == ["Let", "wait", "That"]
    assert shown(other) == before
    page.tab.reload()
    page.ready().idle()
    assert shown(page) == before
    assert stored(server, page)[-1] == "Let me see. That was it."
    assert (other.complaints, other.foreign) == ([], [])


def test_an_answer_in_another_tab_is_one_for_all(page, upstream, context, server, ran):
    asked(page, upstream)
    expect(page.tab.locator("#status")).to_have_text("The reply waits for you: send.")
    expect(page.tab.locator(".session [aria-label='waits for you']")).to_be_visible()
    other = ChatPage(context, server.url).open(page.session_id)
    expect(line(other, "send").locator("pre")).to_have_text('{\n  "to": "bob"\n}')
    button(other, "Allow").click()
    for tab in (page, other):
        expect(tab.last).to_have_text("Sent.")
        expect(button(tab, "Allow")).to_have_count(0)
        tab.idle()
    assert shown(page) == shown(other) and ran() == ["send bob"]
    assert list(last_results(upstream.exchanges[1]).values()) == ["sent to bob"]
    page.tab.reload()
    page.ready().idle()
    assert shown(page) == shown(other)


def test_one_of_two_is_answered_and_the_other_after_a_reload(page, server, upstream, ran):
    asked(page, upstream, ("send", {"to": "ann"}), ("send", {"to": "bob"}))
    expect(button(page, "Allow")).to_have_count(2)
    button(page, "Allow").first.click()
    expect(button(page, "Allow")).to_have_count(1)
    state(page, "send", "answered")
    page.tab.reload()
    page.ready()
    state(page, "send", "answered")
    button(page, "Allow").click()
    expect(page.last).to_have_text("Sent.")
    page.idle()
    assert sorted(ran()) == ["send ann", "send bob"]


def test_a_denial_has_a_reason(page, server, upstream, ran):
    asked(page, upstream, then="As you say.")
    page.tab.get_by_label("Reason (optional)").fill("Ask me <tomorrow>")
    button(page, "Deny").click()
    expect(page.last).to_have_text("As you say.")
    page.idle()
    (told,) = last_results(upstream.exchanges[-1]).values()
    assert "Ask me <tomorrow>" in told and ran() == []
    for _ in range(2):
        state(page, "send", "denied")
        line(page, "send").locator("summary").click()
        expect(line(page, "send")).to_contain_text("The reason given: Ask me <tomorrow>")
        page.tab.reload()
        page.ready()


@pytest.fixture
def own(start_server, upstream):
    """A server that only this test has."""
    return start_server(**SETTINGS)


@pytest.fixture
def own_page(own, context):
    opened = ChatPage(context, own.url).open()
    choose(opened, tools=ALL)
    return opened


def opened_after_a_kill(context, server, page):
    """Close the page, kill the server and start it again; return the conversation's page."""
    session_id = page.session_id
    page.tab.close()
    server.kill()
    server.restart()
    return ChatPage(context, server.url).open(session_id)


def test_what_waits_survives_a_kill(context, own, own_page, upstream):
    asked(own_page, upstream)
    again = opened_after_a_kill(context, own, own_page)
    state(again, "send", "awaiting_approval")
    button(again, "Allow").click()
    expect(again.last).to_have_text("Sent.")
    again.idle()
    assert called(own.folder) == ["send bob"]
    assert again.complaints == []


def test_a_call_that_ran_at_a_kill_is_unknown(context, own, own_page, upstream):
    gate = Gate(own.folder)
    upstream.reply = calls(("wait", {"name": "bob"}))
    own_page.send("wait")
    state(own_page, "wait", "running")
    again = opened_after_a_kill(context, own, own_page)
    gate.open()
    state(again, "wait", "unknown")
    expect(again.tab.locator(".notice.interrupted")).to_be_visible()


def test_a_new_message_denies_what_waits(page, server, upstream, ran):
    asked(page, upstream)
    expect(page.tab.locator(".notice")).to_contain_text("A new message denies it.")
    upstream.reply = say(["Something else."])
    page.send("never mind")
    expect(page.last).to_have_text("Something else.")
    page.idle()
    expect(button(page, "Allow")).to_have_count(0)
    state(page, "send", "denied")
    assert ran() == []


def test_another_version_can_be_shown_once_nothing_waits(page, server, upstream, ran):
    upstream.reply = say(["First."])
    page.send("do it")
    page.idle()
    upstream.reply = in_turn(calls(("send", {"to": "bob"})), say(["Sent."]))
    button(page, "Regenerate").click()
    expect(button(page, "Allow")).to_be_visible()
    page.idle()
    expect(button(page, "The version before")).to_be_disabled()
    button(page, "Allow").click()
    expect(page.last).to_have_text("Sent.")
    page.idle()
    button(page, "The version before").click()
    expect(page.last).to_have_text("First.")
    button(page, "The version after").click()
    expect(page.last).to_have_text("Sent.")
    state(page, "send", "done")
    assert ran() == ["send bob"]


def test_what_was_waited_for_is_over(page, server, upstream):
    """Somebody has answered meanwhile, and the page has not heard of it."""
    asked(page, upstream)
    run_id = server.get(f"/api/chat/sessions/{page.session_id}").json["active_run"]["run_id"]
    page.tab.route(
        "**/approvals/*",
        lambda route: (server.post(f"/api/runs/{run_id}/stop"), route.continue_())[1],
    )
    button(page, "Allow").click()
    state(page, "send", "stopped")
    expect(button(page, "Allow")).to_have_count(0)
    page.idle()


def test_keys_are_enough(page, server, upstream, ran):
    asked(page, upstream, then="Well.")
    page.idle()
    expect(page.tab.locator("#message")).to_be_focused()
    page.tab.keyboard.press("Shift+Tab")
    expect(page.tab.locator("#attach")).to_be_focused()
    for name in ("Regenerate", "Copy", "Deny", "Allow"):
        page.tab.keyboard.press("Shift+Tab")
        while page.tab.evaluate("document.activeElement.id === 'scroller'"):
            page.tab.keyboard.press("Shift+Tab")
        found = page.tab.locator(".reply").get_by_role("button", name=name, exact=True)
        expect(found).to_be_focused()
    page.tab.keyboard.press("Shift+Tab")
    expect(page.tab.get_by_label("Reason (optional)")).to_be_focused()
    page.tab.keyboard.type("no")
    page.tab.keyboard.press("Enter")  # in a field it decides nothing
    for _ in range(2):
        page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Enter")
    expect(page.last).to_have_text("Well.")
    state(page, "send", "denied")
    expect(line(page, "send").locator("summary")).to_be_focused()
    page.tab.keyboard.press("Enter")
    expect(line(page, "send").locator("pre")).to_be_visible()
    assert ran() == []


def test_a_question_has_a_form(page, server, upstream):
    asked(page, upstream, ("order", {"what": "tea"}), then="Ordered.")
    button(page, "Allow").click()
    expect(line(page, "order")).to_contain_text("waiting for your answer")
    expect(page.tab.get_by_text("Which size?")).to_be_visible()
    button(page, "Send answer").click()  # without a size
    expect(page.tab.get_by_role("spinbutton", name="size")).to_be_focused()
    page.tab.get_by_role("spinbutton", name="size").fill("300")
    button(page, "Send answer").click()
    expect(page.tab.get_by_text("So large?")).to_be_visible()
    page.tab.reload()
    page.ready()
    button(page, "Decline").click()
    expect(page.last).to_have_text("Ordered.")
    page.idle()
    line(page, "order").locator("summary").click()
    expect(line(page, "order").locator("pre").last).to_have_text("Nothing was ordered.")


def test_a_form_that_the_server_refuses_says_why(page, server, upstream):
    asked(page, upstream, ("order", {"what": "tea"}))
    button(page, "Allow").click()
    page.tab.get_by_role("spinbutton", name="size").fill("3")
    page.tab.route(
        "**/approvals/*",
        lambda route: route.continue_(
            post_data=json.dumps({"approved": True, "answer": {"size": "3"}})
        ),
    )
    button(page, "Send answer").click()
    expect(page.tab.get_by_role("alert")).to_have_text("size: must be of type integer.")
    page.tab.unroute_all()
    button(page, "Send answer").click()
    expect(page.last).to_have_text("Sent.")
    page.complaints.clear()  # the browser's own of the 400


def test_a_result_of_another_app_is_awaited(page, server, upstream):
    upstream.reply = in_turn(calls(("look", {"at": "the door"})), say(["It is open."]))
    body = {"message": "look", "session_id": f"app-{page.url[-4:]}", "tools": [LOOK]}
    waits = server.post("/api/chat", body).json
    page.open(waits["session_id"])
    page.tab.reload()
    state(page.ready(), "look", "awaiting_result")
    expect(page.tab.locator(".notice")).to_have_text(
        "Waiting for a result from the app that asked."
    )
    expect(button(page, "Allow")).to_have_count(0)
    (action,) = waits["requires_action"]
    results = {"results": [{"call_id": action["call_id"], "output": {"open": True}}]}
    server.post(f"/api/runs/{waits['run_id']}/results", results)
    expect(page.last).to_have_text("It is open.")
    state(page, "look", "done")
    page.idle()


def test_whole_answers_have_calls_too(page, server, upstream, ran):
    choose(page, tools=ALL, streaming=False)
    asked(page, upstream, ("note", {"text": "x"}), ("send", {"to": "bob"}))
    state(page, "note", "done")
    button(page, "Allow").click()
    expect(page.last).to_have_text("Sent.")
    page.idle()
    assert ran() == ["note x", "send bob"]


def test_calls_that_fail_or_cannot_be_run_say_so(page, server, upstream):
    wanted = [
        ("calculator", {"expression": "1/0"}),
        ("note", {"txt": 1}),
        ("note", {"text": "x" * 9}),
    ]
    upstream.reply = in_turn(calls(*wanted), say(["Hm."]))
    page.send("go")
    expect(page.last).to_have_text("Hm.")
    page.idle()
    for _ in range(2):
        state(page, "calculator", "failed")
        state(page, "note", "failed")
        state(page, "note", "done", at=1)
        line(page, "note").locator("summary").click()
        expect(line(page, "note").locator(".call-error")).not_to_be_empty()
        page.tab.reload()
        page.ready()


def test_sources_are_links_below_the_reply(page, server, upstream):
    upstream.reply = in_turn(calls(("look_up", {"query": "tea"})), say(["Tea."]))
    page.send("look it up")
    expect(page.last).to_have_text("Tea.")
    page.idle()
    for _ in range(2):
        sources = page.tab.get_by_role("list", name="Sources").get_by_role("link")
        expect(sources).to_have_text(["The <first>", "example.org"])
        for at, url in enumerate(["https://example.org/a?b=1", "http://example.org/untitled"]):
            expect(sources.nth(at)).to_have_attribute("href", url)
            expect(sources.nth(at)).to_have_attribute("rel", "noopener noreferrer")
            expect(sources.nth(at)).to_have_attribute("target", "_blank")
        page.tab.reload()
        page.ready()


def test_the_switch_says_which_tools_are_sent(page, server, upstream):
    def sent():
        tools = upstream.exchanges[-1].body.get("tools", [])
        return sorted(one["function"]["name"] for one in tools)

    choose(page)
    page.send("without")
    page.idle()
    assert sent() == []
    page.tab.click("#tools-button")
    expect(page.tab.get_by_label("All tools")).to_be_focused()
    page.tab.get_by_role("checkbox", name="note").check()
    page.tab.get_by_role("checkbox", name="send").check()
    page.tab.keyboard.press("Escape")
    expect(page.tab.locator("#tools-button")).to_have_text("Tools: 2")
    expect(page.tab.locator("#tools-button")).to_be_focused()
    page.tab.reload()
    page.ready()
    expect(page.tab.locator("#tools-button")).to_have_text("Tools: 2")
    page.send("with two")
    page.idle()
    assert sent() == ["note", "send"]
    button(page, "Regenerate").last.click()
    expect(page.tab.locator(".version")).to_have_text("2/2")
    page.idle()
    assert sent() == ["note", "send"]
    page.tab.click("#tools-button")
    page.tab.get_by_label("All tools").click()
    expect(page.tab.locator("#tools-button")).to_have_text(f"Tools: {len(ALL)}")
    page.tab.get_by_label("All tools").click()
    expect(page.tab.locator("#tools-button")).to_have_text("Tools")
    page.tab.keyboard.press("Escape")
    page.send("off")
    page.idle()
    assert sent() == []


def test_a_tool_that_is_gone_is_not_sent(page, server, upstream):
    choose(page, tools=["note", "gone"])
    expect(page.tab.locator("#tools-button")).to_have_text("Tools: 1")
    page.send("go")
    page.idle()
    assert [one["function"]["name"] for one in upstream.exchanges[-1].body["tools"]] == ["note"]


def test_where_the_server_offers_none_there_is_no_switch(page, server, upstream):
    page.tab.route("**/api/tools", lambda route: route.fulfill(json={"tools": []}))
    page.tab.reload()
    page.ready().send("go")
    page.idle()
    expect(page.tab.locator("#tools-button")).to_be_hidden()
    assert "tools" not in upstream.exchanges[-1].body


def test_a_stop_ends_a_tool(page, server, gate, upstream, ran):
    upstream.reply = calls(("wait", {"name": "bob"}))
    page.send("wait")
    state(page, "wait", "running")
    page.tab.click("#stop")
    state(page, "wait", "stopped")
    expect(page.tab.locator(".notice.stopped")).to_be_visible()
    page.idle()
    assert server.wait_until(lambda: "ended bob" in ran())


def test_what_a_program_has_said_is_shown_as_a_conversation(page, server, upstream):
    """Of OpenAI's Responses: results of its tools are messages, and none that a reader wrote."""
    upstream.reply = in_turn(calls(("look", {})), say(["Found."]))
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    asked = {"model": "m", "tools": [tool]}
    first = server.post("/v1/responses", {**asked, "input": "Look."}).json
    (call,) = [one for one in first["output"] if one["type"] == "function_call"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a shoe"}
    second = {**asked, "input": [output], "previous_response_id": first["id"]}
    assert server.post("/v1/responses", second).json["status"] == "completed"
    run = server.get(f"/api/runs/{first['id'].removeprefix('resp_')}").json

    page.open(run["session_id"])
    expect(page.tab.locator(".message:visible")).to_have_count(3)
    expect(page.tab.locator(".mine:visible .text")).to_have_text(["Look."])
    expect(page.last).to_have_text("Found.")
