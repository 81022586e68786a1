"""Whatever a model's server does wrong, each client is told the same thing in time, and nothing
that the server said, nor our key, gets out."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.sse import stream_chat, text_of
from tests.support.upstream import PLANTED_KEY, Upstream, silent
from tests.support.ways import WAYS

SECRET = "upstream-secret-text"
PATIENCE_S = 1.2  # to the first piece, and between pieces
MEGABYTE = 1_000_000


def answer(status, content_type="application/json", more="", body=None):
    body = body or f'{{"error":{{"message":"{SECRET} {PLANTED_KEY}"}}}}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{more}X-Why: {SECRET}\r\n"
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    return lambda exchange: exchange.raw(whole)


def after_pieces(action):
    def reply(exchange):
        exchange.start()
        for _ in range(3):
            exchange.delta("kept ")
        action(exchange)

    return reply


def malformed(exchange):
    exchange.chunk(b'data: {"choices": oops %s\n\n' % SECRET.encode())


def wait(exchange):
    exchange.wait_closed(60)


def byte_by_byte(exchange):
    exchange.start()
    for byte in b'data: {"choices":[{"delta":{"content":"never"}}]}\n\n':
        exchange.chunk(bytes([byte]))
        if exchange.wait_closed(1.0):
            return


def endless_line(exchange):
    exchange.start()
    exchange.chunk(b'data: {"choices":[{"delta":{"content":"')
    for _ in range(50):
        exchange.chunk(b"x" * MEGABYTE)


LIMITED = "429 Too Many Requests"
# What upstream does, our code for it, and what is kept.
FAULTS = {
    "401": (answer("401 Unauthorized"), "upstream_auth", ""),
    "403": (answer("403 Forbidden"), "upstream_auth", ""),
    "404": (answer("404 Not Found"), "upstream_not_found", ""),
    "429": (answer(LIMITED), "upstream_rate_limited", ""),
    "429 with Retry-After": (
        answer(LIMITED, more="Retry-After: 7\r\n"),
        "upstream_rate_limited",
        "",
    ),
    "500": (answer("500 Oops"), "upstream_error", ""),
    "HTML": (answer("200 OK", "text/html", body=f"<p>{SECRET}"), "upstream_not_found", ""),
    "empty": (answer("200 OK", "text/event-stream", body="\n"), "upstream_incomplete", ""),
    "cut after 3": (after_pieces(lambda e: e.cut()), "upstream_incomplete", "kept "),
    "no finish reason": (
        after_pieces(lambda e: e.finish(None, mark=False)),
        "upstream_incomplete",
        "kept ",
    ),
    "malformed chunk": (after_pieces(malformed), "upstream_malformed", "kept "),
    "error object": (
        after_pieces(lambda e: e.event({"error": {"message": SECRET}})),
        "upstream_error",
        "kept ",
    ),
    "a line of 50 MB": (endless_line, "upstream_too_large", ""),
}
# These end at our deadline and no sooner; the models' own would be later than any client waits.
SILENCES = {
    "first": (silent, ""),
    "between": (after_pieces(wait), "kept "),
    "one byte a second": (byte_by_byte, ""),
}


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory):
    server = Upstream(tls=self_signed(tmp_path_factory.mktemp("tls")))
    yield server
    server.close()


@pytest.fixture(scope="module")
def faulty(start_one, untrusted):
    """A server of which two providers cannot be connected to, and the default one is scripted."""
    return start_one(**providers(untrusted))


@pytest.fixture(scope="module")
def impatient(start_one, untrusted):
    """The same, where a model may be silent for PATIENCE_S."""
    patience = {"FIRST_DELTA_TIMEOUT_S": PATIENCE_S, "DELTA_TIMEOUT_S": PATIENCE_S}
    return start_one(**providers(untrusted), **patience)


def providers(untrusted):
    return dict(
        OPENAI_API_KEY=PLANTED_KEY,
        LOCAL_LLM_URL="http://127.0.0.1:1/v1",
        LOCAL_LLM_MODEL="nobody-there",
        GEMINI_API_KEY=PLANTED_KEY,
        GEMINI_BASE_URL=f"https://127.0.0.1:{untrusted.port}/v1beta",
        GEMINI_MODEL="not-to-be-trusted",
        BREAKER_FAILURES=1000,
    )


def assert_failed(server, seen, code, kept):
    assert (seen.code, seen.text) == (code, kept)
    record = server.get(f"/api/runs/{seen.run_id}").json
    assert (record["status"], record["error"]["code"]) == ("failed", code)
    said = seen.frames + str(record) + server.logs()
    assert SECRET not in seen.frames + str(record) and PLANTED_KEY not in said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_the_same_code_on_every_way(faulty, upstream, connect, fault, way):
    upstream.reply, code, kept = FAULTS[fault]
    seen = WAYS[way](faulty, connect, "go")
    assert_failed(faulty, seen, code, kept * 3)
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", SILENCES)
def test_silence_is_the_same_code_on_every_way(impatient, upstream, connect, fault, way):
    upstream.reply, kept = SILENCES[fault]
    seen = WAYS[way](impatient, connect, "go")
    assert_failed(impatient, seen, "upstream_timeout", kept * 3)
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["nobody-there", "not-to-be-trusted"])
def test_no_connection_is_the_same_code_on_every_way(faulty, upstream, connect, model, way):
    seen = WAYS[way](faulty, connect, "go", model=model)
    assert_failed(faulty, seen, "upstream_refused", "")
    assert not upstream.exchanges


@pytest.mark.parametrize("way", WAYS)
def test_endless_line_costs_no_memory(faulty, upstream, connect, way):
    upstream.reply = endless_line
    WAYS[way](faulty, connect, "once")  # what the first one allocates stays
    before = peak_bytes(faulty)
    for _ in range(3):
        assert WAYS[way](faulty, connect, "again").code == "upstream_too_large"
    assert peak_bytes(faulty) - before < 50 * MEGABYTE  # a line is not kept, not even once
    assert peak_bytes(faulty) < 250 * MEGABYTE


def peak_bytes(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


@pytest.mark.parametrize("reply", [silent, after_pieces(wait), endless_line])
def test_fault_that_is_ended_by_us_closes_the_connection(impatient, upstream, reply):
    upstream.reply = reply
    stream_chat(impatient, "go").rest()
    assert upstream.exchanges[0].closed.wait(20)


def test_pieces_within_the_deadline_go_on_for_longer_than_it(impatient, upstream):
    def slow(exchange):
        exchange.start()
        for _ in range(10):
            exchange.delta("a")
            exchange.wait_closed(PATIENCE_S / 8)
        exchange.finish()

    upstream.reply = slow
    assert text_of(stream_chat(impatient, "go").rest()) == "a" * 10


@pytest.fixture
def full_listener():
    """A port where a connection is neither taken nor refused (Linux drops the SYN)."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


@pytest.mark.parametrize("way", WAYS)
def test_connection_that_is_never_made_has_a_deadline(start_server, connect, full_listener, way):
    server = start_server(
        OPENAI_BASE_URL=f"http://127.0.0.1:{full_listener}/v1", CONNECT_TIMEOUT_S=0.4
    )
    began = time.monotonic()
    seen = WAYS[way](server, connect, "go")
    assert time.monotonic() - began >= 0.4
    assert seen.code == "upstream_timeout"
