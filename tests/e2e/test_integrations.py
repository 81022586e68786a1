"""docs/integrations.md is true: every snippet runs as it stands, every name in its tables is there.

Of a snippet only the server's address is replaced. The second word of its fence says what runs it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from app.settings import settings_of
from app.wiring import Settings
from tests.support.node import CLIENTS, MODULES, SCRIPT_S, install
from tests.support.pages import Pages
from tests.support.services import missing

pytestmark = pytest.mark.timeout(300)  # the first test may install the clients

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "integrations.md").read_text()
WRITTEN_ADDRESS = "http://localhost:5000"
FIRST, LAST = "Hello! You wrote:", "/api/runs/<run_id>/stop`"  # of the demo's reply
RUN_BY = {"bash run", "python run", "js node", "js browser", "js bundled", "jsx bundled"}
OTHERS = "Programs that are told an address"
RECUT = """{
  const real = window.fetch;
  window.fetch = async (...args) => {
    const response = await real(...args);
    const cut = new TransformStream({
      transform(chunk, out) {
        for (let at = 0; at < chunk.length; at += SIZE) out.enqueue(chunk.subarray(at, at + SIZE));
      },
    });
    return new Response(response.body.pipeThrough(cut), response);
  };
}"""


class Snippet(NamedTuple):
    """A fenced block: where it is, how it is run, the name it may have."""

    heading: str
    run_by: str
    name: str
    code: str

    def at(self, server) -> str:
        """Return the code for this server."""
        return self.code.replace(WRITTEN_ADDRESS, server.url)


def snippets() -> list[Snippet]:
    """Return every fenced block of the document."""
    found, heading = [], ""
    for part in re.finditer(r"^#+ (.+)$|^```(.*)\n([\s\S]*?)^```$", DOCUMENT, re.MULTILINE):
        if part[1]:
            heading = part[1]
        else:
            words = part[2].split()
            run_by, name = " ".join(words[:2]), " ".join(words[2:])
            found.append(Snippet(heading, run_by, name, part[3]))
    return found


SNIPPETS = snippets()


def those(*run_by: str):
    """Parametrize with the snippets that are run so."""
    chosen = [one for one in SNIPPETS if one.run_by in run_by and not one.name.startswith("simple")]
    ids = [f"{number} {one.heading}" for number, one in enumerate(chosen, 1)]
    return pytest.mark.parametrize("snippet", chosen, ids=ids)


@pytest.fixture(scope="module")
def demo(start_one):
    """A server without a model, as `make run` starts it first."""
    return start_one(OPENAI_BASE_URL="", STREAM_DELAY_S=0.02)


@pytest.fixture(scope="session")
def node():
    return install()


def output_of(*command: str, code: str | None = None, cwd: Path | None = None) -> str:
    """Run a program to its end; return what it printed."""
    done = subprocess.run(
        command, input=code, cwd=cwd, capture_output=True, text=True, timeout=SCRIPT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- without a browser --------------------------------------------------------------


def test_every_snippet_is_run():
    others = {"bash set", "toml set", "yaml set", "python set"}  # programs that are not here
    assert {one.run_by for one in SNIPPETS} == RUN_BY | others
    assert {one.heading for one in SNIPPETS if one.run_by in others} == {OTHERS}
    assert len(SNIPPETS) == DOCUMENT.count("\n```") / 2


@those("bash run")
def test_curl(demo, snippet):
    if shutil.which("curl") is None:
        missing("curl is not installed", "apt-get install curl")
    printed = output_of("bash", "-euo", "pipefail", "-c", snippet.at(demo))
    replies = snippet.code.count("-d '{")
    assert printed.count(FIRST) >= replies and printed.count(LAST) >= replies
    assert ("OPTIONS" in snippet.code) == ("Access-Control-Allow-Methods: " in printed)


@those("python run")
def test_python(demo, snippet):
    printed = output_of(sys.executable, "-c", snippet.at(demo))
    assert printed.startswith(FIRST) and printed.endswith(LAST + " |\n")


@those("js node")
def test_node(demo, node, snippet):
    printed = output_of(str(node), "--input-type=module", code=snippet.at(demo), cwd=CLIENTS)
    assert FIRST in printed and LAST in printed


# --- in a browser -------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages():
    served = Pages()
    yield served
    served.close()


@pytest.fixture
def open_page(browser, pages):
    """Open a page of another origin that is nothing but the script."""
    opened = []

    def show(code: str, recut: int = 0):
        page = browser.new_page()
        opened.append(page)
        page.set_default_timeout(10_000)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        if recut:
            page.add_init_script(RECUT.replace("SIZE", str(recut)))
        page.goto(pages.add(code))
        return page

    yield show
    for page in opened:
        page.close()


def bundled(snippet: Snippet, server, node) -> str:
    """Return what a bundler makes of the snippet."""
    return output_of(
        str(node),
        str(MODULES / "esbuild" / "bin" / "esbuild"),
        "--bundle",
        "--format=esm",
        "--loader=jsx",
        "--jsx=automatic",
        "--log-level=warning",
        '--define:process.env.NODE_ENV="production"',
        code=snippet.at(server),
        cwd=CLIENTS,
    )


def reply_to(server, message: str) -> str:
    """Return the demo's reply."""
    return server.post("/api/chat", {"message": message}).json["response"]


