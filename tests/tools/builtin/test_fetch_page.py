"""The tool `fetch_page`: what a model is told of a page, or why there is none."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.runtimes.threads import ThreadRuntime
from app.tools.builtin.fetch_page import MAX_CHARS, fetch_page_tool
from app.tools.tool import Caller, Result, Tool, ToolError
from app.tools.web.hosts import Hosts
from app.tools.web.network import Network
from app.tools.web.pages import Pages
from tests.support.upstream import Upstream
from tests.support.web import head, once, page

CALLER = Caller("owner", "session", "run", "call")
Ask = Callable[..., Result]


@pytest.fixture
def site() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def tool(site: Upstream) -> Tool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    no_http: Any = None
    pages = Pages(Hosts([f"127.0.0.1:{site.port}"]), Network(no_http, context))
    return fetch_page_tool(pages, ThreadRuntime())


@pytest.fixture
def ask(tool: Tool, site: Upstream) -> Ask:
    def asked(path: str = "", **given: Any) -> Result:
        url = f"http://127.0.0.1:{site.port}/{path}"
        result = tool.run(tool.check({"url": url, **given}), CALLER)
        assert isinstance(result, Result)
        return result

    return asked


def test_what_a_model_sees_of_the_tool(tool: Tool) -> None:
    assert (tool.name, tool.needs_approval({"url": "x"}), tool.idempotent) == (
        "fetch_page",
        False,
        True,
    )
    assert tool.schema["required"] == ["url"]
    assert list(tool.schema["properties"]) == ["url", "start"]


def test_a_page_is_its_title_its_address_and_its_text(ask: Ask, site: Upstream) -> None:
    site.reply = page("<title>A & B</title><h1>C</h1><p>d <a href=/e>f</a>")
    url = f"http://127.0.0.1:{site.port}"
    found = ask("x")
    assert found.output == f"Title: A & B\nAddress: {url}/x\n\n# C\n\nd [f]({url}/e)"
    assert found.sources == [{"url": f"{url}/x", "title": "A & B"}]


def test_a_page_without_a_title_is_called_by_its_address(ask: Ask, site: Upstream) -> None:
    site.reply = page("<p>a")
    assert ask("x").sources == [dict.fromkeys(("url", "title"), f"http://127.0.0.1:{site.port}/x")]


@pytest.mark.parametrize(
    "body,content_type,text",
    [
        ("a <b>\r\nc", "text/plain", "a <b>\nc"),
        ("# a\n\n- b", "text/markdown; charset=utf-8", "# a\n\n- b"),
        ('{"a": "<p>"}', "application/json", '{"a": "<p>"}'),
        ('{"a": 1}', "application/ld+json; x=y", '{"a": 1}'),
        ("<a>b</a>", "application/rss+xml", "<a>b</a>"),
        ("<p>a", "Text/HTML", "a"),
        ("<p>a", "application/xhtml+xml", "a"),
        (" <!DOCTYPE HTML><p>a", "", "a"),
        ("a <b> c", "", "a <b> c"),
        ("", "text/html", "(The page has no text.)"),
        ("<script>x</script>", "text/html", "(The page has no text.)"),
        (b"caf\xe9", "text/plain; charset=latin1", "café"),
        ("é".encode("utf-16"), "text/plain", "é"),
        (b"caf\xc3\xa9", "text/plain; charset=utf-32", "café"),
    ],
)
def test_kinds_of_text(
    ask: Ask, site: Upstream, body: bytes | str, content_type: str, text: str
) -> None:
    site.reply = page(body, content_type)
    assert ask().output.split("\n\n", 1)[1] == text


@pytest.mark.parametrize(
    "body,content_type,said",
    [
        (b"%PDF-1.7", "application/pdf", "application/pdf"),
        (b"\x89PNG", "image/png", "image/png"),
        (b"PK", "application/octet-stream", "application/octet-stream"),
        (b"x", "<script>/x", "something"),
        (b"x", "applicationjson", "something"),
        (b"\x00\x01\x02", "text/html", "It is no text."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "", "It is no text."),
        (b"%PDF-1.7\x00", "text/plain; charset=latin1", "It is no text."),
        (b"a\x00b", "application/json", "It is no text."),
    ],
)
def test_what_is_no_text_is_not_read(
    ask: Ask, site: Upstream, body: bytes, content_type: str, said: str
) -> None:
    site.reply = page(body, content_type)
    with pytest.raises(ToolError, match=said):
        ask()


def test_a_long_page_is_read_part_by_part(ask: Ask, site: Upstream) -> None:
    text = "".join(f"{n:09} " for n in range(9000)).strip()
    site.reply = page(text, "text/plain")
    parts, start = [], 0
    while True:
        part, _, more = ask(start=start).output.split("\n\n", 1)[1].partition("\n\n[")
        parts.append(part)
        start += MAX_CHARS
        if not more:
            break
        assert more.endswith(f"more characters: ask again with start={start}]")
    assert "".join(parts) == text and len(parts) == 3


def test_there_is_nothing_behind_the_end(ask: Ask, site: Upstream) -> None:
    site.reply = page("abc", "text/plain")
    with pytest.raises(ToolError, match="3 characters"):
        ask(start=3)


def test_a_page_that_was_cut_says_so_at_its_end(ask: Ask, site: Upstream) -> None:
    site.reply = page("<p>a" + " " * 3_000_000)
    assert ask().output.endswith("[The page goes on; only its first 2 MB are read.]")


def test_a_page_that_is_not_there_is_an_error(ask: Ask, site: Upstream) -> None:
    site.reply = once(head("404 Not Found", "Content-Length: 0"))
    with pytest.raises(ToolError, match="404 Not Found"):
        ask()


@pytest.mark.parametrize(
    "given", [{}, {"url": ""}, {"url": 1}, {"url": "http://a", "x": 1}, {"url": "a" * 3000}]
)
def test_arguments_that_are_wrong_are_named(tool: Tool, given: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="The arguments are wrong"):
        tool.check(given)
