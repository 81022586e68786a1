"""What replies used and cost: exact sums by user, day and session, and the limit of a day."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.support.doors import SECRET, bearer, token_of
from tests.support.sse import SseStream, follow_run, stream_chat
from tests.support.upstream import PLANTED_KEY, refuse, say
from tests.support.ways import v1_chunks

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
# 10 tokens in at 0.1 and 3 out at 0.7 a million
COST = {"amount": "0.0000031", "currency": "USD", "estimated": False}


@pytest.fixture
def start_priced(start_server, tmp_path):
    """Start servers with prices."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    def start(**settings):
        return start_server(PRICES_FILE=prices, OPENAI_API_KEY=PLANTED_KEY, **settings)

    return start


@pytest.fixture
def users(start_priced, upstream):
    """A server that knows its users, and an upstream that counts tokens."""
    upstream.reply = TEN_AND_THREE
    return start_priced(JWT_SECRET=SECRET)


def as_user(name):
    return bearer(token_of(name))


def total_of(server, path="/api/usage", **headers):
    return server.get(path, **headers).json["total"]


def until_midnight_s():
    return DAY_S - time.time() % DAY_S


def test_reply_has_its_exact_cost(users):
    alice = as_user("alice")
    whole = users.post("/api/chat", ASK, **alice).json
    assert whole["cost"] == COST
    assert users.get(f"/api/runs/{whole['run_id']}", **alice).json["cost"] == COST
    streamed = stream_chat(users, "hi", headers=alice).rest()
    assert streamed[-1].data["cost"] == COST
    again = follow_run(users, whole["run_id"], **alice).rest()
    assert again[-1].data["cost"] == COST


def test_sums_are_each_users_own_and_exact(users):
    for name, times in (("alice", 7), ("bob", 1)):
        for _ in range(times):
            users.post("/api/chat", {**ASK, "session_id": "mine"}, **as_user(name))
    seven = {
        **{"runs": 7, "input_tokens": 70, "output_tokens": 21, "source": "reported"},
        "cost": {**COST, "amount": "0.0000217"},
    }
    answer = users.get("/api/usage", **as_user("alice")).json
    assert (answer["user"], answer["total"]) == ("alice", seven)
    assert answer["models"] == [{"provider": "openai", "model": "gpt-5-mini", **seven}]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert answer["days"] == [{"day": today, "total": seven, "models": answer["models"]}]
    assert total_of(users, **as_user("bob"))["runs"] == 1
    assert total_of(users, **as_user("carol")) == {
        **{"runs": 0, "input_tokens": 0, "output_tokens": 0, "source": "reported", "cost": None}
    }


def test_session_has_its_own_sums(users):
    alice = as_user("alice")
    for session_id in ("one", "one", "two"):
        users.post("/api/chat", {**ASK, "session_id": session_id}, **alice)
    answer = users.get("/api/usage?session_id=one", **alice).json
    assert (answer["session_id"], answer["total"]["runs"]) == ("one", 2)
    assert answer["total"]["cost"] == {**COST, "amount": "0.0000062"}
    assert "days" not in answer
    for path in ("/api/usage?session_id=none", "/api/usage?session_id=two"):
        assert users.get(path, **as_user("bob")).code == "not_found"


def test_day_keeps_the_sums_of_sessions_that_are_deleted(users):
    alice = as_user("alice")
    users.post("/api/chat", {**ASK, "session_id": "gone"}, **alice)
    before = users.get("/api/usage", **alice).json
    assert users.request("DELETE", "/api/chat/sessions/gone", headers=alice).status == 200
    assert users.get("/api/usage", **alice).json == before
    assert users.get("/api/usage?session_id=gone", **alice).status == 404


def test_models_are_listed_each_with_its_cost(users):
    alice = as_user("alice")
    for model in ("dear-1", "free", "gpt-5-mini"):
        users.post("/api/chat", {**ASK, "model": model}, **alice)
    models = users.get("/api/usage", **alice).json["models"]
    assert [(one["model"], one["cost"] and one["cost"]["amount"]) for one in models] == [
        *(("dear-1", "0.016"), ("free", None), ("gpt-5-mini", "0.0000031")),
    ]


