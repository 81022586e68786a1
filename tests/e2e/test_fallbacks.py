"""Retries, then other providers, for as long as nothing of the reply has come; and then no more."""

from __future__ import annotations

import re
import time

import pytest

from tests.support import topology
from tests.support.sse import SseStream, stream_chat, text_of
from tests.support.upstream import PLANTED_KEY, in_turn, refuse, say, silent
from tests.support.ways import WAYS

FAILS = refuse("500 Oops")
ATTEMPTS = re.compile(r'"attempts": ?\[[^]]*\]')
MODEL = re.compile(r'"model": ?"([^"]*)"')
PROVIDER = re.compile(r'"provider": ?"([^"]*)"')
LIMITED = "429 Too Many Requests"


@pytest.fixture
def chain(start_server, upstream, make_upstream):
    """A server with three providers, of which the third answers; and their upstreams."""
    google, local = make_upstream(silent), make_upstream(say(["third", " answer"]))
    upstream.reply = FAILS
    server = start_server(
        OPENAI_API_KEY=PLANTED_KEY,
        GEMINI_API_KEY=PLANTED_KEY,
        GEMINI_BASE_URL=f"http://127.0.0.1:{google.port}/v1beta",
        LOCAL_LLM_URL=local.url,
        LOCAL_LLM_MODEL="small",
        FALLBACK_PROVIDERS="google,local",
        FALLBACK_AFTER_S=0.3,
        BREAKER_FAILURES=3,
        BREAKER_S=600,
    )
    return server, (upstream, google, local)


def counts(upstreams):
    return [len(one.exchanges) for one in upstreams]


@pytest.mark.parametrize("way", WAYS)
def test_third_provider_answers_after_two_that_fail(chain, connect, way):
    server, upstreams = chain
    seen = WAYS[way](server, connect, "go")
    assert (seen.text, seen.code) == ("third answer", None)
    record = server.get(f"/api/runs/{seen.run_id}").json
    assert (record["status"], record["provider"]) == ("completed", "local")
    assert record["model"] == "small"
    assert [(one["provider"], one["code"]) for one in record["attempts"]] == [
        ("openai", "upstream_error"),
        ("google", "upstream_timeout"),
    ]
    assert all(one["error_id"].startswith("ERR_") and one["model"] for one in record["attempts"])
    assert counts(upstreams) == [1, 1, 1]
    assert upstreams[2].exchanges[0].body["model"] == "small"
    assert upstreams[1].exchanges[0].closed.wait(20)  # nobody waits for it any more


@pytest.mark.parametrize("way", ["sse", "socketio"])
def test_client_sees_who_is_asked_next(chain, connect, way):
    seen = WAYS[way](chain[0], connect, "go")
    retrying = [one for one in seen.statuses if one["status"] == "retrying"]
    assert [(one["attempt"], one["provider"]) for one in retrying] == [(2, "google"), (3, "local")]
    assert all(one["run_id"] == seen.run_id and one["age_s"] >= 0 for one in retrying)
    assert [one["seq"] for one in retrying] == [1, 2]
    assert (seen.end["provider"], seen.end["model"]) == ("local", "small")
    assert [one["provider"] for one in seen.end["attempts"]] == ["openai", "google"]


@topology.in_one_process
def test_providers_that_keep_failing_are_left_out(chain, connect):
    server, upstreams = chain
    for number in range(10):
        way = list(WAYS.values())[number % len(WAYS)]
        assert way(server, connect, f"message {number}").text == "third answer"
    assert counts(upstreams) == [6, 3, 10]  # of openai two models were asked for: /v1 names its own
    last = WAYS["sse"](server, connect, "one more")
    assert [(one["status"], one["model"]) for one in last.statuses] == [("answering", "small")]
    assert last.end["provider"] == "local"
    assert "attempts" not in last.end


