"""Pages of real servers: where they are asked, where redirects lead, and servers that are hostile.

The bounds of time are the clock's: none here is waited for.
"""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from app.tools.tool import ToolError
from app.tools.web.pages import MAX_BYTES, Page, Pages
from tests.support.certificates import self_signed
from tests.support.proxies import HttpProxy
from tests.support.upstream import Exchange, Upstream
from tests.support.web import Names, asked_for, by_path, endless, head, once, page, redirect

MakePages = Callable[..., Pages]


@pytest.fixture
def site() -> Iterator[Upstream]:
    server = Upstream()
    server.reply = page("<p>hello")
    yield server
    server.close()


def listed(site: Upstream, host: str = "127.0.0.1") -> str:
    return f"{host}:{site.port}"


def at(site: Upstream, path: str = "", host: str = "127.0.0.1") -> str:
    return f"http://{host}:{site.port}/{path}"


def fetched(pages: Pages, url: str) -> Page:
    return pages.fetch(url, 30.0)


def failure(pages: Pages, url: str) -> str:
    with pytest.raises(ToolError) as error:
        fetched(pages, url)
    said = str(error.value)
    assert "127.0.0.1" not in said and "urllib3" not in said and "object at" not in said
    return said


# --- where it is asked --------------------------------------------------------------------------


def test_a_page_comes_with_its_kind_and_where_it_was(make_pages: MakePages, site: Upstream) -> None:
    found = fetched(make_pages(listed(site)), at(site, "d/x?y=1#z"))
    assert found == Page(at(site, "d/x?y=1"), "text/html", b"<p>hello", False)


def test_a_request_says_nothing_about_anybody(make_pages: MakePages, site: Upstream) -> None:
    fetched(make_pages(listed(site)), at(site, "x?y"))
    target, headers = asked_for(site.exchanges[0])
    assert (target, headers["host"]) == ("/x?y", listed(site))
    assert headers["accept-encoding"] == "identity"
    assert headers.keys() == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_name_is_looked_up_once_and_that_address_is_asked(
    make_pages: MakePages, site: Upstream
) -> None:
    names = Names(site_test=[["127.0.0.1"], ["169.254.169.254"]])
    fetched(make_pages(listed(site, "site.test"), names=names), at(site, "x", "site.test"))
    assert names.asked == [("site.test", site.port)]
    assert asked_for(site.exchanges[0])[1]["host"] == f"site.test:{site.port}"


def test_a_name_that_has_changed_is_refused_at_the_redirect(
    make_pages: MakePages, site: Upstream
) -> None:
    names = Names(site_test=[["127.0.0.1"], ["169.254.169.254"]])
    site.reply = redirect("/y")
    pages = make_pages(listed(site, "site.test"), names=names)
    assert "no public address" in failure(pages, at(site, "x", "site.test"))
    assert len(site.exchanges) == 1


def test_a_name_that_was_public_and_is_private_now_is_not_asked(
    make_pages: MakePages, site: Upstream
) -> None:
    names = Names(site_test=[["127.0.0.1"]])
    pages = make_pages(names=names)  # not listed
    assert "no public address" in failure(pages, "http://site.test/")
    assert site.exchanges == []


def test_the_next_address_is_asked_where_one_does_not_answer(
    make_pages: MakePages, site: Upstream
) -> None:
    names = Names(site_test=[["127.0.0.2", "127.0.0.1"]])  # nobody listens at the first
    pages = make_pages(listed(site, "site.test"), names=names)
    assert fetched(pages, at(site, "x", "site.test")).body == b"<p>hello"


def test_a_server_that_is_not_there(make_pages: MakePages, site: Upstream) -> None:
    names = Names(site_test=[["127.0.0.2", "127.0.0.3"]])
    pages = make_pages(listed(site, "site.test"), names=names)
    assert failure(pages, at(site, "", "site.test")) == "The server cannot be reached."


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Upstream, ssl.SSLContext]]:
    """A server that is 127.0.0.1 and site.test, and whom to trust."""
    server = Upstream(self_signed(tmp_path, "site.test"))
    server.reply = page("<p>secret")
    yield server, ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    server.close()


@pytest.mark.parametrize("host", ["site.test", "127.0.0.1"])
def test_a_certificate_is_to_be_the_hosts_whatever_its_address(
    make_pages: MakePages, secure: tuple[Upstream, ssl.SSLContext], host: str
) -> None:
    site, trust = secure
    names = Names(site_test=[["127.0.0.1"]])
    pages = make_pages(listed(site, host), names=names, ssl_context=trust)
    assert fetched(pages, f"https://{host}:{site.port}/").body == b"<p>secret"
    assert trust.check_hostname


def test_a_certificate_of_another_host_is_refused(
    make_pages: MakePages, secure: tuple[Upstream, ssl.SSLContext]
) -> None:
    site, trust = secure
    names = Names(other_test=[["127.0.0.1"]])
    pages = make_pages(listed(site, "other.test"), names=names, ssl_context=trust)
    assert "certificate" in failure(pages, f"https://other.test:{site.port}/")
    assert site.exchanges == []


