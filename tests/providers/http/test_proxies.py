"""The ways through proxies, over real sockets: who is asked, with which password, what fails."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.run_errors import RunError, UpstreamProxy, UpstreamRefused
from app.providers.http.proxies import is_loopback, proxy_for
from app.providers.http.streams import HttpStreams
from app.providers.settings import NotSetUp
from tests.support.certificates import self_signed
from tests.support.proxies import (
    USERINFO,
    HttpProxy,
    RelayingProxy,
    Socks4Proxy,
    Socks5Proxy,
)
from tests.support.upstream import Upstream, completion

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
KINDS: dict[str, type[RelayingProxy]] = {
    "http": HttpProxy,
    "https": HttpProxy,
    "socks5h": Socks5Proxy,
    "socks5": Socks5Proxy,
    "socks4a": Socks4Proxy,
    "socks4": Socks4Proxy,
}
BY_NAME = ("http", "https", "socks5h", "socks4a")  # whose proxies look names up
Through = Callable[..., RelayingProxy]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What servers and proxies are trusted with: 127.0.0.1 and of-the.test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    return self_signed(tmp_path, "of-the.test")


@pytest.fixture
def tls_server(tls: ssl.SSLContext) -> Iterator[Upstream]:
    server = Upstream(tls)
    server.reply = completion("a")
    yield server
    server.close()


@pytest.fixture
def through(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    """Start a proxy of a kind, and set ALL_PROXY to it."""
    started: list[RelayingProxy] = []

    def start(scheme: str, port: int, password: bool = False) -> RelayingProxy:
        proxy = KINDS[scheme](port, password, tls if scheme == "https" else None)
        monkeypatch.setenv("ALL_PROXY", proxy.url(scheme))
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        proxy.close()


def opened(url: str, streams: HttpStreams | None = None) -> int:
    streams = streams or HttpStreams(connect_timeout_s=30, read_timeout_s=30)
    streams.prepare(url)
    answer = streams.open("POST", url, {"host": "of-the.test"}, b"{}")
    try:
        return answer.status
    finally:
        list(answer)
        answer.close()


def failed(url: str) -> tuple[type[RunError], str]:
    """Return the class of the error that the request ends with, and why."""
    with pytest.raises(RunError) as failure:
        opened(url)
    assert failure.value.said is not None
    return type(failure.value), failure.value.said.message


@pytest.mark.parametrize("password", [False, True], ids=["open", "password"])
@pytest.mark.parametrize("scheme", KINDS)
def test_plain_http_goes_through(
    model_server: Upstream, through: Through, scheme: str, password: bool
) -> None:
    host = "of-the.test" if scheme in BY_NAME else "192.0.2.1"
    proxy = through(scheme, model_server.port, password)
    model_server.reply = completion("a")

    assert opened(f"http://{host}/v1/x?y=1") == 200
    assert model_server.exchanges[0].head.startswith("POST /v1/x?y=1 HTTP/1.1\r\n")
    whole = scheme in ("http", "https")
    assert proxy.asked == [f"http://{host}/v1/x?y=1" if whole else f"{host}:80"]


@pytest.mark.parametrize("password", [False, True], ids=["open", "password"])
@pytest.mark.parametrize("scheme", BY_NAME)
def test_tls_goes_through_a_tunnel(
    tls_server: Upstream, through: Through, scheme: str, password: bool
) -> None:
    proxy = through(scheme, tls_server.port, password)

    assert opened("https://of-the.test/v1/x") == 200
    head = tls_server.exchanges[0].head
    assert head.startswith("POST /v1/x HTTP/1.1\r\n")
    assert "proxy-authorization" not in head.lower()  # the server has no business with it
    assert proxy.asked == ["of-the.test:443"]


def test_connection_through_a_proxy_is_kept(model_server: Upstream, through: Through) -> None:
    proxy = through("socks5h", model_server.port, password=True)
    model_server.reply = completion("a")
    streams = HttpStreams(connect_timeout_s=30, read_timeout_s=30)

    assert [opened("http://of-the.test/x", streams) for _ in range(3)] == [200] * 3
    assert proxy.asked == ["of-the.test:80"]


def test_ipv6_goes_through_socks(model_server: Upstream, through: Through) -> None:
    proxy = through("socks5", model_server.port)
    model_server.reply = completion("a")

    assert opened("http://[2001:db8::1]:8080/x") == 200
    assert proxy.asked == ["2001:db8::1:8080"]


@pytest.mark.parametrize(
    "name,url,scheme",
    [
        ("HTTPS_PROXY", "http://of-the.test/x", None),
        ("HTTP_PROXY", "https://of-the.test/x", None),
        ("HTTP_PROXY", "http://of-the.test/x", "http"),
        ("https_proxy", "https://of-the.test/x", "http"),
        ("all_proxy", "https://of-the.test/x", "http"),
        ("ALL_PROXY", "http://127.0.0.1:1/x", None),
        ("ALL_PROXY", "https://LOCALHOST/x", None),
        ("ALL_PROXY", "http://[::1]:1/x", None),
    ],
)
def test_variable_counts_for_its_scheme(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, scheme: str | None
) -> None:
    monkeypatch.setenv(name, "http://proxy.test:3128")
    proxy = proxy_for(url)

    assert (proxy.scheme if proxy else None) == scheme


@pytest.mark.parametrize(
    "host,expected",
    [
        ("localhost", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("128.0.0.1", False),
        ("0.0.0.0", False),
        ("localhost.test", False),
        ("", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_loopback_is_asked_directly(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")  # not needed, so not looked at
    model_server.reply = completion("a")

    assert opened(f"http://127.0.0.1:{model_server.port}/x") == 200


@pytest.mark.parametrize(
    "value,scheme,address",
    [
        ("proxy.test:3128", "http", "proxy.test:3128"),
        ("proxy", "http", "proxy"),
        (f"{USERINFO}@proxy.test:3128", "http", "proxy.test:3128"),
        (" HTTP://proxy.test:3128/ ", "http", "proxy.test:3128"),
        ("socks5://[::1]:1080", "socks5", "[::1]:1080"),
        ("http://us:p@ss@proxy.test:3128", "http", "proxy.test:3128"),
    ],
)
def test_address_of_a_proxy_is_read(
    monkeypatch: pytest.MonkeyPatch, value: str, scheme: str, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    proxy = proxy_for("https://of-the.test/")

    assert proxy is not None
    assert (proxy.scheme, proxy.address) == (scheme, address)


@pytest.mark.parametrize(
    "value,shown",
    [
        ("ftp://proxy.test:21", "ftp://proxy.test:21"),
        ("socks://us:hush@proxy.test:1080", "socks://proxy.test:1080"),
        ("us:hush@proxy.test:many", "proxy.test:many"),
        ("http://us:hu#sh@proxy.test:80", "http://proxy.test:80"),
        ("http://us:1/hush@proxy.test:80", "http://proxy.test:80"),
        ("http://us:1?hush@proxy.test:80", "http://proxy.test:80"),
        ("http://proxy.test:80/proxy.pac", "http://proxy.test:80/proxy.pac"),
        ("http://proxy.test:99999", "http://proxy.test:99999"),
        ("http://", "http://"),
        ("http://a b:80", "http://a b:80"),
        ("http://[::1:80", "http://[::1:80"),
        ("http://us:hush@pro\u200bxy:80", "http://pro\\u200bxy:80"),
    ],
)
def test_proxy_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str, shown: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    streams = HttpStreams(connect_timeout_s=30, read_timeout_s=30)
    with pytest.raises(NotSetUp) as refused:
        streams.prepare("https://of-the.test/v1")

    text = str(refused.value)
    assert text.startswith(f"HTTPS_PROXY is '{shown}'; it must be the address of a proxy")
    assert "socks5h://" in text
    assert "hush" not in text


CLOSED_PORT = "127.0.0.1:1"


@pytest.mark.parametrize("url", ["http://of-the.test/x", "https://of-the.test/x"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks4a"])
def test_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, scheme: str, url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://{CLOSED_PORT}")

    assert failed(url) == (UpstreamProxy, "connection refused")


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_proxy_whose_name_is_not_known(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://proxy.invalid:3128")

    assert failed("https://of-the.test/x") == (UpstreamProxy, "the name is not known")


@pytest.mark.parametrize(
    "scheme,said",
    [
        ("http", "the proxy answered 407"),
        ("socks5h", "the proxy wants another user and password"),
        ("socks4a", "the proxy could not reach the server, or may not"),
    ],
)
@pytest.mark.parametrize("userinfo", ["", "us:wrong@"])
def test_proxy_that_wants_another_password(
    monkeypatch: pytest.MonkeyPatch, through: Through, scheme: str, said: str, userinfo: str
) -> None:
    proxy = through(scheme, 1, password=True)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://{userinfo}127.0.0.1:{proxy.port}")

    assert failed("https://of-the.test/x") == (UpstreamProxy, said)


@pytest.mark.parametrize(
    "answer,said",
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy answered 403"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"", "the connection was closed"),
        (b"SSH-2.0-x\r\n", "the answer is not HTTP"),
    ],
)
def test_proxy_that_makes_no_tunnel(through: Through, answer: bytes, said: str) -> None:
    proxy = through("http", 1)
    assert isinstance(proxy, HttpProxy)
    proxy.answer = answer

    assert failed("https://of-the.test/x") == (UpstreamProxy, said)


def test_tunnel_after_an_interim_answer(tls_server: Upstream, through: Through) -> None:
    proxy = through("http", tls_server.port)
    assert isinstance(proxy, HttpProxy)
    proxy.interim = b"HTTP/1.1 102 Processing\r\n\r\n"

    assert opened("https://of-the.test/x") == 200


@pytest.mark.parametrize("scheme", ["socks5h", "socks4a"])
def test_socks_proxy_that_does_not_reach_the_server(through: Through, scheme: str) -> None:
    proxy = through(scheme, 1)
    assert isinstance(proxy, Socks5Proxy | Socks4Proxy)
    proxy.status = 4 if scheme == "socks5h" else 91  # host unreachable; rejected or failed

    why = "the proxy could not reach the server, or may not"
    assert failed("http://of-the.test/x") == (UpstreamProxy, why)


@pytest.mark.parametrize("scheme", ["socks5h", "socks4a"])
def test_proxy_that_does_not_speak_socks(
    monkeypatch: pytest.MonkeyPatch, through: Through, scheme: str
) -> None:
    proxy = through("http", 1)
    assert isinstance(proxy, HttpProxy)
    proxy.at_once = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    monkeypatch.setenv("ALL_PROXY", proxy.url(scheme))

    assert failed("http://of-the.test/x") == (UpstreamProxy, "the proxy does not speak SOCKS")


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_server_that_hangs_up_is_not_the_proxys_fault(
    model_server: Upstream, through: Through, scheme: str
) -> None:
    through(scheme, model_server.port)
    model_server.reply = lambda exchange: exchange.cut()

    assert failed("http://of-the.test/x") == (UpstreamRefused, "the connection was closed")


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_hang_up_in_a_tunnel_is_not_the_proxys_fault(
    tls_server: Upstream, through: Through, scheme: str
) -> None:
    through(scheme, tls_server.port)
    tls_server.reply = lambda exchange: exchange.cut()

    assert failed("https://of-the.test/x") == (UpstreamRefused, "the connection was closed")


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_certificate_of_another_server_in_a_tunnel(
    tls_server: Upstream, through: Through, scheme: str
) -> None:
    through(scheme, tls_server.port)

    why = "TLS: certificate verify failed"
    assert failed("https://other.test/x") == (UpstreamRefused, why)