@topology.in_one_process
def test_one_model_that_fails_leaves_the_others_in(chain, connect):
    server, upstreams = chain
    upstreams[0].reply = lambda exchange: (
        FAILS(exchange) if exchange.body["model"] == "broken" else say(["fine"])(exchange)
    )
    for _ in range(4):
        assert WAYS["sse"](server, connect, "go", model="broken").text == "third answer"
    assert counts(upstreams)[0] == 3
    assert WAYS["sse"](server, connect, "go", model="sound").text == "fine"


SAID = [{"role": "user", "content": "go"}]
ASKED = {
    "completions": ("/chat/completions/stream", {"messages": SAID}),
    "completions, whole": ("/chat/completions", {"messages": SAID}),
    "conversation": ("/chat", {"conversation": SAID, "stream": True}),
    "conversation, whole": ("/chat", {"conversation": SAID}),
    "prompt, whole": ("/chat", {"prompt": "go"}),
    "native": ("/api/chat/stream", {"message": "go"}),
    "native, whole": ("/api/chat", {"message": "go"}),
    "ollama": ("/ollama/api/chat", {"model": "any", "messages": SAID}),
    "ollama, whole": ("/ollama/api/chat", {"model": "any", "messages": SAID, "stream": False}),
    "v1": ("/v1/chat/completions", {"model": "any", "messages": SAID, "stream": True}),
    "v1, whole": ("/v1/chat/completions", {"model": "any", "messages": SAID}),
}


@pytest.mark.parametrize("name", ASKED)
def test_every_dialect_names_who_answers(chain, name):
    server, _ = chain
    for _ in range(4):  # the last time the others are left out, and nothing fails
        answer = server.post(*ASKED[name])
        assert answer.status == 200
        body = ATTEMPTS.sub("", answer.body.decode())
        content = body[body.index("third") :]
        assert set(MODEL.findall(content)) <= {"small"}
        assert set(PROVIDER.findall(content)) <= {"local"}
        assert MODEL.findall(body)[-1] == "small"
    if name == "v1":  # whose headers, and with them its first chunk, wait for the first piece
        assert set(MODEL.findall(body)) == {"small"}


def test_nobody_answers_with_the_error_of_the_first(chain, connect):
    server, upstreams = chain
    upstreams[2].reply = refuse("404 Not Found")
    seen = WAYS["sse"](server, connect, "go")
    assert seen.code == "upstream_error"
    record = server.get(f"/api/runs/{seen.run_id}").json
    assert (record["provider"], record["status"]) == ("openai", "failed")
    assert [one["code"] for one in record["attempts"]] == [
        *("upstream_error", "upstream_timeout", "upstream_not_found"),
    ]


def test_history_goes_on_with_whoever_answers(chain, upstream):
    server, upstreams = chain
    stream_chat(server, "first", session_id="mixed").rest()
    upstream.reply = say(["back"])
    assert text_of(stream_chat(server, "second", session_id="mixed").rest()) == "back"
    assert [m["content"] for m in upstream.exchanges[1].body["messages"]] == [
        *("first", "third answer", "second"),
    ]


@pytest.fixture(scope="module")
def patient(start_one):
    """A server that tries again, and waits for at most a second to do so."""
    return start_one(
        OPENAI_API_KEY=PLANTED_KEY, MAX_RETRIES=2, RETRY_AFTER_MAX_S=1, BREAKER_FAILURES=1000
    )


@pytest.mark.parametrize("way", WAYS)
def test_third_try_answers(patient, upstream, connect, way):
    upstream.reply = in_turn(FAILS, FAILS, say(["at", " last"]))
    seen = WAYS[way](patient, connect, "go")
    assert (seen.text, seen.code) == ("at last", None)
    assert len(upstream.exchanges) == 3
    record = patient.get(f"/api/runs/{seen.run_id}").json
    assert [one["code"] for one in record["attempts"]] == ["upstream_error"] * 2
    if way != "v1":
        retries = [(one["status"], one["attempt"]) for one in seen.statuses if "seq" in one]
        assert retries == [("retrying", 2), ("retrying", 3)]


