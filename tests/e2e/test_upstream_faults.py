"""Whatever an upstream does, the run has a typed end, and nothing of upstream's text gets out."""

from __future__ import annotations

import pytest

from tests.support.sse import stream_chat, text_of
from tests.support.upstream import delta, event_bytes, say

SECRET = "upstream-secret-text"


def answer_with(status, content_type="application/json", body=b'{"error":{"message":"%s"}}'):
    def reply(exchange):
        exchange.start(status, content_type)
        exchange.chunk(body.replace(b"%s", SECRET.encode()))
        exchange.raw(b"0\r\n\r\n")

    return reply


def after_a_piece(action):
    def reply(exchange):
        exchange.start()
        exchange.delta("kept")
        action(exchange)

    return reply


def end(exchange):
    exchange.raw(b"0\r\n\r\n")


FAULTS = {
    "401": (answer_with("401 Unauthorized"), "upstream_auth"),
    "403": (answer_with("403 Forbidden"), "upstream_auth"),
    "404": (answer_with("404 Not Found"), "upstream_not_found"),
    "429": (answer_with("429 Too Many Requests"), "upstream_rate_limited"),
    "500": (answer_with("500 Oops"), "upstream_error"),
    "redirect": (answer_with("302 Found"), "upstream_error"),
    "html": (answer_with("200 OK", "text/html", b"<p>%s</p>"), "upstream_not_found"),
    "json": (answer_with("200 OK", "application/json", b"{}"), "upstream_incomplete"),
    "empty": (answer_with("200 OK", "text/event-stream", b"\n"), "upstream_incomplete"),
    "hangs up": (lambda exchange: exchange.cut(), "upstream_refused"),
    "cut": (after_a_piece(lambda exchange: exchange.cut()), "upstream_incomplete"),
    "no finish reason": (
        after_a_piece(lambda e: e.finish(None, mark=False)),
        "upstream_incomplete",
    ),
    "no DONE, no reason": (after_a_piece(end), "upstream_incomplete"),
    "malformed": (
        after_a_piece(lambda e: e.chunk(b'data: {"choices": oops %s\n\n' % SECRET.encode())),
        "upstream_malformed",
    ),
    "wrong types": (
        after_a_piece(lambda e: e.event({"choices": [{"delta": 5}]})),
        "upstream_malformed",
    ),
    "error object": (
        after_a_piece(lambda e: e.event({"error": {"message": SECRET}})),
        "upstream_error",
    ),
}
BEFORE_TEXT = {
    *("401", "403", "404", "429", "500", "redirect", "html", "json", "empty", "hangs up")
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_typed_end(server, upstream, connect, fault):
    upstream.reply, code = FAULTS[fault]
    stream = stream_chat(
        server, "go", session_id=f"fault-{fault.replace(' ', '-').replace(',', '')}"
    )
    events = stream.rest()
    ended = events[-1].data
    assert (ended["code"], ended["finish_reason"]) == (code, "error")
    assert set(ended) == {
        *("error", "code", "error_id", "run_id", "session_id", "seq", "finish_reason", "retryable")
    }
    kept = "" if fault in BEFORE_TEXT else "kept"
    assert text_of(events) == kept
    messages = server.get(f"/api/chat/sessions/{ended['session_id']}/messages").json["messages"]
    assert (messages[-1]["content"], messages[-1]["status"]) == (kept, "failed")
    client = connect()
    client.call("chat_resume", {"run_id": stream.run_id})
    assert client.wait_for_end() == ended
    assert SECRET not in str(events)


@pytest.mark.parametrize("fault", ["500", "cut", "malformed"])
def test_a_whole_answer_that_failed_is_a_502(server, upstream, fault):
    upstream.reply, code = FAULTS[fault]
    answer = server.post("/api/chat", {"message": "go"})
    assert (answer.status, answer.code) == (502, code)
    assert answer.json["error"]["run_id"]


def test_an_upstream_that_is_not_there(start_server):
    server = start_server(OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert stream_chat(server, "go").rest()[-1].data["code"] == "upstream_refused"


def test_first_piece_deadline(start_server, upstream):
    server = start_server(FIRST_DELTA_TIMEOUT_S=0.3)

    def drip(exchange):
        exchange.start()
        while not exchange.wait_closed(0.05):
            exchange.chunk(b": still here\n\n")

    upstream.reply = drip
    assert stream_chat(server, "go").rest()[-1].data["code"] == "upstream_timeout"
    assert upstream.exchanges[0].closed.wait(20)


def test_run_deadline(start_server, upstream):
    server = start_server(RUN_TIMEOUT_S=0.5)
    upstream.reply = after_a_piece(lambda exchange: exchange.wait_closed(20))
    ended = stream_chat(server, "go").rest()
    assert (text_of(ended), ended[-1].data["code"]) == ("kept", "run_timeout")


def test_a_reply_over_the_limit_is_ended_and_kept(start_server, upstream):
    server = start_server(MAX_REPLY_BYTES=1000)
    upstream.reply = say(["x" * 400] * 10)
    events = stream_chat(server, "go").rest()
    assert events[-1].data["code"] == "upstream_too_large"
    assert len(text_of(events)) == 1200


def test_a_line_without_an_end_is_bounded(start_server, upstream):
    server = start_server(MAX_REPLY_BYTES=100_000)

    def endless(exchange):
        exchange.start()
        exchange.chunk(b"data: ")
        for _ in range(100):
            exchange.chunk(b"x" * 10_000)

    upstream.reply = endless
    assert stream_chat(server, "go").rest()[-1].data["code"] == "upstream_too_large"


def test_a_reply_of_nothing_but_a_finish_reason_is_complete(server, upstream):
    upstream.reply = say([])
    assert stream_chat(server, "go").rest()[-1].data["full_response"] == ""


def test_half_a_surrogate_pair_a_chunk(server, upstream):
    halves = [
        b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % half
        for half in (b"a\\ud83d", b"\\ude00b", b"\\ud800")
    ]
    upstream.reply = lambda exchange: (
        exchange.start(),
        [exchange.chunk(half) for half in halves],
        exchange.finish(),
    )
    assert text_of(stream_chat(server, "go").rest()) == "a\U0001f600b\ufffd"


def test_events_in_one_packet_and_in_crlf(server, upstream):
    events = b"".join(event_bytes(delta(text)) for text in ("a", "b", "c"))
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.chunk(b"\xef\xbb\xbf: hello\n" + events.replace(b"\n", b"\r\n")),
        exchange.finish(),
    )
    assert text_of(stream_chat(server, "go").rest()) == "abc"


def test_a_provider_that_is_not_set_up_names_its_setting(start_server):
    server = start_server(OPENAI_BASE_URL="", OPENAI_API_KEY="")
    answer = server.post("/api/chat", {"message": "hi", "provider": "openai"})
    assert (answer.status, answer.code) == (400, "provider_not_configured")
    assert "OPENAI_API_KEY" in answer.json["error"]["message"]
    assert server.status()["providers"] == ["demo"]
    assert server.post("/api/chat", {"message": "hi"}).json["provider"] == "demo"
