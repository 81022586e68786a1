"""Whatever a model server does, a provider raises one of our errors, which says nothing of what the
server said and nothing of the key."""

from __future__ import annotations

import json
import traceback
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.run_errors import (
    RunError,
    UpstreamAuth,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTooLarge,
)
from app.runs.ports import Provider
from tests.support.asking import ask, request_of
from tests.support.certificates import self_signed
from tests.support.upstream import Exchange, Reply, Upstream
from tests.support.wires import KEY, WIRES, Wire, head, send

SECRET = "upstream-secret-text"
MB = 1_000_000
Fault = Callable[[Wire], Reply]


def status(line: str, content_type: str = "application/json", *headers: str) -> Fault:
    """Answer with a status; its reason, a header and its body all have the secret."""
    body = json.dumps({"error": {"message": f"{SECRET} for {KEY}", "code": SECRET}}).encode()
    lines = (f"HTTP/1.1 {line} {SECRET}", f"Content-Type: {content_type}", f"X-Secret: {SECRET}")
    lines = (*lines, *headers, f"Content-Length: {len(body)}", "", "")
    return lambda wire: lambda exchange: exchange.raw("\r\n".join(lines).encode() + body)


def after_text(chunk: bytes) -> Fault:
    """Say something, then this chunk, then a proper end."""
    return lambda wire: send(wire.text("kept"), b"data: " + chunk + b"\n\n", end_of(wire))


def end_of(wire: Wire) -> bytes:
    return wire.end(wire.reasons[0][0], 5, 3)


