"""What of a conversation the model is given: whose system prompt counts, how much, and what a
filter makes of it."""

from __future__ import annotations

import sys

import pytest

from app.settings import BadSetting
from tests.support.in_process import built
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import say
from tests.support.ways import OVER_HTTP

DEFAULT = "Speak like a pirate."
OPENAI_SYSTEM = [
    {"role": "system", "content": "The client's."},
    {"role": "user", "content": "hi"},
]


@pytest.fixture(scope="module")
def ruled(start_one):
    """A server whose operator has rules."""
    return start_one(SYSTEM_PROMPT=DEFAULT, CONTEXT_TOKENS=60, MAX_OUTPUT_TOKENS=50)


def given(upstream, index=-1):
    return [(m["role"], m["content"]) for m in upstream.exchanges[index].body["messages"]]


def system_given(upstream, index=-1):
    return [content for role, content in given(upstream, index) if role == "system"]


# --- system prompts -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", OVER_HTTP)
def test_default_prompt_comes_first(ruled, upstream, connect, way):
    OVER_HTTP[way](ruled, connect, "hi")
    assert given(upstream) == [("system", DEFAULT), ("user", "hi")]


def test_sessions_prompt_counts_more_than_the_default(ruled, upstream):
    made = ruled.post("/api/chat/sessions", {"session_id": "own", "system": "The session's."})
    assert (made.status, made.json["system"]) == (201, "The session's.")
    for _ in range(2):
        stream_chat(ruled, "hi", session_id="own").rest()
        assert system_given(upstream) == ["The session's."]
        assert given(upstream)[0][0] == "system"
    assert ruled.get("/api/chat/sessions/own").json["system"] == "The session's."
    messages = ruled.get("/api/chat/sessions/own/messages").json["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant"] * 2


def test_requests_prompt_counts_most_and_is_not_kept(ruled, upstream):
    ruled.post("/api/chat/sessions", {"session_id": "once", "system": "The session's."})
    stream_chat(ruled, "hi", session_id="once", system="The request's.").rest()
    assert system_given(upstream) == ["The request's."]
    stream_chat(ruled, "hi", session_id="once").rest()
    assert system_given(upstream) == ["The session's."]
    stream_chat(ruled, "hi", system="The request's.").rest()
    assert system_given(upstream) == ["The request's."]


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/chat/conversation"]
)
def test_prompt_that_the_client_holds_counts_more_than_the_default(ruled, upstream, path):
    assert ruled.post(path, {"model": "m", "messages": OPENAI_SYSTEM}).status == 200
    assert given(upstream) == [("system", "The client's."), ("user", "hi")]


def test_prompt_of_the_ai_sdk_counts_more_than_the_default(ruled, upstream):
    messages = [
        {"id": role, "role": role, "parts": [{"type": "text", "text": text}]}
        for role, text in (("system", "S"), ("user", "u"))
    ]
    ruled.post("/api/ai-sdk/chat", {"id": "sdk", "messages": messages})
    assert given(upstream) == [("system", "S"), ("user", "u")]


@pytest.mark.parametrize("system", ["a\x00b", "\ud800", 5, "x" * 200_000])
def test_sessions_prompt_that_is_not_allowed_is_refused(ruled, system):
    answer = ruled.post("/api/chat/sessions", {"session_id": "refused", "system": system})
    assert answer.status in {400, 413}
    assert ruled.get("/api/chat/sessions/refused").status == 404


# --- room ---------------------------------------------------------------------------------------


def test_oldest_exchanges_are_left_out_and_the_end_says_so(ruled, upstream):
    upstream.reply = say(["r" * 40])
    ends = [
        stream_chat(ruled, f"{number} " + "q" * 38, session_id="long").rest()[-1].data
        for number in range(4)
    ]
    # 9 tokens are the prompt's, 28 an exchange's: of those before there is room for one.
    assert [end.get("trimmed") for end in ends] == [None, None, 2, 4]
    assert given(upstream)[0] == ("system", DEFAULT)
    assert [content[:2] for _, content in given(upstream)[1:]] == ["2 ", "rr", "3 "]
    assert len(ruled.get("/api/chat/sessions/long/messages").json["messages"]) == 8


def test_message_that_is_larger_than_the_room_is_asked_anyway(ruled, upstream):
    end = stream_chat(ruled, "x" * 1000).rest()[-1].data
    assert (end["full_response"], "trimmed" in end) == ("Hello there", False)


