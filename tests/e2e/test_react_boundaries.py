"""/examples/react where what is shown fails: an error stays where it is, and is not the page's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

NO_VIEW = "export function createMarkdownView() { throw new Error('there is none'); }"
# React cannot show an object, and no message of the server's is one.
ODD: dict[str, Any] = {"id": "m-1", "role": "user", "content": {}, "status": "completed"}


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def send(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_a_reply_that_cannot_be_drawn_is_plain_text(server, page, upstream):
    page.route(
        "**/markdown-view.js",
        lambda route: route.fulfill(body=NO_VIEW, content_type="text/javascript"),
    )
    page.goto(f"{server.url}/examples/react")
    send(page, "one")
    expect(page.locator("li.assistant .plain")).to_have_text(["Hello there"])
    send(page, "two")
    expect(page.locator("li.assistant .plain")).to_have_text(["Hello there"] * 2)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_chat_that_cannot_be_shown_leaves_the_page_and_is_shown_again(server, page, upstream):
    messages = "**/api/chat/sessions/*/messages"
    page.route(messages, lambda route: route.fulfill(body=json.dumps({"messages": [ODD]})))
    page.goto(f"{server.url}/examples/react")
    expect(page.get_by_role("alert")).to_contain_text("The chat could not be shown.")
    expect(page.get_by_role("log")).to_have_count(0)
    expect(page.get_by_label("Provider")).to_be_enabled()
    page.unroute(messages)
    page.get_by_role("button", name="Show it again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    send(page, "and now?")
    expect(page.locator("li.assistant .markdown")).to_have_text(["Hello there"])