def test_a_certificate_that_nobody_trusts_is_refused(
    make_pages: MakePages, secure: tuple[Upstream, ssl.SSLContext]
) -> None:
    site, _ = secure
    assert "certificate" in failure(make_pages(listed(site)), f"https://127.0.0.1:{site.port}/")


def test_a_server_without_tls(make_pages: MakePages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head("400 Bad Request", "Content-Length: 0"))

        thread = threading.Thread(target=answer)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        said = failure(make_pages(place), f"https://{place}/")
        thread.join()
    assert said == "There is no TLS with that server."


# --- redirects ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(make_pages: MakePages, site: Upstream, status: int) -> None:
    site.reply = by_path(a=redirect("/b?c", status), b=page("there"))
    assert fetched(make_pages(listed(site)), at(site, "a")).url == at(site, "b?c")


@pytest.mark.parametrize("hops,is_found", [(5, True), (6, False)])
def test_five_redirects_and_no_more(
    make_pages: MakePages, site: Upstream, hops: int, is_found: bool
) -> None:
    left = itertools.count(1)

    def reply(exchange: Exchange) -> None:
        (redirect("/x") if next(left) <= hops else page("there"))(exchange)

    site.reply = reply
    pages = make_pages(listed(site))
    if is_found:
        assert fetched(pages, at(site)).body == b"there"
    else:
        assert failure(pages, at(site)) == "It redirects more than 5 times."
    assert len(site.exchanges) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "//169.254.169.254/latest/meta-data/",
        "http://inside.test/",
        "http://localhost/",
        "https://8.8.8.8:8443/",
        "file:///etc/passwd",
        "ftp://site.test/",
        "gopher://127.0.0.1:6379/_INFO",
        "http://user:password@site.test/",
        "http://[",
        "http://site.test\\@127.0.0.1/",
    ],
)
def test_a_redirect_to_what_may_not_be_asked_is_not_followed(
    make_pages: MakePages, site: Upstream, location: str
) -> None:
    names = Names(inside_test=[["10.0.0.1"]])
    site.reply = redirect(location)
    failure(make_pages(listed(site), names=names), at(site))
    assert len(site.exchanges) == 1


def test_a_redirect_without_a_place_is_an_answer(make_pages: MakePages, site: Upstream) -> None:
    site.reply = once(head("302 Found", "Content-Length: 0"))
    assert failure(make_pages(listed(site)), at(site)) == "The server answered 302 Found."


# --- what servers answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status,said",
    [
        ("404 <script>", "404 Not Found"),
        ("401 No", "401 Unauthorized"),
        ("500 x", "500 Internal Server Error"),
        ("429 x", "429 Too Many Requests"),
        ("799 What", "799"),
        ("304 Not Modified", "304 Not Modified"),
    ],
)
def test_other_answers_are_said_in_our_words(
    make_pages: MakePages, site: Upstream, status: str, said: str
) -> None:
    site.reply = once(head(status, "Content-Length: 0"))
    assert failure(make_pages(listed(site)), at(site)) == f"The server answered {said}."


def test_a_page_in_chunks(make_pages: MakePages, site: Upstream) -> None:
    start = head("200 OK", "Content-Type: text/plain", "Transfer-Encoding: chunked")
    site.reply = once(start + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n")
    assert fetched(make_pages(listed(site)), at(site)).body == b"abcdefg"


def test_a_page_that_ends_with_its_connection(make_pages: MakePages, site: Upstream) -> None:
    site.reply = once(head("200 OK", "Content-Type: text/plain") + b"abc")
    assert fetched(make_pages(listed(site)), at(site)).body == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        head("200 OK", "Content-Length: 10") + b"abc",
        head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nab",
        head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\nab\r\n",
        head("200 OK", "Transfer-Encoding: chunked") + b"-5\r\nab\r\n",
        head("200 OK", "Content-Encoding: gzip", "Content-Length: 3") + b"abc",
        head("200 OK", "Content-Encoding: br", "Content-Length: 3") + b"abc",
        head("200 OK", "Content-Encoding: gzip, gzip", "Content-Length: 3") + b"abc",
        head("302 Found", "Location: " + "x" * 3000, "Content-Length: 0"),
    ],
    ids=lambda data: repr(data[:40]),
)
def test_an_answer_that_cannot_be_read_says_so(
    make_pages: MakePages, site: Upstream, data: bytes
) -> None:
    site.reply = once(data)
    assert failure(make_pages(listed(site)), at(site)).endswith(".")


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start,piece",
    [
        (head("200 OK", "Content-Type: text/html"), b"<p>x" * 10_000),
        (head("200 OK", "Content-Length: 999999999999"), b"<p>x" * 10_000),
        (head("200 OK", "Transfer-Encoding: chunked"), b"2000\r\n" + b"x" * 0x2000 + b"\r\n"),
        (head("200 OK", "Transfer-Encoding: chunked") + b"ffffffffff\r\n", b"x" * 40_000),
    ],
)
def test_an_endless_page_is_cut_and_its_connection_closed(
    make_pages: MakePages, site: Upstream, start: bytes, piece: bytes
) -> None:
    site.reply = endless(start, piece)
    found = fetched(make_pages(listed(site)), at(site))
    assert (len(found.body), found.is_cut) == (MAX_BYTES, True)
    assert site.exchanges[0].closed.wait(30)