@pytest.mark.parametrize("asked,sent", [(None, 50), (10, 10), (50, 50), (51, 50), (10_000_000, 50)])
def test_reply_is_no_longer_than_is_allowed(ruled, upstream, asked, sent):
    fields = {} if asked is None else {"max_tokens": asked}
    stream_chat(ruled, "hi", **fields).rest()
    assert upstream.exchanges[0].body["max_tokens"] == sent


def test_length_is_bounded_in_every_dialect(ruled, upstream):
    said = [{"role": "user", "content": "hi"}]
    ruled.post("/v1/chat/completions", {"model": "m", "messages": said, "max_tokens": 999})
    options = {"num_predict": 999}
    ruled.post("/ollama/api/chat", {"model": "m", "messages": said, "options": options})
    ruled.post("/chat", {"prompt": "hi"})
    assert [exchange.body["max_tokens"] for exchange in upstream.exchanges] == [50, 50, 50]


def test_without_rules_nothing_is_added(server, upstream):
    stream_chat(server, "hi").rest()
    assert given(upstream) == [("user", "hi")]
    assert "max_tokens" not in upstream.exchanges[0].body


# --- the filter ---------------------------------------------------------------------------------

FILTER = """
from app.core.errors import InvalidRequest
from app.core.run_errors import UpstreamRejected


def hide(direction, text):
    if direction == "in":
        if "forbidden" in text:
            raise InvalidRequest({"message": "is not for this place"})
        return text.replace("xq4711", "[number]")
    if "give up" in text:
        raise UpstreamRejected()
    return text.replace("darn", "****")


def broken(direction, text):
    raise ZeroDivisionError("upstream-secret-text")
"""


@pytest.fixture(scope="module")
def start_filtered(start_one, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filter")
    (folder / "house_rules.py").write_text(FILTER)
    sys.path.insert(0, str(folder))
    yield lambda name: start_one(TEXT_FILTER=f"house_rules:{name}")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def filtered(start_filtered):
    return start_filtered("hide")


@pytest.mark.parametrize("way", OVER_HTTP)
def test_pieces_are_filtered_before_they_enter_the_log(filtered, upstream, connect, way):
    upstream.reply = say(["oh darn", " it"])
    seen = OVER_HTTP[way](filtered, connect, "go")
    assert seen.text == "oh **** it"
    assert text_of(follow_run(filtered, seen.run_id).rest()) == "oh **** it"


def test_what_the_client_holds_is_filtered_too(filtered, upstream):
    said = [
        {"role": "user", "content": "I said xq4711"},
        {"role": "assistant", "content": "fine, xq4711"},
        {"role": "user", "content": "again xq4711"},
    ]
    filtered.post("/v1/chat/completions", {"model": "m", "messages": said})
    assert given(upstream) == [
        ("user", "I said [number]"),
        ("assistant", "fine, xq4711"),  # in: what users say
        ("user", "again [number]"),
    ]


def test_filtered_message_that_is_sent_again_joins_its_run(filtered, upstream):
    key = {"Idempotency-Key": "filtered"}
    first = filtered.post("/api/chat", {"message": "call xq4711"}, **key)
    again = filtered.post("/api/chat", {"message": "call xq4711"}, **key)
    assert (again.status, again.json) == (200, first.json)
    assert len(upstream.exchanges) == 1


def test_filter_may_refuse_a_message(filtered, upstream):
    answer = filtered.post("/api/chat", {"message": "forbidden", "session_id": "never"})
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["error"]["fields"] == {"message": "is not for this place"}
    assert filtered.get("/api/chat/sessions/never").status == 404
    assert not upstream.exchanges


def test_filter_may_end_a_reply(filtered, upstream):
    upstream.reply = say(["kept ", "give up", "never"])
    events = stream_chat(filtered, "go").rest()
    assert (text_of(events), events[-1].data["code"]) == ("kept ", "upstream_rejected")


def test_filter_that_fails_is_an_internal_error_without_its_text(start_filtered, connect):
    server = start_filtered("broken")
    answer = server.post("/api/chat", {"message": "go"})
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"ZeroDivision" not in answer.body and b"upstream-secret" not in answer.body


@pytest.mark.parametrize("named", ["nothing", "house_rules:absent", "os:sep", ":"])
def test_filter_that_is_none_stops_the_start(named):
    with pytest.raises(BadSetting, match="TEXT_FILTER"):
        built(TEXT_FILTER=named)


def test_message_that_is_filtered_is_kept_as_it_is_asked(filtered, upstream):
    answer = filtered.post("/api/chat", {"message": "my number is xq4711"}).json
    path = f"/api/chat/sessions/{answer['session_id']}"
    assert filtered.get(f"{path}/messages").json["messages"][0]["content"] == (
        "my number is [number]"
    )
    assert filtered.get(path).json["title"] == "my number is [number]"
