"""The table of cases, through the server: natively and at /v1, streamed and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.case_tables import CASES
from tests.support.cases import Case
from tests.support.in_process import InProcess
from tests.support.sse import stream_chat
from tests.support.upstream import PLANTED_KEY, Upstream
from tests.support.ways import v1_chunks

MODELS = {name: f"m-{name}" for name in ("openai", "google", "anthropic", "local")}
GOOD = {"google": "gemini plain", "anthropic": "anthropic plain"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def server(upstream: Upstream) -> Iterator[InProcess]:
    origin = f"http://127.0.0.1:{upstream.port}"
    made = InProcess(
        OPENAI_BASE_URL=f"{origin}/v1",
        OPENAI_API_KEY=PLANTED_KEY,
        OPENAI_MODEL=MODELS["openai"],
        OPENAI_SPLIT_THOUGHTS=0,
        GEMINI_BASE_URL=f"{origin}/v1beta",
        GEMINI_API_KEY=PLANTED_KEY,
        GEMINI_MODEL=MODELS["google"],
        ANTHROPIC_BASE_URL=origin,
        ANTHROPIC_API_KEY=PLANTED_KEY,
        ANTHROPIC_MODEL=MODELS["anthropic"],
        LOCAL_LLM_URL=f"{origin}/v1",
        LOCAL_LLM_MODEL=MODELS["local"],
        BREAKER_FAILURES=1000,
    )
    yield made
    made.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_comes_out_right_natively(case: Case, server: InProcess, upstream: Upstream) -> None:
    upstream.reply = case.reply
    events = stream_chat(server, "hi", provider=case.wire).rest()
    last = events[-1].data

    assert "".join(event.data.get("token", "") for event in events) == case.text
    if case.fails:
        assert (last["code"], last["finish_reason"]) == (case.end, "error")
        return
    assert (last["finish_reason"], last["full_response"]) == (case.end, case.text)
    assert_usage(case, last["usage"])
    answer = server.post("/api/chat", {"message": "hi", "provider": case.wire})
    assert (answer.status, answer.json["response"]) == (200, case.text)
    assert answer.json["finish_reason"] == case.end


def assert_usage(case: Case, usage: dict[str, Any]) -> None:
    assert usage["source"] == ("reported" if case.usage else "estimated")
    if case.usage:
        assert (usage["input_tokens"], usage["output_tokens"]) == case.usage


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_comes_out_right_at_v1(case: Case, server: InProcess, upstream: Upstream) -> None:
    upstream.reply = case.reply
    body = {"model": MODELS[case.wire], "messages": [{"role": "user", "content": "hi"}]}
    answer = server.post("/v1/chat/completions", {**body, "stream": True})
    if answer.status != 200:
        assert (answer.json["error"]["code"], case.text + case.thoughts) == (case.end, "")
        return
    payloads = v1_chunks(answer.body)
    choices = [choice for one in payloads for choice in one.get("choices", ())]
    deltas = [choice["delta"] for choice in choices]
    assert "".join(delta.get("content", "") for delta in deltas) == case.text
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == case.thoughts
    if case.fails:
        assert payloads[-1]["error"]["code"] == case.end
        return
    assert choices[-1]["finish_reason"] == case.end
    once = server.post("/v1/chat/completions", body)
    (choice,) = once.json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (case.text, case.end)


def test_nothing_of_upstreams_words_or_the_key_is_in_a_frame(
    server: InProcess, upstream: Upstream
) -> None:
    secret = "upstream-secret-text"
    said = json.dumps({"error": {"message": f"{secret} {PLANTED_KEY}", "code": secret}}).encode()
    for status in (400, 401, 402, 403, 404, 407, 413, 429, 500, 503):
        head = f"HTTP/1.1 {status} {secret}\r\nContent-Length: {len(said)}\r\n\r\n".encode()
        upstream.reply = lambda exchange, answer=head + said: exchange.raw(answer)
        events = stream_chat(server, "hi", provider="openai").rest()
        assert secret not in str(events) and PLANTED_KEY not in str(events)
        assert "details" not in events[-1].data
        said_at_v1 = {"model": MODELS["openai"], "messages": [{"role": "user", "content": "hi"}]}
        answer = server.post("/v1/chat/completions", said_at_v1)
        assert secret not in answer.body.decode()
    assert PLANTED_KEY not in server.logs()


TURNS = {
    "refused": b"HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n",
    "empty": next(case.answer for case in CASES if case.name == "stop, without text"),
    "filtered": next(case.answer for case in CASES if case.name == "gemini blocked"),
}


@pytest.mark.parametrize("wire", MODELS)
@pytest.mark.parametrize("first", TURNS)
def test_session_goes_on_after_a_reply_without_text(
    first: str, wire: str, server: InProcess, upstream: Upstream
) -> None:
    good = GOOD.get(wire, "plain")
    session = f"turns-{first}-{wire}"
    fields = {"session_id": session, "provider": wire}
    upstream.reply = lambda exchange: exchange.raw(TURNS[first])
    stream_chat(server, "one", **fields).rest()
    stream_chat(server, "two", **fields).rest()
    upstream.reply = next(case.reply for case in CASES if case.name == good)
    before = len(upstream.exchanges)

    last = stream_chat(server, "three", **fields).rest()[-1].data

    assert last["full_response"] == "Red kite"
    body = upstream.exchanges[before].body
    turns = body["contents"] if wire == "google" else body["messages"]
    assert [turn["role"] for turn in turns] == ["user"]
    text = turns[0]["parts"][0]["text"] if wire == "google" else turns[0]["content"]
    text = text[0]["text"] if wire == "anthropic" else text
    assert text == "one\n\ntwo\n\nthree"


def test_thoughts_do_not_go_back_as_text(server: InProcess, upstream: Upstream) -> None:
    upstream.reply = next(case.reply for case in CASES if case.name == "think in one")
    stream_chat(server, "one", session_id="thoughts", provider="local").rest()
    stream_chat(server, "two", session_id="thoughts", provider="local").rest()
    assert [one["content"] for one in upstream.exchanges[-1].body["messages"]] == [
        "one", "Red kite", "two"]  # fmt: skip
    held = {"role": "assistant", "content": "<think>Hm.</think>\n\nRed kite"}
    said = [{"role": "user", "content": "one"}, held, {"role": "user", "content": "two"}]
    server.post("/v1/chat/completions", {"model": MODELS["local"], "messages": said})
    assert upstream.exchanges[-1].body["messages"][1]["content"] == "Red kite"
