"""Pages as a person reads them; and pages that nobody would write."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.web.markup import attributes, plain, tokens
from app.tools.web.reading import MAX_CHARS, MAX_TITLE, Reading, read

URL = "https://a.example/d/x"


def said(document: str) -> str:
    return reading(document).text


def reading(document: str) -> Reading:
    return read(document, URL, lambda: None)


@pytest.mark.parametrize(
    "document,text",
    [
        ("", ""),
        ("just text", "just text"),
        ("a  b\n\tc&nbsp;d &lt;p&gt; &amp;amp;", "a b c\xa0d <p> &amp;"),
        ("<h1>A</h1><h2>B <b>c</b></h2>d", "# A\n\n## B c\n\nd"),
        ("<p>a<p>b</p>c", "a\n\nb\n\nc"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<b>a</b><i>b</i> <u> c </u> d", "ab c d"),
        ("<div>a</div><div><div>b</div></div>c", "a\nb\nc"),
        ("<ul><li>a<li>b <b>c</b></ul>d", "- a\n- b c\n\nd"),
        ("<table><tr><th>A<th>B<tr><td>1<td>2</table>", "A | B\n1 | 2"),
        ("<dl><dt>a<dd>b</dl>", "a\nb"),
        ("<pre>  a\n\n  b</pre>c", "```\n  a\n\n  b\n```\n\nc"),
        ("<!doctype html><!-- a > --><p>b<!-->c", "bc"),
        ("a<!-- never closed <p>b", "a"),
        ("<p>a</p><?php echo 1 ?><![CDATA[x]]>b", "a\n\nb"),
        ("1 < 2 <3 <= 4", "1 < 2 <3 <= 4"),
        ("a</>b</ >c", "abc"),
        ("a<b", "a"),
        ("<P CLASS='a>b' data-x=\"c>d\" e=f>g</P>", "g"),
        ("<p title=it's>a</p>'b", "a\n\n'b"),
        ("a<script>if (a</b) '<p>'</script>b<style>c</style>d<SCRIPT>e</ScRiPt >f", "abdf"),
        ("a<script>b", "a"),
        ("a<svg><title>b</title><svg>c</svg></svg>d<template>e</template>f", "adf"),
        ("<textarea><p>a</textarea>b<select><option>c</select>d<noscript>e</noscript>", "bd"),
        ("<img alt='a cat' src=x>b<img alt=''>c", "a cat bc"),
        ("a<div hidden>b<div>c</div></div>d", "ad"),
        ("a<div aria-hidden=true>b</div>c<span style='display : NONE'>d</span>e", "ace"),
        ("a<div style='overflow:hidden'>b</div>c", "a\nb\nc"),
        ("a<div hidden=until-found>b</div>c", "a\nb\nc"),
    ],
)
def test_what_a_page_says(document: str, text: str) -> None:
    assert said(document) == text


@pytest.mark.parametrize(
    "document,text",
    [
        ("<a href=/y>b</a>", "[b](https://a.example/y)"),
        ("a <a href='y?a=1&amp;b=2'> b </a>c", "a [b](https://a.example/d/y?a=1&b=2) c"),
        ("<a href=//b.example>b</a>", "[b](https://b.example)"),
        ("<a href='#x'>b</a>", "b"),
        ("<a>b</a>", "b"),
        ("<a href=javascript:alert(1)>b</a>", "b"),
        ("<a href=mailto:a@b>b</a><a href=data:x>c</a>", "bc"),
        ("<a href='http://['>b</a>", "b"),
        ("<a href=/y></a>c<a href=/z> </a>", "c"),
        ("<a href=/y><img alt=b></a>", "[b](https://a.example/y)"),
        ("<a href=/y>b<a href=/z>c", "[b](https://a.example/y)[c](https://a.example/z)"),
        ("<a href=/y><h3>B</h3><p>c</p></a>", "### B\n\nc (https://a.example/y)"),
        ("<a href='/a b'>c</a>", "[c](https://a.example/a%20b)"),
        (f"<a href=/{'x' * 600}>b</a>", "b"),
        ("<base href=https://b.example/><a href=y>c</a>", "[c](https://b.example/y)"),
        ("<base href=javascript:x><a href=y>c</a>", "c"),
    ],
)
def test_links_say_where_they_lead(document: str, text: str) -> None:
    assert said(document) == text


def test_a_title_is_one_line_that_is_not_too_long() -> None:
    assert reading("<title> A &amp;\n B<p> </title>c").title == "A & B<p>"
    assert len(reading(f"<title>{'x' * 5000}</title>").title) == MAX_TITLE
    assert reading("<p>a").title == ""
    assert reading("<title>a</title><title>b</title>").title == "a"


def test_of_a_page_with_a_main_part_that_alone_is_read() -> None:
    text = "word " * 100
    document = f"<nav>home</nav><main><h1>A</h1>{text}</main><footer>about</footer>"
    assert said(document) == f"# A\n\n{text.strip()}"
    assert said(f"<nav>home</nav><main>{text}") == text.strip()


def test_a_main_part_with_nothing_in_it_is_none() -> None:
    assert said("<p>hello</p><main><div id=app></div></main>") == "hello"


# Each long enough that a parser which looks at them again and again takes an hour, not the second
# that they take: the test ends.
SOUPS = (
    "<!-- ",
    "<!",
    "<a ",
    "<a x",
    "<a x=",
    '<a x="',
    "<a x='\"",
    "<a = ",
    "<a href=\"'>",
    "<a href=b>",
    "</",
    "</a",
    "<",
    "<?",
    "<![CDATA[",
    "&",
    "&a",
    "&#",
    "&lt",
    f"&#{'9' * 5000};",
    f"&#x{'f' * 5000};",
    f"&{'a' * 5000}",
    "<script>",
    "<script></script ",
    "<title>",
    "<textarea>",
    "<svg>",
    "<div hidden>",
    "<pre>",
    "<b>",
    "<main>",
    "<table><tr><td>",
    "<a href=x>y</a>",
    "<img alt=x>",
    "<base href=x/>",
    f"<a {'x=y ' * 1000}>",
    f"<p {' ' * 5000}>",
    " ",
    "\n",
    "\x00",
    "é",
    "<p>x",
)


@pytest.mark.parametrize("soup", SOUPS, ids=lambda soup: repr(soup[:20]))
def test_a_page_of_nothing_but_that_is_read_to_its_end_in_many_turns(soup: str) -> None:
    document = soup * (500_000 // len(soup))
    turns: list[None] = []
    found = read(document, URL, lambda: turns.append(None))
    assert len(found.text) <= MAX_CHARS + 10_000
    count = sum(1 for _ in zip(range(5000), tokens(document)))
    assert len(turns) >= 3 or count < 5000


def test_links_cannot_make_a_text_much_longer_than_its_page() -> None:
    document = f"<base href=https://a.example/{'x' * 400}/>" + "<a href=y>z</a>" * 100_000
    assert len(said(document)) < MAX_CHARS


@given(st.text(st.sampled_from("<>/!-?=\"' abpre&;#x1[]\n\x00é"), max_size=80))
def test_any_markup_is_read(document: str) -> None:
    found = reading(document)
    assert "".join(token.name for token in tokens(document) if token.kind == "text") is not None
    assert found.text == found.text.strip()


@given(st.text(max_size=200))
def test_a_text_without_markup_is_itself(text: str) -> None:
    escaped = html.escape(text)
    assert "".join(plain(token.name) for token in tokens(escaped)) == html.unescape(escaped)


def test_a_long_text_is_not_cut_within_an_entity() -> None:
    document = "&amp;" * 5000
    assert "".join(plain(token.name) for token in tokens(document)) == "&" * 5000


@pytest.mark.parametrize(
    "rest,found",
    [
        ("", {}),
        (" a b=c d='e f' g=\"h>i\" j = k", {"a": "", "b": "c", "d": "e f", "g": "h>i", "j": "k"}),
        (" A=1 a=2", {"a": "1"}),
        (" href=&quot;x&amp;y", {"href": '"x&y'}),
        ("/ a/b=c/", {"a": "", "b": "c/"}),
        ("=a ='b' \"c\"", {"a": "b", 'c"': ""}),
    ],
)
def test_attributes(rest: str, found: dict[str, str]) -> None:
    assert attributes(rest) == found