def shown(page) -> str:
    """Wait for the end of the reply, or for a failure; return what the page has."""
    page.wait_for_function("end => document.body.textContent.includes(end)", arg=LAST + " |")
    return page.evaluate("document.body.textContent").rstrip()


def wait_for_complaint(page) -> str:
    if not page.complaints:
        page.wait_for_event("pageerror", timeout=10_000)
    return page.complaints[0]


@those("js browser")
def test_a_page_as_it_is(demo, open_page, snippet):
    page = open_page(snippet.at(demo))
    said = "Grüße 😀" if "Grüße" in snippet.code else "Hello"
    assert shown(page) == reply_to(demo, said).rstrip()
    assert page.complaints == []


def test_a_bundled_page(demo, node, open_page):
    [snippet] = [one for one in SNIPPETS if one.run_by == "js bundled"]
    page = open_page(bundled(snippet, demo, node))
    assert shown(page) == reply_to(demo, "Hello").rstrip()
    assert page.complaints == []


@pytest.fixture
def react(request, demo, node, open_page):
    """The page of useChat, with a first message sent: the parameter, or a short one."""
    message = getattr(request, "param", "Hello")
    [snippet] = [one for one in SNIPPETS if one.run_by == "jsx bundled"]
    page = open_page(bundled(snippet, demo, node))
    page.fill("input", message)
    page.click("text=Send")
    expect(page.locator("p.user")).to_have_text(message)
    expect(page.locator("p.assistant")).to_contain_text(FIRST)
    return page


def test_use_chat_streams_and_goes_on_after_a_reload(demo, react):
    react.reload()
    shown(react)
    expect(react.locator("[role=status]")).to_have_text("ready")
    expect(react.locator("p.user")).to_have_count(1)
    texts = react.locator("p.assistant").all_text_contents()
    assert texts == [reply_to(demo, "Hello")]
    assert react.complaints == []


# The demo quotes it, so there is time to stop that, on a busy machine too.
@pytest.mark.parametrize("react", [" ".join(["Hello"] * 1000)], ids=["long"], indirect=True)
def test_use_chat_stops_and_asks_again(demo, react):
    react.click("text=Stop")
    expect(react.locator("[role=status]")).to_have_text("ready")
    assert LAST not in react.locator("p.assistant").text_content()
    react.click("text=Again")
    shown(react)
    expect(react.locator("p.assistant")).to_have_count(1)
    assert react.complaints == []


# --- loops --------------------------------------------------------------------------


def loop(name: str) -> Snippet:
    [found] = [one for one in SNIPPETS if one.name == name]
    return found


@pytest.mark.parametrize("name", ["simple-native", "simple-conversation"])
def test_a_simple_loop_works_while_nobody_cuts(demo, open_page, name):
    page = open_page(loop(name).at(demo))
    assert shown(page) == reply_to(demo, "Grüße 😀").rstrip()


@pytest.mark.parametrize("name", ["simple-native", "simple-conversation"])
def test_a_simple_loop_breaks_where_a_chunk_ends_in_a_line(demo, open_page, name):
    page = open_page(loop(name).at(demo), recut=50)
    assert "JSON" in wait_for_complaint(page)


@pytest.mark.parametrize("name", ["simple-native", "simple-conversation"])
def test_a_simple_loop_misses_an_event_cut_in_its_name(demo, open_page, name):
    # the end of the module is the end of the loop
    page = open_page(loop(name).at(demo) + "\ndocument.body.dataset.over = 1;", recut=3)
    page.wait_for_selector("body[data-over]", state="attached")
    assert page.evaluate("document.body.textContent") == ""
    assert page.complaints == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_right_loop_does_not_mind_where_chunks_end(demo, open_page, size):
    page = open_page(loop("right").at(demo), recut=size)
    assert shown(page) == reply_to(demo, "Grüße 😀").rstrip()


# --- the tables ---------------------------------------------------------------------

TABLES = DOCUMENT.split("## The five contracts")[1]


def test_each_contract_has_its_table():
    rows = [part.count("\n| ") for part in TABLES.split("\n### ")[1:]]
    assert len(rows) == 5 and min(rows) > 15


@pytest.mark.parametrize(
    "name,path", sorted(set(re.findall(r"`(\w+)`(?: and `\w+`)? in `(app/[\w/]+\.py)`", TABLES)))
)
def test_a_counterpart_is_where_the_table_says(name, path):
    defined = rf"^ *(?:async )?(?:def|class) {name}\b"
    assert re.search(defined, (ROOT / path).read_text(), re.MULTILINE)


def test_every_path_in_the_tables_is_there():
    paths = set(re.findall(r"`((?:app|tests|static|docs|logs)/[\w./]*)`", TABLES))
    assert len(paths) > 15
    absent = {path for path in paths if not (ROOT / path).exists()}
    assert absent - {"logs/backend/", "logs/app.log"} == set()


def test_every_setting_in_the_document_is_there():
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", DOCUMENT))
    assert named <= {setting.name for setting in settings_of(Settings)}


@those("toml set")
def test_what_another_program_is_set_to_can_be_read(snippet):
    assert "http://localhost:5000/v1" in str(tomllib.loads(snippet.code))
