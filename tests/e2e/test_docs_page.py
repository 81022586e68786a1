"""/docs in a real browser: Swagger UI from this server alone, under the strict CSP."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.server import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser, server):
    opened = browser.new_page(viewport={"width": 1200, "height": 1600})
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda one: complaints.extend(elsewhere(server, one.url)))
    opened.goto(f"{server.url}/docs")
    expect(opened.locator(".opblock").first).to_be_visible(timeout=20000)
    yield opened
    opened.close()
    assert complaints == []


def elsewhere(server: Server, url: str) -> list[str]:
    """Return the url if it is not this server's."""
    return [] if url.startswith((f"{server.url}/", "data:", "blob:")) else [url]


def test_every_operation_is_shown(page, server):
    paths = server.get("/openapi.json").json["paths"]
    described = sum(len(operations) for operations in paths.values())
    expect(page.locator(".opblock")).to_have_count(described)
    expect(page.locator(".opblock-summary-path").first).to_have_text("/api/chat/stream")


def test_an_operation_opens_and_is_tried_out(page, server):
    page.click("#operations-native-native_whole .opblock-summary-control")
    operation = page.locator("#operations-native-native_whole")
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table td").filter(has_text="200")).to_be_visible()
    answer = operation.locator(".live-responses-table pre").first
    expect(answer).to_contain_text('"response": "Hello there"')


def test_a_schema_opens(page):
    page.click(".models .models-control")
    expect(page.locator(".models")).to_contain_text("ActiveRun")
