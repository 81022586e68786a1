"""What replies used and cost: exact sums by user, day and session, and the limit of a day."""

from __future__ import annotations

import time

import pytest

from tests.support.doors import SECRET, auth_of, bearer, token_of
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import PLANTED_KEY, say

DAY_S = 86400
ASK = {"message": "hi"}
OPENAI_ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
PRICES = """
currency = "USD"
[models."gpt-5-mini"]
input = 0.1
output = 0.7
[models."dear*"]
input = 1000
output = 2000
"""
TEN_AND_THREE = say(["Hello"], usage={"prompt_tokens": 10, "completion_tokens": 3})


@pytest.fixture
def start_priced(start_server, tmp_path):
    """Start servers with prices."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    def start(**settings):
        return start_server(PRICES_FILE=prices, OPENAI_API_KEY=PLANTED_KEY, **settings)

    return start


def as_user(name):
    return bearer(token_of(name))


def total_of(server, path="/api/usage", **headers):
    return server.get(path, **headers).json["total"]


def until_midnight_s():
    return DAY_S - time.time() % DAY_S


# --- replies that did not complete --------------------------------------------------------------


def test_stopped_failed_and_killed_replies_count_with_an_estimate(start_priced, upstream):
    server = start_priced()
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.delta("four" * 5),
        exchange.wait_closed(20),
    )
    stopped = stream_chat(server, "four" * 3, session_id="stopped")
    stopped.take(1)
    server.post(f"/api/runs/{stopped.run_id}/stop")
    assert usage_of(server, "stopped") == (1, 3, 5, "estimated")

    killed = stream_chat(server, "four" * 2, session_id="killed")
    killed.take(1)
    server.kill()
    server.restart()
    assert follow_run(server, killed.run_id).rest()[-1].data["finish_reason"] == "interrupted"
    assert usage_of(server, "killed") == (1, 2, 5, "estimated")

    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("four"), exchange.cut())
    stream_chat(server, "four", session_id="failed").rest()
    assert usage_of(server, "failed") == (1, 1, 1, "estimated")

    assert usage_of(server) == (3, 6, 11, "estimated")
    # 6 tokens in at 0.1 and 11 out at 0.7 a million
    cost = {"amount": "0.0000083", "currency": "USD", "estimated": True}
    assert total_of(server)["cost"] == cost
    record = server.get(f"/api/runs/{killed.run_id}").json
    assert record["cost"] == {"amount": "0.0000037", "currency": "USD", "estimated": True}


def usage_of(server, session_id=None):
    path = f"/api/usage?session_id={session_id}" if session_id else "/api/usage"
    found = total_of(server, path)
    return tuple(found[name] for name in ("runs", "input_tokens", "output_tokens", "source"))


def test_thoughts_count_too(start_priced, upstream):
    """Servers count them as output; so does the estimate, when they did not get to say so."""
    server = start_priced()
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "four" * 7}}]}
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.event(thought),
        exchange.delta("four"),
        exchange.wait_closed(20),
    )
    stopped = stream_chat(server, "four", session_id="stopped", reasoning=True)
    stopped.take(2)
    server.post(f"/api/runs/{stopped.run_id}/stop")
    assert usage_of(server, "stopped") == (1, 1, 8, "estimated")

    killed = stream_chat(server, "four", session_id="killed", reasoning=True)
    killed.take(2)
    server.kill()
    server.restart()
    assert usage_of(server, "killed") == (1, 1, 8, "estimated")


# --- the limit of a day -------------------------------------------------------------------------

LIMITS = {"DAILY_TOKENS_PER_USER": 20, "DAILY_COST_PER_USER": "0.000005"}


@pytest.fixture(params=LIMITS)
def used_up(request, start_priced, upstream):
    """A server where alice has used up her day with two replies, 26 tokens."""
    upstream.reply = TEN_AND_THREE
    server = start_priced(JWT_SECRET=SECRET, **{request.param: LIMITS[request.param]})
    for _ in range(2):
        answer = server.post("/api/chat", {**ASK, "session_id": "s"}, **as_user("alice"))
        assert answer.status == 200
    return server


def assert_until_midnight(wait_s):
    """A wait that was told a moment ago, in whole seconds."""
    assert -1 <= int(wait_s) - until_midnight_s() < 60


STARTS = {
    "/api/chat/stream": ASK,
    "/api/chat": ASK,
    "/v1/chat/completions": {**OPENAI_ASK, "stream": True},
    "/chat": {"prompt": "hi", "stream": True},
    "/chat/completions/stream": {"messages": [{"role": "user", "content": "hi"}]},
    "/api/ai-sdk/chat": {
        "id": "chat-1",
        "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
    },
    "/ollama/api/chat": OPENAI_ASK,
}


def test_day_that_is_used_up_is_a_429_until_midnight_everywhere(used_up, upstream, connect):
    for path, body in STARTS.items():
        refused = used_up.post(path, body, **as_user("alice"))
        assert refused.status == 429, path
        assert_until_midnight(refused.headers["retry-after"])
    client = connect(used_up, auth=auth_of(token_of("alice")))
    error = client.call("chat_stream", ASK)["error"]
    assert (error["code"], error["retryable"]) == ("rate_limited", True)
    assert_until_midnight(error["retry_after_s"])
    assert "00:00 UTC" in error["message"]
    assert client.wait_for_end()["retry_after_s"] == error["retry_after_s"]
    assert len(upstream.exchanges) == 2


def test_joins_reads_and_deletion_still_work(used_up, connect):
    alice = as_user("alice")
    messages = used_up.get("/api/chat/sessions/s/messages", **alice).json["messages"]
    run_id = messages[-1]["run_id"]
    assert text_of(follow_run(used_up, run_id, **alice).rest()) == "Hello"
    client = connect(used_up, auth=auth_of(token_of("alice")))
    assert client.call("chat_resume", {"run_id": run_id})["status"] == "completed"
    assert client.wait_for_end()["full_response"] == "Hello"
    assert used_up.get("/api/usage", **alice).json["total"]["runs"] == 2
    assert used_up.request("DELETE", "/api/chat/sessions/s", headers=alice).status == 200
    assert used_up.post("/api/chat", ASK, **alice).status == 429  # deleting gives nothing back
