"""A reply's Markdown in a real browser, under the page's own policy."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.hostile_outputs import HOSTILE

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
IN_THE_PAGE = (HERE / "markdown_page.js").read_text().split("\n", 1)[1]
SAMPLES: list[str] = json.loads((HERE.parent / "support" / "markdown_samples.json").read_text())
JOINS = ["\n", "\n\n", "\n\n", "", "\n    "]
# The whole measurement takes 50 s: 10,000 pieces at 200 a second.
FULL = os.environ.get("MARKDOWN_FULL")
PIECES, PER_SECOND = (10_000, 200) if FULL else (2_000, 400)
MEGABYTE = 1024 * 1024
SECTION = """## Part {n}: how it **works**

A paragraph with *emphasis*, `code`, a [link](https://example.com/{n}) and https://example.com.
It goes on for a while, as replies do, and says little that the first line has not said.

1. **First** do this:
   ```bash
   pip install thing=={n}
   ```
2. Then that.

| name | value | note |
|------|------:|------|
| a{n} | {n} | *some* |
| b{n} | 2 | `x` |

```python
def part_{n}(value: int) -> str:
    # a comment about {n}
    return f"{{value}} of {n}" if value else "none"
```

- one
- two, with a [ ] box
- [x] three

> A quote, **bold** in it.

"""


@pytest.fixture
def page(browser, server) -> Iterator[Any]:
    """The page with the view's module; nothing leaves it, nothing runs, nothing is reported."""
    context = browser.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda asked: complaints.append(asked.url) if left(asked.url) else None)

    def left(url: str) -> bool:
        return not url.startswith((f"{server.url}/static/", f"{server.url}/favicon"))

    opened.goto(server.url)
    opened.evaluate(IN_THE_PAGE)
    complaints.clear()
    yield opened
    complaints += opened.evaluate("markdown.violations")
    context.close()
    assert complaints == []


def cut(text: str, chance: random.Random) -> list[str]:
    """Cut a text as streams are: into few or many pieces, of one size or of any."""
    most = chance.choice([1, 4, 30])
    pieces = []
    while text:
        size = chance.randint(1, most)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def composed(chance: random.Random) -> str:
    return "".join(
        part for _ in range(3) for part in (chance.choice(SAMPLES), chance.choice(JOINS))
    )


def test_each_sample_is_in_the_end_what_it_is_at_once(page):
    chance = random.Random(1)
    assert page.evaluate("(t) => markdown.unequal(t)", [list(text) for text in SAMPLES]) == []
    assert page.evaluate("(t) => markdown.unequal(t)", [cut(t, chance) for t in SAMPLES]) == []


def test_any_composition_is_in_the_end_what_it_is_at_once(page):
    chance = random.Random(2)
    texts = [cut(composed(chance), chance) for _ in range(200)]
    assert page.evaluate("(t) => markdown.unequal(t)", texts) == []


@pytest.mark.parametrize("part", range(3))
def test_hostile_output_stays_text_wherever_it_is_cut(page, part):
    for name, text in list(HOSTILE.items())[part::3]:
        assert page.evaluate("(text) => markdown.faults(text)", text) == [], name


def test_what_came_is_drawn_once_with_the_next_frame(page):
    drawn = page.evaluate("""async () => {
      const element = markdown.host();
      const view = markdown.createMarkdownView(element);
      let changes = 0;
      const watched = { childList: true, subtree: true };
      new MutationObserver(() => { changes += 1; }).observe(element, watched);
      for (let n = 0; n < 100; n += 1) view.append(`word${n} `);
      const before = element.textContent;
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return [before, changes, element.textContent.split(" ").length];
    }""")
    assert drawn == ["", 1, 100]


def test_what_is_settled_is_not_drawn_again(page):
    kept = page.evaluate("""() => {
      const element = markdown.host();
      const view = markdown.createMarkdownView(element);
      view.set("# One\\n\\ntext\\n\\n- a\\n- b\\n- c\\n");
      const nodes = ["h3", "p", "li"].map((name) => element.querySelector(name));
      view.append("- d\\n\\nand `more`\\n\\nthan that");
      view.finish();
      return nodes.map((node) => element.contains(node));
    }""")
    assert kept == [True, True, True]


