"""A reply is the same wherever its bytes are split, and is never complete where they are cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.core.run_errors import RunError, UpstreamIncomplete, UpstreamMalformed, UpstreamRefused
from app.runs.ports import Piece, Provider
from tests.support.asking import ask, joined, request_of
from tests.support.upstream import Exchange, Upstream
from tests.support.wires import Wire, head, send


def body_of(wire: Wire) -> bytes:
    reason = wire.reasons[0][0]
    return wire.thinking("Hm") + wire.text("h\u00e9 \U0001f642\u2028") + wire.end(reason, 5, 3)


def test_reply_is_the_same_wherever_it_is_split(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    body = body_of(wire)
    model_server.reply = send(body)
    whole = ask(provider)
    assert joined(whole)["text"] == "h\u00e9 \U0001f642\u2028"

    for cut in range(1, len(body)):
        model_server.reply = send(body[:cut], body[cut:])
        assert ask(provider) == whole, cut


def test_reply_is_the_same_byte_by_byte(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    body = body_of(wire)
    model_server.reply = send(body)
    whole = ask(provider)

    model_server.reply = send(*(body[index : index + 1] for index in range(len(body))))
    assert ask(provider) == whole


def cut_replies(provider: Provider, server: Upstream, answer: bytes) -> Iterator[tuple[int, bool]]:
    """Yield each place an answer can be cut at, and whether that was taken for a whole reply."""

    def reply(exchange: Exchange) -> None:
        exchange.raw(answer[:place])
        exchange.cut()

    server.reply = reply
    for place in range(len(answer) + 1):
        pieces: list[Piece] = []
        try:
            for batch in provider.stream(request_of()):
                pieces.extend(batch)
        except RunError as error:
            expected = {UpstreamIncomplete, UpstreamMalformed, UpstreamRefused}
            assert type(error) in expected, place
            yield place, False
        else:
            yield place, True


def finish_of(wire: Wire, body: bytes) -> int:
    """Return where the finish reason has come."""
    return body.index(b"\n\n" if b"\r" not in body else b"\r\n\r\n", body.rindex(reason_of(wire)))


def reason_of(wire: Wire) -> bytes:
    return b'"%s"' % wire.reasons[0][0].encode()


def test_reply_that_is_cut_is_not_complete(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    body = body_of(wire)
    framed = head() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    before = len(head()) + len(b"%x\r\n" % len(body))
    # Where a wire repeats its reason, HTTP's own end has to come; else the reason will do.
    last = before + (len(body) if wire.name == "google" else finish_of(wire, body))

    complete = [place for place, whole in cut_replies(provider, model_server, framed) if whole]

    assert not [place for place in complete if place < last]
    assert complete[-1] == len(framed)
    assert len(complete) <= len(framed) - last + 1


def test_reply_of_unknown_length_is_not_complete_without_its_finish_reason(
    wire: Wire, provider: Provider, model_server: Upstream
) -> None:
    body = body_of(wire)
    reason = wire.reasons[0][0].encode()
    finish = body.index(b"}", body.rindex(b'"%s"' % reason))
    answer = head("Connection: close") + body

    complete = [place for place, whole in cut_replies(provider, model_server, answer) if whole]

    assert not [place for place in complete if place <= len(answer) - len(body) + finish]
    assert complete[-1] == len(answer)


@pytest.mark.parametrize("said", [0, 1, 7])
def test_pieces_that_came_before_a_cut_are_handed_out(
    wire: Wire, provider: Provider, model_server: Upstream, said: int
) -> None:
    def reply(exchange: Exchange) -> None:
        exchange.start()
        for index in range(said):
            exchange.chunk(wire.text(str(index)))
        exchange.cut()

    model_server.reply = reply
    pieces: list[Piece] = []
    with pytest.raises(UpstreamIncomplete):
        for batch in provider.stream(request_of()):
            pieces.extend(batch)

    assert [data for _, data in pieces] == [str(index) for index in range(said)]
