"""What connections do otherwise than the libraries', and why one could not be made."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from app.core.run_errors import RunError, UpstreamRefused, UpstreamTimeout
from app.providers.http.connections import FinalAnswer, answer_class
from app.providers.http.streams import HttpStreams
from tests.support.asking import ask, joined
from tests.support.certificates import self_signed
from tests.support.proxies import HttpProxy
from tests.support.upstream import Reply, Upstream, completion, say
from tests.support.wires import OPENAI

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def after(interim: bytes, reply: Reply) -> Reply:
    def both(exchange: Any) -> None:
        exchange.raw(interim)
        reply(exchange)

    return both


@pytest.mark.parametrize(
    "interim", [EARLY, PROCESSING, CONTINUE, EARLY + CONTINUE + PROCESSING * 200 + EARLY]
)
def test_interim_answers_are_read_over(model_server: Upstream, interim: bytes) -> None:
    model_server.reply = after(interim, say(["a", "b"]))
    provider = OPENAI.provider(f"http://127.0.0.1:{model_server.port}")

    for _ in range(2):
        assert joined(ask(provider))["text"] == "ab"


def test_switching_protocols_is_no_interim_answer(model_server: Upstream) -> None:
    model_server.reply = after(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", completion("a"))
    streams = HttpStreams(connect_timeout_s=30, read_timeout_s=30)
    answer = streams.open("POST", model_server.url, {}, b"{}")

    assert answer.status == 101
    answer.close()


class Elsewhere(FinalAnswer):
    """The library keeps its status line somewhere else."""

    def _read_status(self) -> Any:
        raise AttributeError("_read_status")


class Unread(http.client.HTTPResponse):
    """The library asks nobody whether an answer is the last."""


@pytest.mark.parametrize(
    "ours,used",
    [
        (FinalAnswer, FinalAnswer),
        (Elsewhere, http.client.HTTPResponse),
        (Unread, http.client.HTTPResponse),
    ],
)
def test_library_that_is_not_as_expected_goes_its_own_way(ours: Any, used: Any) -> None:
    assert answer_class(ours) is used


def failed(url: str, timeout_s: float = 30, key: str = "k") -> tuple[type[RunError], str]:
    streams = HttpStreams(connect_timeout_s=timeout_s, read_timeout_s=timeout_s)
    with pytest.raises(RunError) as failure:
        streams.open("POST", url, {"authorization": key}, b"{}")
    assert failure.value.said is not None
    return type(failure.value), failure.value.said.message


def test_nobody_listens() -> None:
    assert failed("http://127.0.0.1:1/x") == (UpstreamRefused, "connection refused")


def test_name_that_nobody_knows() -> None:
    assert failed("http://of-the.invalid/x") == (UpstreamRefused, "the name is not known")


def test_certificate_that_is_not_trusted(tmp_path: Any) -> None:
    server = Upstream(self_signed(tmp_path))
    try:
        why = "TLS: certificate verify failed"
        assert failed(f"https://127.0.0.1:{server.port}/x") == (UpstreamRefused, why)
    finally:
        server.close()


def test_no_tls_where_it_is_asked_for() -> None:
    server = HttpProxy(1)
    server.at_once = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    try:
        why = "TLS: the handshake failed"
        assert failed(f"https://127.0.0.1:{server.port}/x") == (UpstreamRefused, why)
    finally:
        server.close()


@pytest.mark.parametrize(
    "reply,error,said",
    [
        (lambda exchange: exchange.cut(), UpstreamRefused, "the connection was closed"),
        (lambda exchange: exchange.raw(b"SSH-2.0\r\n"), UpstreamRefused, "the answer is not HTTP"),
        (lambda exchange: exchange.wait_closed(), UpstreamTimeout, "no answer in time"),
    ],
    ids=["hangs up", "another protocol", "silence"],
)
def test_server_that_is_none(
    model_server: Upstream, reply: Reply, error: type[RunError], said: str
) -> None:
    model_server.reply = reply

    assert failed(f"{model_server.url}/x", timeout_s=0.2) == (error, said)


def test_header_that_cannot_be_sent(model_server: Upstream) -> None:
    why = "a header is not ASCII"
    assert failed(model_server.url, key="hush\u2013") == (UpstreamRefused, why)
