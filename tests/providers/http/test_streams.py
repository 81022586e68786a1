"""The ways to a server: what proxies are told, and whom to trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.run_errors import UpstreamProxy, UpstreamRefused
from app.providers.http.streams import Certificates, HttpStreams, trusted
from app.providers.settings import NotSetUp
from tests.support.certificates import self_signed
from tests.support.upstream import Upstream, completion

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def opened(streams: HttpStreams, url: str) -> int:
    answer = streams.open("POST", url, {"host": "of-the.test", "accept": "a/b"}, b"{}")
    try:
        return answer.status
    finally:
        answer.close()


def new_streams() -> HttpStreams:
    return HttpStreams(connect_timeout_s=30, read_timeout_s=30)


def test_proxy_of_plain_http_is_told_the_whole_url(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{model_server.port}")
    model_server.reply = completion("a")

    assert opened(new_streams(), "http://of-the.test/v1/x?y=%20z") == 200
    line, *headers = model_server.exchanges[0].head.lower().split("\r\n")
    assert line == "post http://of-the.test/v1/x?y=%20z http/1.1"
    assert [one for one in headers if one.startswith("host:")] == ["host: of-the.test"]
    assert [one for one in headers if one.startswith("accept:")] == ["accept: a/b"]


def test_proxy_of_https_is_asked_for_a_tunnel(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{model_server.port}")
    model_server.reply = lambda exchange: exchange.raw(b"HTTP/1.1 403 No\r\n\r\n")

    with pytest.raises(UpstreamProxy):
        opened(new_streams(), "https://of-the.test/v1/x")
    assert model_server.exchanges[0].head.startswith("CONNECT of-the.test:443 ")


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "elsewhere.test,127.0.0.1"])
def test_no_proxy_where_there_is_to_be_none(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    model_server.reply = completion("a")

    assert opened(new_streams(), f"http://127.0.0.1:{model_server.port}/v1/x") == 200
    assert model_server.exchanges[0].head.startswith("POST /v1/x HTTP/1.1")


def test_no_proxy_is_of_one_host_not_of_all(
    model_server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{model_server.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    model_server.reply = completion("a")
    streams = new_streams()

    for host in (f"127.0.0.1:{model_server.port}", "of-the.test", f"127.0.0.1:{model_server.port}"):
        assert opened(streams, f"http://{host}/x") == 200
    asked = [exchange.head.split()[1] for exchange in model_server.exchanges]
    assert asked == ["/x", "http://of-the.test/x", "/x"]


def test_each_server_has_its_own_connections(model_server: Upstream) -> None:
    other = Upstream()
    model_server.reply = other.reply = completion("a")
    streams = new_streams()
    try:
        for server in (model_server, other, model_server):
            assert opened(streams, f"http://127.0.0.1:{server.port}/x") == 200
    finally:
        other.close()

    assert [len(model_server.exchanges), len(other.exchanges)] == [2, 1]


@pytest.mark.parametrize("name,kind", [("SSL_CERT_FILE", "file"), ("SSL_CERT_DIR", "folder")])
@pytest.mark.parametrize("what", ["nothing", "the other", "no certificates"])
def test_certificates_that_cannot_be_read_stop_the_start(
    tmp_path: Path, name: str, kind: str, what: str
) -> None:
    (tmp_path / "file").write_text("no certificate")
    (tmp_path / "folder").mkdir()
    other = {"file": "folder", "folder": "file"}[kind]
    path = tmp_path / {"nothing": "nothing", "the other": other, "no certificates": "file"}[what]
    field = {"SSL_CERT_FILE": "file", "SSL_CERT_DIR": "folders"}[name]
    with pytest.raises(NotSetUp) as refused:
        trusted(Certificates(**{field: str(path)}))

    assert str(refused.value).startswith(f"{name} is {str(path)!r}; it must be a {kind} of")


def test_folders_of_certificates_may_be_several(tmp_path: Path) -> None:
    trusted(Certificates(folders=f"{tmp_path}/nothing:{tmp_path}"))


def test_file_of_certificates_counts_alone(tmp_path: Path) -> None:
    context = trusted(Certificates(str(self_signed_file(tmp_path)), "/nowhere"))

    assert context.cert_store_stats()["x509"] == 1


def self_signed_file(folder: Path) -> Path:
    self_signed(folder)
    return folder / "server.pem"


@pytest.mark.parametrize("url", ["", "/x", "ftp://127.0.0.1/x", "http://", "http://[::1/x"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UpstreamRefused):
        opened(new_streams(), url)