def test_whole_answer_is_tried_again_too(patient, upstream):
    upstream.reply = in_turn(FAILS, say(["at last"]))
    assert patient.post("/api/chat", {"message": "go"}).json["response"] == "at last"


def test_all_tries_fail(patient, upstream, connect):
    upstream.reply = FAILS
    assert WAYS["sse"](patient, connect, "go").code == "upstream_error"
    assert len(upstream.exchanges) == 3


@pytest.mark.parametrize("status,code", [("401 No", "auth"), ("404 No", "not_found")])
def test_what_would_be_said_again_is_not_asked_again(patient, upstream, connect, status, code):
    upstream.reply = refuse(status)
    assert WAYS["sse"](patient, connect, "go").code == f"upstream_{code}"
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("status", [LIMITED, "503 Busy"])
def test_retry_after_is_waited_for(patient, upstream, connect, status):
    asked_at = []

    def limit_once(exchange):
        asked_at.append(time.monotonic())
        reply = refuse(status, "Retry-After: 1") if len(asked_at) == 1 else say(["later"])
        reply(exchange)

    upstream.reply = limit_once
    assert WAYS["sse"](patient, connect, "go").text == "later"
    assert len(asked_at) == 2 and asked_at[1] - asked_at[0] >= 1.0


def test_retry_after_over_the_cap_is_not_waited_for(patient, upstream, connect):
    upstream.reply = refuse(LIMITED, "Retry-After: 600")
    assert WAYS["sse"](patient, connect, "go").code == "upstream_rate_limited"
    assert len(upstream.exchanges) == 1


def test_nothing_is_asked_again_after_the_first_piece(patient, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("kept"), exchange.cut())
    failed = stream_chat(patient, "go", session_id="kept").rest()
    assert (text_of(failed), failed[-1].data["code"]) == ("kept", "upstream_incomplete")
    assert len(upstream.exchanges) == 1
    upstream.reply = say([" and", " the rest"])
    run_id = failed[-1].data["run_id"]
    more = SseStream(patient, "POST", f"/api/runs/{run_id}/continue", {"partial": False}).rest()
    assert text_of(more) == " and the rest"
    messages = patient.get("/api/chat/sessions/kept/messages").json["messages"]
    assert messages[-1]["content"] == "kept and the rest"
    assert messages[-1]["status"] == "completed"


@pytest.mark.parametrize("way", ["sse", "socketio"])
def test_stop_during_a_pause_ends_at_once_and_asks_nobody(start_server, upstream, connect, way):
    server = start_server(MAX_RETRIES=5, RETRY_AFTER_MAX_S=45)
    upstream.reply = in_turn(refuse(LIMITED, "Retry-After: 40"), say(["next"]))
    run_id, wait_for_pause, wait_for_end = start_and_watch(server, connect, way)
    wait_for_pause()
    receipt = server.post(f"/api/runs/{run_id}/stop").json
    assert receipt["status"] == "stopped"
    assert wait_for_end()["finish_reason"] == "stopped"
    assert text_of(stream_chat(server, "another").rest()) == "next"
    assert len(upstream.exchanges) == 2  # the one that was limited, and the other message's


def start_and_watch(server, connect, way):
    """Start a run; return its id, what waits for its pause, and what waits for its end."""
    if way == "sse":
        stream = stream_chat(server, "go")
        return stream.run_id, stream.next, lambda: stream.rest()[-1].data
    client = connect(server)
    run_id = client.call("chat_stream", {"message": "go"})["run_id"]
    is_retrying = ("chat_status", "retrying")

    def wait_for_pause():
        client.wait_for(lambda seen: is_retrying in [(n, d.get("status")) for n, d in seen])

    return run_id, wait_for_pause, client.wait_for_end