def raw_then_hang_up(data: bytes) -> Fault:
    def reply(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.cut()

    return lambda wire: reply


ERROR = json.dumps({"error": {"code": 503, "message": SECRET, "status": "UNAVAILABLE"}}).encode()
FAULTS: dict[str, tuple[Fault, type[RunError]]] = {
    "401": (status("401"), UpstreamAuth),
    "403": (status("403"), UpstreamAuth),
    "400": (status("400"), UpstreamRejected),
    "404": (status("404"), UpstreamNotFound),
    "429": (status("429"), UpstreamRateLimited),
    "500": (status("500"), UpstreamError),
    "503 in HTML": (status("503", "text/html"), UpstreamError),
    "redirect": (status("302", "text/html", "Location: http://127.0.0.1:1/"), UpstreamError),
    "error that is cut": (
        raw_then_hang_up(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\n{"),
        UpstreamError,
    ),
    "error that claims to be compressed": (
        status("500", "application/json", "Content-Encoding: gzip"),
        UpstreamError,
    ),
    "JSON": (status("200 OK"), UpstreamError),
    "not HTTP": (raw_then_hang_up(SECRET.encode() + b"\r\n"), UpstreamRefused),
    "hangs up": (raw_then_hang_up(b""), UpstreamRefused),
    "empty stream": (lambda wire: send(), UpstreamIncomplete),
    "comments alone": (lambda wire: send(b": hello\n\n" * 9), UpstreamIncomplete),
    "no finish reason": (lambda wire: send(wire.text("kept")), UpstreamIncomplete),
    "chunk with a length that is none": (
        raw_then_hang_up(head() + SECRET.encode() + b"\r\n"),
        UpstreamIncomplete,
    ),
    "chunk that claims to be huge": (
        raw_then_hang_up(head() + b"ffffffffffff\r\nx"),
        UpstreamIncomplete,
    ),
    "not JSON": (after_text(b'{"a": ' + SECRET.encode()), UpstreamMalformed),
    "nested too deep": (after_text(b'{"a": ' * 100_000), UpstreamMalformed),
    "error object": (after_text(ERROR), UpstreamError),
}


def told(error: BaseException) -> str:
    """Return all that anybody could log of the error."""
    chain = "".join(traceback.format_exception(error))
    return f"{chain} {error!r} {getattr(error, 'payload', dict)()}"


def fails_with(provider: Provider) -> RunError:
    request = request_of()
    with pytest.raises(RunError) as failed:
        list(provider.stream(request))
    assert request.upstream.was_closed is True
    assert SECRET not in told(failed.value)
    assert KEY not in told(failed.value)
    return failed.value


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_one_of_our_errors(
    wire: Wire, provider: Provider, model_server: Upstream, fault: str
) -> None:
    make, expected = FAULTS[fault]
    model_server.reply = make(wire)

    assert type(fails_with(provider)) is expected


def test_failure_closes_the_connection(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    def reply(exchange: Exchange) -> None:
        exchange.start()
        exchange.chunk(b"data: {[1]\n\n")
        exchange.wait_closed(10)

    model_server.reply = reply
    error = fails_with(provider)

    assert model_server.wait_for(1).closed.wait(5)
    assert error.__traceback__ is not None  # whoever keeps the error keeps no connection


@pytest.mark.parametrize(
    "wire,chunk",
    [(wire, chunk) for wire in WIRES.values() for chunk in wire.malformed],
    ids=[f"{wire.name}-{chunk.decode()}" for wire in WIRES.values() for chunk in wire.malformed],
    indirect=["wire"],
)
def test_chunk_of_wrong_types_is_malformed(
    wire: Wire, provider: Provider, model_server: Upstream, chunk: bytes
) -> None:
    model_server.reply = after_text(chunk)(wire)

    assert type(fails_with(provider)) is UpstreamMalformed


@pytest.mark.parametrize("header,seconds", [((), None), (("Retry-After: 7",), 7)])
def test_limit_says_how_long_to_wait(
    provider: Provider,
    wire: Wire,
    model_server: Upstream,
    header: tuple[str, ...],
    seconds: int | None,
) -> None:
    model_server.reply = status("429", "application/json", *header)(wire)

    error = fails_with(provider)

    assert (type(error), error.retry_after_s) == (UpstreamRateLimited, seconds)


def test_server_that_is_not_there(wire: Wire) -> None:
    assert type(fails_with(wire.provider("http://127.0.0.1:1"))) is UpstreamRefused


def test_server_with_a_name_nobody_knows(wire: Wire) -> None:
    assert type(fails_with(wire.provider("http://nowhere.invalid"))) is UpstreamRefused


def test_server_nobody_vouches_for_gets_no_key(wire: Wire, tmp_path: Path) -> None:
    server = Upstream(self_signed(tmp_path))
    try:
        error = fails_with(wire.provider(f"https://127.0.0.1:{server.port}"))
    finally:
        server.close()

    assert (type(error), server.exchanges) == (UpstreamRefused, [])


@pytest.mark.parametrize("started", [True, False], ids=["in the stream", "before it"])
def test_silence_is_a_timeout(wire: Wire, model_server: Upstream, started: bool) -> None:
    def reply(exchange: Exchange) -> None:
        if started:
            exchange.start()
            exchange.chunk(wire.text("kept"))
        exchange.wait_closed(10)

    model_server.reply = reply
    provider = wire.provider(f"http://127.0.0.1:{model_server.port}", read_timeout_s=0.1)

    assert type(fails_with(provider)) is UpstreamTimeout
    assert model_server.wait_for(1).closed.wait(5)


def in_pieces(start: bytes, length: int = 50 * MB) -> Reply:
    """Send a start and then that much without a line's end."""

    def reply(exchange: Exchange) -> None:
        exchange.raw(start)
        piece = b"x" * 65536
        for _ in range(length // len(piece)):
            exchange.raw(piece)

    return reply


HUGE = {
    "line in one HTTP chunk": (head() + b"%x\r\ndata: " % (60 * MB), UpstreamTooLarge),
    "line of unknown length": (head("Connection: close") + b"data: ", UpstreamTooLarge),
    "error's body": (
        b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n\r\n",
        UpstreamError,
    ),
    "header": (b"HTTP/1.1 200 OK\r\nX-Long: ", UpstreamRefused),
}


@pytest.mark.parametrize("part", HUGE)
def test_memory_is_bounded(
    wire: Wire, provider: Provider, model_server: Upstream, part: str
) -> None:
    start, expected = HUGE[part]
    model_server.reply = in_pieces(start)
    tracemalloc.start()
    try:
        error = fails_with(provider)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert type(error) is expected
    assert peak < 16 * MB  # the limit of a line is 4 MB, and joining it takes it twice


def test_many_small_events_are_not_too_large(wire: Wire, model_server: Upstream) -> None:
    provider = wire.provider(f"http://127.0.0.1:{model_server.port}", max_reply_bytes=1000)
    model_server.reply = send(*[wire.text("x" * 100)] * 100, end_of(wire))

    assert len(ask(provider)) >= 101