@pytest.mark.parametrize("days", ["0", "367", "-1", "x", "1.5", "\u0661", ""])
@pytest.mark.parametrize("more", ["", "&session_id=here"])
def test_days_must_be_a_number(server, days, more):
    server.post("/api/chat/sessions", {"session_id": "here"})
    answer = server.get(f"/api/usage?days={quote(days)}{more}")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert "days" in answer.json["error"]["fields"]


def test_every_dialects_reply_counts(users):
    alice = as_user("alice")
    users.post("/v1/chat/completions", OPENAI_ASK, **alice)
    users.post("/chat", {"prompt": "hi"}, **alice)
    users.post("/ollama/api/chat", {**OPENAI_ASK, "stream": False}, **alice)
    assert total_of(users, **alice)["input_tokens"] == 30


# --- replies that did not complete --------------------------------------------------------------


def usage_of(server, session_id=None):
    path = f"/api/usage?session_id={session_id}" if session_id else "/api/usage"
    found = total_of(server, path)
    return tuple(found[name] for name in ("runs", "input_tokens", "output_tokens", "source"))


def test_continuing_counts_both_runs(start_priced, upstream):
    server = start_priced()
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("four"), exchange.cut())
    failed = stream_chat(server, "four", session_id="s").rest()[-1].data
    upstream.reply = TEN_AND_THREE
    SseStream(server, "POST", f"/api/runs/{failed['run_id']}/continue", {}).rest()
    assert usage_of(server, "s") == (2, 11, 4, "estimated")


def test_reply_of_a_fallback_is_the_fallbacks(start_priced, upstream, make_upstream):
    local = make_upstream(TEN_AND_THREE)
    upstream.reply = refuse("500 Oops")
    server = start_priced(
        LOCAL_LLM_URL=local.url, LOCAL_LLM_MODEL="dear-local", FALLBACK_PROVIDERS="local"
    )
    server.post("/api/chat", ASK)
    [model] = server.get("/api/usage").json["models"]
    assert (model["provider"], model["model"], model["runs"]) == ("local", "dear-local", 1)
    assert model["cost"]["amount"] == "0.016"


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


def test_v1_says_it_as_openai_does(used_up):
    refused = used_up.post("/v1/chat/completions", OPENAI_ASK, **as_user("alice"))
    assert refused.json["error"]["type"] == "rate_limit_error"


def test_other_users_are_not_limited(used_up):
    assert used_up.post("/api/chat", ASK, **as_user("bob")).status == 200


def test_key_of_a_reply_joins_it_when_the_day_is_used_up(start_priced, upstream):
    upstream.reply = TEN_AND_THREE
    server = start_priced(DAILY_TOKENS_PER_USER=1)
    key = {"Idempotency-Key": "k"}
    first = server.post("/api/chat", ASK, **key).json
    again = server.post("/api/chat", ASK, **key)
    assert (again.status, again.json["run_id"]) == (200, first["run_id"])
    assert server.post("/api/chat", ASK).status == 429


def test_reply_under_way_is_not_cut_by_the_limit(start_priced, upstream):
    server = start_priced(DAILY_TOKENS_PER_USER=1)
    upstream.replies = {
        "long": lambda exchange: (
            exchange.start(),
            exchange.delta("begin"),
            exchange.wait_closed(0.5),
            exchange.delta(" end"),
            exchange.finish(),
        )
    }
    under_way = stream_chat(server, "long")
    under_way.take(1)
    server.post("/api/chat", ASK)
    assert server.post("/api/chat", ASK).status == 429
    assert under_way.rest()[-1].data["full_response"] == "begin end"


def test_cut_reply_is_not_continued_when_the_day_is_used_up(start_priced, upstream):
    server = start_priced(DAILY_TOKENS_PER_USER=1)
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("four"), exchange.cut())
    run_id = stream_chat(server, "four").rest()[-1].data["run_id"]
    refused = server.post(f"/api/runs/{run_id}/continue", {})
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert_until_midnight(refused.headers["retry-after"])


def test_v1_reports_the_usage_that_is_counted(users):
    body = {**OPENAI_ASK, "stream": True, "stream_options": {"include_usage": True}}
    chunks = v1_chunks(users.post("/v1/chat/completions", body, **as_user("alice")).body)
    assert chunks[-1]["usage"] == {
        **{"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    }
    assert total_of(users, **as_user("alice"))["output_tokens"] == 3