def bomb(coding: str) -> bytes:
    """Return 100 MB of nothing, compressed to some 100 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(100))
    return packed + packer.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_unpacked_as_far_as_a_page_goes(
    make_pages: MakePages, site: Upstream, coding: str
) -> None:
    site.reply = page(bomb(coding), "text/html", f"Content-Encoding: {coding}")
    found = fetched(make_pages(listed(site)), at(site))
    assert (len(found.body), found.is_cut) == (MAX_BYTES, True)


def test_a_page_is_unpacked_though_nobody_asked_for_that(
    make_pages: MakePages, site: Upstream
) -> None:
    site.reply = page(gzip.compress(b"<p>hello"), "text/html", "Content-Encoding: gzip")
    assert fetched(make_pages(listed(site)), at(site)).body == b"<p>hello"


def test_a_page_that_drips_longer_than_its_time_is_ended(
    make_pages: MakePages, site: Upstream
) -> None:
    seconds = itertools.count()  # each look at the clock finds one more
    site.reply = endless(head("200 OK", "Content-Type: text/html"), b"x")
    pages = make_pages(listed(site), now=lambda: next(seconds))
    assert failure(pages, at(site)) == "The page took too long."
    assert site.exchanges[0].closed.wait(30)


def test_redirects_count_to_the_time_of_a_page(make_pages: MakePages, site: Upstream) -> None:
    seconds = itertools.count(step=20)
    site.reply = redirect("/x")
    pages = make_pages(listed(site), now=lambda: next(seconds))
    assert failure(pages, at(site)) == "The page took too long."
    assert len(site.exchanges) == 1


def test_no_further_address_is_asked_once_the_time_is_over(
    make_pages: MakePages, site: Upstream
) -> None:
    seconds = itertools.count(step=20)
    names = Names(site_test=[["127.0.0.2", "127.0.0.1"]])
    pages = make_pages(listed(site, "site.test"), names=names, now=lambda: next(seconds))
    assert failure(pages, at(site, "x", "site.test")) == "The server cannot be reached."
    assert site.exchanges == []


def test_a_look_up_that_takes_too_long(make_pages: MakePages) -> None:
    def slow(host: str, port: int) -> list[str]:
        raise TimeoutError

    assert failure(make_pages(names=slow), "http://site.test/") == "The server took too long."


# --- proxies ------------------------------------------------------------------------------------


@pytest.fixture
def proxy(site: Upstream) -> Iterator[HttpProxy]:
    made = HttpProxy(site.port)
    yield made
    made.close()


def through(proxy: HttpProxy) -> Callable[[str], tuple[urllib3.HTTPConnectionPool, bool]]:
    def proxied(url: str) -> tuple[urllib3.HTTPConnectionPool, bool]:
        pools = urllib3.ProxyManager(proxy.url("http"))
        return pools.connection_from_url(url), url.startswith("http:")

    return proxied


def test_a_proxy_is_not_used_unless_the_operator_says_so(
    make_pages: MakePages, site: Upstream, proxy: HttpProxy
) -> None:
    names = Names(site_test=[["8.8.8.8"]])
    said = failure(make_pages(names=names, proxied=through(proxy)), "http://site.test/")
    assert "FETCH_PAGE_PROXY" in said
    assert (proxy.asked, names.asked) == ([], [])


def test_a_proxy_looks_names_up_itself(
    make_pages: MakePages, site: Upstream, proxy: HttpProxy
) -> None:
    names = Names()
    pages = make_pages(names=names, proxied=through(proxy), through_proxy=True)
    assert fetched(pages, "http://site.test/x").body == b"<p>hello"
    assert names.asked == [] and len(proxy.asked) == 1
    assert asked_for(site.exchanges[0])[1]["host"] == "site.test"


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://0xa9fea9fe/",
        "http://[::ffff:10.0.0.1]/",
        "http://metadata.google.internal/",
        "http://wiki/",
        "http://site.test:8080/",
    ],
)
def test_what_is_private_by_its_name_is_not_asked_of_a_proxy(
    make_pages: MakePages, proxy: HttpProxy, url: str
) -> None:
    failure(make_pages(proxied=through(proxy), through_proxy=True), url)
    assert proxy.asked == []


def test_a_redirect_is_checked_behind_a_proxy_too(
    make_pages: MakePages, site: Upstream, proxy: HttpProxy
) -> None:
    site.reply = redirect("http://10.0.0.1/")
    failure(make_pages(proxied=through(proxy), through_proxy=True), "http://site.test/")
    assert len(proxy.asked) == 1
