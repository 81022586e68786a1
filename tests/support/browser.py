"""Chromium, and the page in it as a test uses it: what is on show, and what it complained of."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.support.services import missing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=60_000)  # only what never comes fails: a busy machine takes its time
SCREENSHOTS = Path(__file__).parent.parent.parent / "artifacts" / "screenshots"
PREFERENCES = "tandem.preferences"


def need_chromium() -> str:
    """Return where it is; skip the test where it is missing, fail it in CI."""
    if CHROMIUM is None:
        missing("Chromium is not installed", "apt-get install chromium")
    return CHROMIUM


class ChatPage:
    """One tab of a browser context at the server's page."""

    def __init__(self, context: Any, url: str) -> None:
        self.tab = context.new_page()
        self.url = url
        self.complaints: list[str] = []  # of the console, and what was not caught
        self.foreign: list[str] = []  # requests to anywhere but the server
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", self._saw)
        self.tab.on("response", _print_refusal)

    def _saw(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, session_id: str | None = None) -> ChatPage:
        """Load the page, at a conversation if one is named."""
        self.tab.goto(f"{self.url}/#/c/{session_id}" if session_id else self.url)
        return self.ready()

    def ready(self) -> ChatPage:
        """Wait until it has started."""
        expect(self.tab.locator("body[data-ready]")).to_be_attached()
        return self

    def send(self, text: str) -> None:
        """Write a message, and Enter; on a phone, where that is a new line, the button."""
        self.tab.fill("#message", text)
        if self.tab.evaluate("matchMedia('(pointer: coarse)').matches"):
            self.tab.click("#send")
        else:
            self.tab.press("#message", "Enter")

    @property
    def session_id(self) -> str:
        """The conversation in the address."""
        self.tab.wait_for_url(re.compile("#/c/"))
        return str(self.tab.url.split("#/c/")[1])

    @property
    def last(self) -> Any:
        """The newest reply's text."""
        return self.tab.locator(".reply .text").last

    @property
    def texts(self) -> list[str]:
        """What is on show, message by message; white space counts as Markdown has it: once."""
        all_of = self.tab.locator(".message .text")
        return [spaced(text) for text in all_of.evaluate_all("all => all.map(e => e.textContent)")]

    def idle(self) -> None:
        """Wait until no reply is under way, and the server has told what it has kept."""
        self.drawn()
        expect(self.tab.locator("#stop")).to_be_hidden()
        expect(self.tab.locator(".message:is([aria-busy=true], :not([data-id]))")).to_have_count(0)

    def drawn(self) -> None:
        """Wait until what has happened so far is on show; a tab in the background has no frames."""
        self.tab.evaluate("""new Promise((done) => {
                requestAnimationFrame(() => requestAnimationFrame(done));
                setTimeout(done, 500);
            })""")

    def holds(self, condition: str) -> None:
        """Wait until a condition in JavaScript holds, looking at each frame."""
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
        self.tab.evaluate(f"new Promise((done) => {{ {look} }})")

    def menu(self, title: str, entry: str) -> None:
        """Choose from a conversation's menu."""
        row = self.tab.locator(".session", has_text=title).first
        row.hover()
        row.locator("button[aria-haspopup]").click()
        row.get_by_role("menuitem", name=entry, exact=True).click()

    def shot(self, name: str) -> None:
        """Keep a picture of it."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


def _print_refusal(answer: Any) -> None:
    if answer.status >= 400:  # shown beside a test that fails
        token = answer.request.headers.get("authorization", "none")
        print(f"{answer.status} {answer.request.method} {answer.url}, token: {token[-8:]}")


def choose(page: ChatPage, **preferences: Any) -> None:
    """Have the reader chosen these, and load the page again."""
    kept = json.dumps(json.dumps(preferences))
    page.tab.evaluate(f"localStorage.setItem('{PREFERENCES}', {kept})")
    page.tab.reload()
    page.ready()


def stored(server: Any, page: ChatPage) -> list[str]:
    """Return what the server has of the conversation on show, spaced as `texts` is."""
    path = f"/api/chat/sessions/{page.session_id}/messages"
    return [spaced(message["content"]) for message in server.get(path).json["messages"]]


def spaced(text: str) -> str:
    """Return a text with one space wherever there is any."""
    return " ".join(text.split())