def test_code_is_coloured_and_copied(page, server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.evaluate("""async () => {
      const strings = { copy: "Kopieren", copied: "Kopiert" };
      const view = markdown.createMarkdownView(markdown.host(), { strings });
      view.set("```python\\nx = 'a'\\u202e\\nreturn x\\n```\\n");
      await view.finish();
    }""")
    block = page.locator(".md-code")
    expect(block.locator(".md-language")).to_have_text("python")
    expect(block.locator(".hljs-keyword")).to_have_text("return")
    expect(block.locator(".md-control")).to_have_attribute("data-name", "U+202E")
    block.get_by_role("button", name="Kopieren").click()
    expect(block.get_by_role("status")).to_have_text("Kopiert")
    assert page.evaluate("navigator.clipboard.readText()") == "x = 'a'\u202e\nreturn x\n"
    expect(block.get_by_role("button", name="Kopieren")).to_be_visible()


def test_a_link_to_elsewhere_says_so(page):
    page.evaluate("""() => {
      const view = markdown.createMarkdownView(markdown.host());
      const bad = "[https://bank.example](https://evil.example/a)";
      view.set(`${bad} [docs](https://example.com)`);
      view.finish();
    }""")
    assert page.locator(".markdown").inner_text() == "https://bank.example (evil.example) docs"


def test_a_wide_reply_does_not_widen_the_page(page):
    page.set_viewport_size({"width": 320, "height": 600})
    page.evaluate("""() => {
      const view = markdown.createMarkdownView(markdown.host());
      const cells = "| word ".repeat(40);
      const code = `~~~\\n${"y".repeat(500)}\\n~~~`;
      const table = `${cells}\\n${"|---".repeat(40)}\\n${cells}`;
      view.set(`${"x".repeat(500)}\\n\\n${code}\\n\\n${table}\\n`);
      view.finish();
    }""")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    table = page.locator(".md-table")
    assert table.evaluate("(box) => box.scrollWidth > box.clientWidth") is True


def test_copying_works_without_the_clipboard_of_secure_pages(page):
    page.evaluate("""() => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
      document.addEventListener("copy", () => { window.copied = getSelection().toString(); });
      const view = markdown.createMarkdownView(markdown.host());
      view.set("~~~\\nabc\\n~~~\\n");
      view.finish();
    }""")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".md-status")).to_have_text("Copied")
    assert page.evaluate("window.copied").strip() == "abc"


def reply() -> list[str]:
    """Return the pieces of a reply, some four characters each, as tokens are."""
    text = "".join(SECTION.format(n=n) for n in range(PIECES * 4 // len(SECTION) + 2))
    return [text[at * 4 : at * 4 + 4] for at in range(PIECES)]


def heap(page) -> int:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    used: int = session.send("Runtime.getHeapUsage")["usedSize"]
    return used


def processor_ms(trace: bytes) -> list[float]:
    """Return the main thread's longest tasks; what other processes take does not count."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event["tdur"] / 1000
        for event in events
        if (event["pid"], event["tid"]) in mains and event["name"] == "RunTask" and "tdur" in event
    ]
    return sorted(tasks, reverse=True)[:10]


@pytest.mark.timeout(150)
def test_a_long_reply_leaves_the_page_free(page, browser):
    pieces = reply()
    before = heap(page)
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    seen = page.evaluate("([p, n]) => markdown.measure(p, n)", [pieces, PER_SECOND])
    tasks = processor_ms(browser.stop_tracing())
    used = heap(page)
    print(f"\n{PIECES} pieces at {PER_SECOND}/s: {seen}, heap {before} -> {used} bytes")
    print(f"longest tasks, in ms of processor time: {tasks}")
    assert seen["characters"] == 4 * PIECES
    assert page.evaluate("markdown.shown.text") == "".join(pieces)
    assert used <= 20 * MEGABYTE + 5 * seen["characters"]
    assert len(tasks) == 10 and tasks[3] <= 50 and tasks[0] <= 150
