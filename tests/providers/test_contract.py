"""What every provider does, over real HTTP: one suite, each wire."""

from __future__ import annotations

import gzip

import pytest

from app.core.usage import Usage
from app.runs.ports import Provider
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream
from tests.support.wires import KEY, WIRES, Wire, head, send


def stop_reason(wire: Wire) -> str:
    return wire.reasons[0][0]


def whole_reply(wire: Wire, *texts: str) -> list[bytes]:
    return [*map(wire.text, texts), wire.end(stop_reason(wire), 5, 3)]


def test_text_comes_piece_by_piece(wire: Wire, provider: Provider, model_server: Upstream) -> None:
    model_server.reply = send(*whole_reply(wire, "Hello", " there"))

    pieces = [piece for batch in provider.stream(request_of()) for piece in batch]

    assert pieces[:2] == [("text", "Hello"), ("text", " there")]
    assert pieces[2:] == [("finish", "stop"), ("usage", Usage(5, 3))]


def test_what_one_read_brings_is_one_batch(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = send(b"".join(whole_reply(wire, "a", "b", "c")))

    (batch,) = provider.stream(request_of())

    assert [data for kind, data in batch if kind == "text"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "wire,theirs,ours",
    [(wire, *reason) for wire in WIRES.values() for reason in wire.reasons],
    ids=[f"{wire.name}-{theirs}" for wire in WIRES.values() for theirs, _ in wire.reasons],
    indirect=["wire"],
)
def test_finish_reasons_are_ours(
    wire: Wire, provider: Provider, model_server: Upstream, theirs: str, ours: str
) -> None:
    model_server.reply = send(wire.text("a"), wire.end(theirs, 5, 3))

    assert joined(ask(provider))["finish"] == ours


def test_thinking_is_not_text(wire: Wire, provider: Provider, model_server: Upstream) -> None:
    model_server.reply = send(wire.thinking("Hm,"), wire.thinking(" so."), *whole_reply(wire, "a"))

    kept = joined(ask(provider))

    assert (kept["reasoning"], kept["text"]) == ("Hm, so.", "a")


UNICODE = 'é 漢字 🙂 \u2028 \u0085 \u202e مرحبا e\u0301 👩‍👩‍👧 \x7f \\ " \t\n end'


@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "raw"])
def test_unicode_is_exact(
    wire: Wire, provider: Provider, model_server: Upstream, escaped: bool
) -> None:
    event = wire.text(UNICODE)
    if not escaped:
        event = wire.text("MARK").replace(b"MARK", raw_json_text(UNICODE))
    model_server.reply = send(event, *whole_reply(wire))

    assert joined(ask(provider))["text"] == UNICODE


def raw_json_text(text: str) -> bytes:
    escapes = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\t"): "\\t", ord("\n"): "\\n"}
    return text.translate(escapes).encode()


def test_half_a_surrogate_pair_waits_for_the_other(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    pieces = ("a\ud83d", "\ude00b", "\ud800")
    model_server.reply = send(*map(wire.thinking, pieces), *whole_reply(wire, *pieces))

    kept = joined(ask(provider))

    assert (kept["text"], kept["reasoning"]) == ("a\U0001f600b\ufffd",) * 2


def test_stop_closes_the_connection(wire: Wire, provider: Provider, model_server: Upstream) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.start()
        exchange.chunk(wire.text("first"))
        exchange.wait_closed(10)

    model_server.reply = endless
    request = request_of()
    stream = provider.stream(request)
    assert list(next(stream)) == [("text", "first")]
    assert (request.upstream.opened, request.upstream.closed) == (True, False)

    stream.close()

    assert model_server.wait_for(1).closed.wait(5)
    assert request.upstream.was_closed is True


def test_nothing_is_opened_before_it_is_asked(provider: Provider, model_server: Upstream) -> None:
    request = request_of()
    provider.stream(request).close()

    assert request.upstream.was_closed is None
    assert model_server.exchanges == []


def test_end_of_the_reply_is_a_closed_upstream(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = send(*whole_reply(wire, "a"))
    request = request_of()
    list(provider.stream(request))

    assert request.upstream.was_closed is True


def test_one_provider_answers_again_and_again(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = send(*whole_reply(wire, "a"))

    assert [joined(ask(provider))["text"] for _ in range(3)] == ["a"] * 3


def test_reply_of_nothing_but_its_end_is_complete(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = send(*whole_reply(wire))

    assert joined(ask(provider))["finish"] == "stop"


def test_key_goes_in_a_header_alone(wire: Wire, provider: Provider, model_server: Upstream) -> None:
    model_server.reply = send(*whole_reply(wire, "a"))
    ask(provider)

    exchange = model_server.exchanges[0]
    request_line, _, headers = exchange.head.partition("\r\n")
    assert KEY in headers
    assert KEY not in request_line
    assert KEY not in str(exchange.body)


def test_request_has_what_it_always_has(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    model_server.reply = send(*whole_reply(wire, "a"))
    ask(provider)

    body = model_server.exchanges[0].body
    assert {name: body[name] for name in wire.request} == wire.request


def test_compressed_stream_is_read(wire: Wire, provider: Provider, model_server: Upstream) -> None:
    packed = gzip.compress(b"".join(whole_reply(wire, "a")))
    framing = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}"
    model_server.reply = lambda exchange: exchange.raw(head(framing) + packed)

    assert joined(ask(provider))["text"] == "a"
