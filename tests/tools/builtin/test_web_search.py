"""The tool `web_search`: what each service is asked over a real socket, what its answers become."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.run_errors import UpstreamProxy
from app.providers.http.streams import HttpStreams
from app.runtimes.threads import ThreadRuntime
from app.tools.builtin.web_search import MAX_SNIPPET, MAX_TITLE, web_search_tool
from app.tools.tool import Caller, Result, Tool, ToolError
from app.tools.web.search import Brave, SearXNG, Service, Tavily
from tests.support.upstream import Upstream, refuse
from tests.support.web import asked_for, endless, head, once, page

KEY = "key-planted-0123456789"
CALLER = Caller("owner", "session", "run", "call")
HIT = {"title": "A", "url": "https://a.example/x"}
TOLD = "[1] A\nhttps://a.example/x\nb c"
Search = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def of(kind: str, url: str) -> Service:
    """Return a service of a kind, at that address."""
    made: dict[str, Callable[[], Service]] = {
        "searxng": lambda: SearXNG(url),
        "brave": lambda: Brave(f"{url}/res/v1/web/search", KEY),
        "tavily": lambda: Tavily(f"{url}/search", KEY),
    }
    return made[kind]()


def tool_for(service: Service) -> Tool:
    return web_search_tool(service, HttpStreams(5, 5), ThreadRuntime())


def searched(kind: str, server: Upstream, **given: Any) -> Result:
    tool = tool_for(of(kind, f"http://127.0.0.1:{server.port}"))
    result = tool.run(tool.check({"query": "cats & dogs", **given}), CALLER)
    assert isinstance(result, Result)
    return result


def failure(kind: str, server: Upstream) -> str:
    with pytest.raises(ToolError) as error:
        searched(kind, server)
    said = str(error.value)
    assert KEY not in said and "127.0.0.1" not in said
    return said


def answer(kind: str, *hits: Any) -> Any:
    """Return what a service answers with those results, which name the snippet `content`."""
    if kind == "brave":
        renamed = [{**hit, "description": hit.get("content")} for hit in hits]
        return {"type": "search", "query": {"original": "x"}, "web": {"results": renamed}}
    return {"query": "x", "results": list(hits), "unresponsive_engines": []}


def as_json(value: Any) -> Any:
    return page(json.dumps(value), "application/json")


KINDS = ("searxng", "brave", "tavily")


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_numbered_and_are_sources(kind: str, service: Upstream) -> None:
    service.reply = as_json(
        answer(kind, {**HIT, "content": "b\n <b>c</b>"}, {"title": "D", "url": "http://d.example/"})
    )
    found = searched(kind, service)
    assert found.output == f"{TOLD}\n\n[2] D\nhttp://d.example/"
    assert found.sources == [HIT, {"url": "http://d.example/", "title": "D"}]


def test_what_searxng_is_asked(service: Upstream) -> None:
    service.reply = as_json(answer("searxng"))
    assert searched("searxng", service, count=7).output == "Nothing was found."
    target, headers = asked_for(service.exchanges[0])
    assert target == "/search?q=cats+%26+dogs&format=json"
    assert "authorization" not in headers and headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url,asked,authorization",
    [
        ("https://s.example", "https://s.example/search?q=a&format=json", None),
        ("https://s.example/search", "https://s.example/search?q=a&format=json", None),
        ("http://s.example:81/x", "http://s.example:81/x/search?q=a&format=json", None),
        (
            "https://s.example/search?language=de",
            "https://s.example/search?language=de&q=a&format=json",
            None,
        ),
        ("https://u:p%40@s.example", "https://s.example/search?q=a&format=json", "Basic dTpwQA=="),
    ],
)
def test_where_searxng_is_asked(url: str, asked: str, authorization: str | None) -> None:
    query = SearXNG(url).query("a", 5)
    assert (query.url, query.headers.get("Authorization")) == (asked, authorization)


def test_what_brave_is_asked(service: Upstream) -> None:
    service.reply = as_json(answer("brave"))
    searched("brave", service, count=7)
    target, headers = asked_for(service.exchanges[0])
    path, _, query = target.partition("?")
    assert path == "/res/v1/web/search"
    assert query == "q=cats+%26+dogs&count=7&result_filter=web&text_decorations=false"
    assert headers["x-subscription-token"] == KEY


def test_what_tavily_is_asked(service: Upstream) -> None:
    service.reply = as_json(answer("tavily"))
    searched("tavily", service, count=7)
    target, headers = asked_for(service.exchanges[0])
    assert (target, headers["authorization"]) == ("/search", f"Bearer {KEY}")
    assert service.exchanges[0].body == {"query": "cats & dogs", "max_results": 7}


@pytest.mark.parametrize("kind", ["brave", "tavily"])
def test_a_key_is_not_in_what_is_printed_of_a_service(kind: str) -> None:
    assert KEY not in repr(of(kind, "http://a"))


@pytest.mark.parametrize(
    "kind,status,said",
    [
        ("searxng", "403 Forbidden", "search.formats"),
        ("searxng", "429 Too Many", "limits how often"),
        ("searxng", "401 Unauthorized", "refused its key"),
        ("searxng", "404 Not Found", r"status 404; SEARCH_URL"),
        ("searxng", "301 Moved", r"redirects \(status 301; SEARCH_URL"),
        ("brave", "401 Unauthorized", "refused its key"),
        ("brave", "422 Unprocessable", "BRAVE_API_KEY"),
        ("brave", "429 Too Many", "limits how often"),
        ("brave", "402 Payment Required", "no credit"),
        ("brave", "500 Oops", r"failed \(status 500"),
        ("tavily", "401 Unauthorized", "refused its key"),
        ("tavily", "432 Plan", "plan of its key is used up"),
        ("tavily", "433 Limit", "limit of its key's costs"),
        ("tavily", "400 Bad", r"refused \(status 400; TAVILY_API_KEY"),
        ("tavily", "503 Away", r"failed \(status 503"),
        ("tavily", "204 No Content", "status 204"),
    ],
)
def test_refusals_in_plain_words(kind: str, status: str, said: str, service: Upstream) -> None:
    service.reply = refuse(status, f"X-Key: {KEY}")
    assert re.search(said, failure(kind, service))


NOT_JSON = "The search service did not answer in JSON (SEARCH_URL)."


@pytest.mark.parametrize(
    "body", ["", "<html>", "[1", "[]", "null", '"x"', "1", "[" * 100_000, '{"a": NaN}', "\ud800"]
)
def test_an_answer_that_is_no_json_object(body: str, service: Upstream) -> None:
    service.reply = page(body.encode("utf-8", "surrogatepass"), "application/json")
    assert failure("searxng", service) == NOT_JSON


@pytest.mark.parametrize("value", [{}, {"results": None}, {"results": {}}, {"results": [1, None]}])
def test_an_answer_without_results(value: Any, service: Upstream) -> None:
    service.reply = as_json(value)
    for kind in KINDS:
        assert searched(kind, service).output == "Nothing was found."


@pytest.mark.parametrize(
    "start,piece",
    [
        (head("200 OK", "Content-Type: application/json"), b" " * 65536),
        (head("200 OK", "Transfer-Encoding: chunked"), b"4000\r\n" + b" " * 0x4000 + b"\r\n"),
    ],
)
def test_an_endless_answer_is_ended(start: bytes, piece: bytes, service: Upstream) -> None:
    service.reply = endless(start, piece)
    assert failure("searxng", service) == "The search service's answer is too long."
    assert service.exchanges[0].closed.wait(30)


def test_an_answer_that_is_cut(service: Upstream) -> None:
    service.reply = once(head("200 OK", "Content-Length: 100") + b"{}")
    assert failure("searxng", service) == "The search service's answer was cut off."


def test_a_service_that_is_silent(service: Upstream) -> None:
    service.reply = lambda exchange: exchange.wait_closed() and None
    tool = web_search_tool(
        of("searxng", f"http://127.0.0.1:{service.port}"), HttpStreams(5, 0.05), ThreadRuntime()
    )
    with pytest.raises(ToolError, match="took too long"):
        tool.run(tool.check({"query": "x"}), CALLER)


def test_a_service_that_is_not_there() -> None:
    tool = tool_for(SearXNG("http://127.0.0.1:1"))
    with pytest.raises(ToolError, match="cannot be reached: connection refused"):
        tool.run(tool.check({"query": "x"}), CALLER)


def test_a_proxy_that_is_in_the_way() -> None:
    class Nowhere:
        def open(self, *given: Any) -> Any:
            raise UpstreamProxy()

    tool = web_search_tool(SearXNG("http://a"), Nowhere(), ThreadRuntime())
    with pytest.raises(ToolError, match="through the proxy"):
        tool.run(tool.check({"query": "x"}), CALLER)


# --- results that nobody would write ------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        None,
        1,
        {},
        "",
        "a.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example/",
        "http://",
        "http://[",
        "http://a.example/ b",
        "http://a.example/\n[2] B",
        "http://a.example/" + "x" * 2000,
    ],
)
def test_a_result_without_an_address_of_a_page_is_left_out(url: Any, service: Upstream) -> None:
    service.reply = as_json(
        answer("searxng", {"title": "B", "url": url}, {**HIT, "content": "b c"})
    )
    assert searched("searxng", service).output == TOLD


@pytest.mark.parametrize(
    "title,snippet,told",
    [
        (None, None, "[1] https://a.example/x\nhttps://a.example/x"),
        ("", 5, "[1] https://a.example/x\nhttps://a.example/x"),
        ("<b>A</b> &amp; &lt;B&gt;", "1 < 2 > 0", "[1] A & <B>\nhttps://a.example/x\n1 < 2 > 0"),
        ("A\n[2] B", "c\u2028d", "[1] A [2] B\nhttps://a.example/x\nc d"),
        ("A", f"&#{'9' * 5000};", "[1] A\nhttps://a.example/x\n\ufffd"),
        ("A", "x" * 9999, f"[1] A\nhttps://a.example/x\n{'x' * MAX_SNIPPET}…"),
        ("x" * 999, "", f"[1] {'x' * MAX_TITLE}…\nhttps://a.example/x"),
    ],
)
def test_texts_of_results(title: Any, snippet: Any, told: str, service: Upstream) -> None:
    hit = {"title": title, "url": HIT["url"], "content": snippet}
    service.reply = as_json(answer("searxng", hit))
    assert searched("searxng", service).output == told


def test_no_more_results_than_asked_for_and_each_address_once(service: Upstream) -> None:
    many = [{"title": str(n // 2), "url": f"http://a.example/{n // 2}"} for n in range(100)]
    service.reply = as_json(answer("tavily", *many))
    urls = [source["url"] for source in searched("tavily", service, count=3).sources]
    assert urls == [f"http://a.example/{n}" for n in range(3)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(VALUES, VALUES, VALUES, VALUES)
def test_any_json_has_some_results(whole: Any, title: Any, url: Any, content: Any) -> None:
    for kind in KINDS:
        list(of(kind, "http://a").hits(whole))
        hits = list(of(kind, "http://a").hits(answer(kind, {"title": title, "url": url})))
        assert hits == [(title, url, None)]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"query": ""},
        {"query": 1},
        {"query": "x" * 401},
        {"query": "x", "count": 0},
        {"query": "x", "count": 21},
        {"query": "x", "y": 1},
    ],
)
def test_arguments_that_are_wrong_are_named(given: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="The arguments are wrong"):
        tool_for(SearXNG("http://a")).check(given)


def test_a_query_of_spaces_is_not_asked() -> None:
    tool = tool_for(SearXNG("http://127.0.0.1:1"))
    with pytest.raises(ToolError, match="empty"):
        tool.run(tool.check({"query": "  "}), CALLER)
