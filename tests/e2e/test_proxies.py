"""A server whose models are behind proxies of each kind: all are asked through them, with a
password, and a proxy that cannot be used stops the start."""

from __future__ import annotations

import pytest

from tests.support.certificates import self_signed
from tests.support.proxies import PASSWORD, USERINFO, HttpProxy, Socks4Proxy, Socks5Proxy
from tests.support.sse import stream_chat, text_of
from tests.support.upstream import Upstream, say

# Of HTTPS_PROXY and of HTTP_PROXY; the host is what the latter is asked for.
PAIRS = {
    "http": ("http", "http", "of-the.test"),
    "https": ("https", "https", "of-the.test"),
    "socks 5, who knows names": ("socks5h", "socks5h", "of-the.test"),
    "socks 5": ("socks5h", "socks5", "192.0.2.1"),
    "socks 4": ("socks4a", "socks4", "192.0.2.1"),
}
CLASSES = {"http": HttpProxy, "https": HttpProxy, "socks5": Socks5Proxy, "socks5h": Socks5Proxy}


@pytest.fixture
def tls(tmp_path):
    return self_signed(tmp_path, "of-the.test")


@pytest.fixture
def safe(tls):
    """A model server in TLS."""
    server = Upstream(tls)
    server.reply = say(["safe", "ly"])
    yield server
    server.close()


@pytest.fixture
def behind(start_server, tmp_path, tls, safe, upstream):
    """Start a server with a proxy for TLS and one for plain HTTP."""
    started = []

    def start(tunnel, plain, host, before_password=""):
        for scheme, port in ((tunnel, safe.port), (plain, upstream.port)):
            kind = CLASSES.get(scheme, Socks4Proxy)
            started.append(kind(port, True, tls if scheme == "https" else None))
        server = start_server(
            HTTPS_PROXY=started[0].url(tunnel).replace(":p%3A", f":{before_password}p%3A"),
            HTTP_PROXY=started[1].url(plain),
            SSL_CERT_FILE=tmp_path / "server.pem",
            OPENAI_BASE_URL="https://of-the.test/v1",
            LOCAL_LLM_URL=f"http://{host}/v1",
            LOCAL_LLM_MODEL="m",
            LOG_LEVEL="DEBUG",
        )
        return server, *started

    yield start
    for proxy in started:
        proxy.close()


@pytest.mark.parametrize("kind", PAIRS)
def test_models_are_asked_through_proxies(behind, upstream, kind):
    server, tunnel, plain = behind(*PAIRS[kind])
    upstream.reply = say(["plain", "ly"])

    for provider, said in (("openai", "safely"), ("local", "plainly")):
        for _ in range(2):
            assert text_of(stream_chat(server, "hi", provider=provider).rest()) == said
    assert set(tunnel.asked) == {"of-the.test:443"}
    assert plain.asked and all(PAIRS[kind][2] in asked for asked in plain.asked)
    assert tunnel.refusals + plain.refusals == []


@pytest.mark.parametrize("kind", ["http", "https", "socks 5, who knows names"])
def test_wrong_password_is_told_and_not_shown(behind, kind):
    server, tunnel, _ = behind(*PAIRS[kind], before_password="not-it-")
    seen = stream_chat(server, "hi", provider="openai").rest()
    logs = server.logs()

    assert seen[-1].data["code"] == "upstream_proxy"
    assert len(tunnel.refusals) == 1
    assert "not-it-" not in logs and USERINFO not in logs and PASSWORD not in logs
