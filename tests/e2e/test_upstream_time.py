"""How long a model's server is waited for: signs of life, the time after the last word, loading."""

from __future__ import annotations

from tests.support.sse import stream_chat, text_of
from tests.support.upstream import in_turn, refuse, say

HIDDEN = {"content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}


def hidden(exchange):
    exchange.event({"choices": [{"index": 0, "delta": HIDDEN, "finish_reason": None}]})


def test_who_thinks_unseen_is_alive(start_server, upstream):
    server = start_server(FIRST_DELTA_TIMEOUT_S=2, DELTA_TIMEOUT_S=30)

    def reply(exchange):
        exchange.start()
        hidden(exchange)
        exchange.wait_closed(3)  # longer than the first piece has
        exchange.delta("Red kite")
        exchange.finish()

    upstream.reply = reply
    events = stream_chat(server, "go").rest()

    assert (text_of(events), events[-1].data["finish_reason"]) == ("Red kite", "stop")


def test_reply_is_over_though_its_connection_stays(start_server, upstream):
    server = start_server(DELTA_TIMEOUT_S=600)

    def reply(exchange):
        exchange.start()
        exchange.delta("Red kite")
        exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        while not exchange.wait_closed(0.2):
            exchange.chunk(b": hb\n\n")

    upstream.reply = reply
    events = stream_chat(server, "go").rest()
    record = server.get(f"/api/runs/{events[-1].data['run_id']}").json

    assert events[-1].data["full_response"] == "Red kite"
    assert (record["status"], record["finish_reason"]) == ("completed", "stop")
    assert upstream.exchanges[0].closed.wait(20)


def loading(exchange):
    body = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(body)
    exchange.raw(head + body)


def test_model_that_is_loading_is_asked_again(start_server, upstream):
    server = start_server(MAX_RETRIES=0)
    upstream.reply = in_turn(loading, loading, say(["Red kite"]))
    events = stream_chat(server, "go").rest()

    assert text_of(events) == "Red kite"
    assert len(upstream.exchanges) == 3


def test_server_that_is_busy_is_not(start_server, upstream):
    server = start_server(MAX_RETRIES=0)
    upstream.reply = refuse("503 Service Unavailable")

    assert stream_chat(server, "go").rest()[-1].data["code"] == "upstream_error"
    assert len(upstream.exchanges) == 1


def test_interim_answer_is_read_over(start_server, upstream):
    def reply(exchange):
        exchange.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        say(["Red kite"])(exchange)

    server = start_server()
    upstream.reply = reply

    assert text_of(stream_chat(server, "go").rest()) == "Red kite"
