"""Clients that nobody here wrote, in Node, against a real server: tests/clients has a script each.

Each one runs as it is published. What it needs of the wire is therefore tested and not described.
"""

from __future__ import annotations

import threading

import pytest

from tests.support.anthropic_cases import SIGNATURE
from tests.support.anthropic_cases import end as ended
from tests.support.anthropic_cases import start, text, thought, tool
from tests.support.byte_cutter import Proxy
from tests.support.doors import SECRET, token_of
from tests.support.node import Script, find_node, install
from tests.support.sse import stream_chat
from tests.support.tool_rounds import CITIES, FINAL, round_of_tools
from tests.support.upstream import PLANTED_KEY, Exchange, in_turn, refuse, say, silent
from tests.support.wires import send

pytestmark = pytest.mark.timeout(300)  # the first test installs the clients

PIECES = [f"{n}\u00e9\U0001f600\u2028 " for n in range(60)]
TEXT = "".join(PIECES)
AI_SDKS = {"ai 5": ("ai5", 20), "ai 6": ("ai6", 20), "ai 7": ("ai", 22)}


@pytest.fixture(scope="session")
def node():
    return install()


@pytest.fixture
def run(node, server):
    """Start scripts; they get the server's address first."""
    started: list[Script] = []

    def start(name: str, *arguments: str, url: str = "", by=None) -> Script:
        started.append(Script(by or node, name, url or server.url, *arguments))
        return started[-1]

    yield start
    for script in started:
        script.close()


@pytest.fixture
def go(upstream):
    """A reply that waits in the middle until it is let go."""
    release = threading.Event()

    def reply(exchange: Exchange) -> None:
        exchange.start()
        for number, piece in enumerate(PIECES):
            if number == 30:
                assert release.wait(20)
            exchange.delta(piece)
        exchange.finish(usage={"prompt_tokens": 5, "completion_tokens": 60})

    upstream.reply = reply
    yield release
    release.set()


# --- openai -------------------------------------------------------------------------


def test_openai_streams(run, go):
    script = run("openai_sdk", "stream")
    first = script.until(lambda chunk: chunk["choices"][0]["delta"].get("content"))
    go.set()
    chunks = first + script.rest()
    said = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"]]
    assert "".join(said) == TEXT
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 60,
        "total_tokens": 65,
    }


def test_openai_gets_a_whole_answer(run, server):
    [said] = run("openai_sdk", "whole").rest()
    assert said["answer"]["choices"][0]["message"]["content"] == "Hello there"
    assert server.get(f"/api/runs/{said['run_id']}").json["status"] == "completed"


def test_openais_stream_helper_puts_it_together(run):
    assert run("openai_sdk", "helper").rest()[-1] == {"final": "Hello there"}


def test_openais_abort_closes_the_upstream(run, upstream, server):
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.delta("Hello"),
        exchange.wait_closed(20),
    )
    script = run("openai_sdk", "abort")
    assert script.rest()[-1] == {"aborted": True}
    assert upstream.exchanges[0].closed.wait(20)
    assert server.wait_until(lambda: server.status()["runs"]["running"] == 0)


def test_openai_lists_the_models(run):
    *listed, read = run("openai_sdk", "models").rest()
    owners = {model["id"]: model["owned_by"] for model in listed}
    assert owners == {"gpt-5-mini": "openai", "demo": "demo"}
    assert read in listed


def test_openais_responses_stream(run):
    *events, whole = run("openai_responses", "stream").rest()
    assert [event["number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    assert whole == {"text": "Hello there", "status": "completed"}


def test_a_response_in_the_background_is_taken_up_and_cancelled(run, go):
    [started] = run("openai_responses", "background").rest()
    script = run("openai_responses", "rest", started["id"], "3")
    first = script.until(lambda event: event["type"] == "response.output_text.delta")
    go.set()
    events = first + script.rest()
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(4, 4 + len(events)))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == TEXT
    statuses = run("openai_responses", "cancel", started["id"]).rest()
    assert statuses == [{"status": "completed"}] * 2
    assert run("openai_responses", "remove", started["id"]).rest() == [{"status": 404}]


def test_a_response_is_cancelled_twice(run, upstream):
    upstream.reply = silent
    [started] = run("openai_responses", "background").rest()
    statuses = run("openai_responses", "cancel", started["id"]).rest()
    assert statuses == [{"status": "cancelled"}] * 2
    assert upstream.wait_for(1).closed.wait(30)


def test_responses_in_a_chain(run, upstream):
    upstream.reply = lambda e: say([f"reply {len(e.body['messages'])}"])(e)
    told = run("openai_responses", "chain").rest()
    assert [one["text"] for one in told] == [f"reply {n}" for n in (1, 3, 5, 7, 9)]
    assert [one.get("before") is None for one in told] == [True, False, False, False, False]


def test_a_response_is_parsed(run, upstream):
    upstream.reply = say(['{"city":"Rom",', '"degrees":20}'])
    [parsed] = run("openai_responses", "parse").rest()
    assert parsed == {"parsed": {"city": "Rom", "degrees": 20}}


def test_the_ai_sdk_speaks_responses_by_default(run, upstream):
    upstream.reply = round_of_tools
    *texts, called = run("ai_openai").rest()
    assert called == {"called": [{"city": city} for city in CITIES] * 2}
    said = "".join(one["text"] for one in texts)
    assert said.count(FINAL) == 2


# --- anthropic ----------------------------------------------------------------------


def test_anthropic_streams(run):
    *texts, whole = run("anthropic_sdk", "stream").rest()
    assert [one["text"] for one in texts] == ["Hello", " there"]
    assert whole["content"] == [{"type": "text", "text": "Hello there"}]
    assert whole["reason"] == "end_turn" and whole["usage"]["output_tokens"] > 0


def test_anthropics_tools_go_round_with_thoughts(run, start_one, upstream):
    first = start() + thought() + tool('{"city":', '"Rom"}', index=1) + ended("tool_use")
    upstream.reply = in_turn(send(first), send(start() + text("20 degrees.") + ended()))
    claudes = start_one(
        ANTHROPIC_BASE_URL=upstream.url.removesuffix("/v1"),
        ANTHROPIC_API_KEY=PLANTED_KEY,
        DEFAULT_PROVIDER="anthropic",
    )
    [told] = run("anthropic_sdk", "tools", url=claudes.url).rest()
    asked, called, given, last = told["messages"]
    thinking, use = called["content"]
    assert (thinking["thinking"], thinking["signature"]) == ("Hm.", SIGNATURE)
    assert use["input"] == {"city": "Rom"}
    assert last["content"][0]["text"] == "20 degrees."
    sent = upstream.exchanges[-1].body["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"][0]["signature"] == SIGNATURE


def test_anthropic_counts_fails_and_lists(run, upstream):
    assert run("anthropic_sdk", "count").rest()[0]["count"] > 0
    assert {"id": "demo"} in run("anthropic_sdk", "models").rest()
    upstream.reply = refuse("500 Error")
    [failed] = run("anthropic_sdk", "fail").rest()
    assert (failed["type"], failed["internal"]) == ("api_error", True)


def test_anthropics_abort_closes_the_upstream(run, upstream):
    upstream.reply = lambda exchange: (
        exchange.start(),
        exchange.delta("Hello"),
        exchange.wait_closed(20),
    )
    assert run("anthropic_sdk", "abort").rest() == [{"aborted": True}]
    assert upstream.exchanges[0].closed.wait(20)


@pytest.mark.parametrize(
    "case,thrown,status,code",
    [
        ("refused", "BadRequestError", 400, "invalid_request"),
        ("unsupported", "BadRequestError", 400, "unsupported_parameter"),
        ("missing", "NotFoundError", 404, "not_found"),
    ],
)
def test_what_is_refused_has_openais_class(run, upstream, case, thrown, status, code):
    error = run("openai_sdk", case).rest()[-1]
    assert (error["thrown"], error["status"], error["code"]) == (thrown, status, code)
    assert upstream.exchanges == []


def test_openai_is_told_that_its_key_is_wrong(run, start_server):
    server = start_server(JWT_SECRET=SECRET)
    error = run("openai_sdk", "unauthorized", url=server.url).rest()[-1]
    assert (error["thrown"], error["status"]) == ("AuthenticationError", 401)
    assert error["type"] == "authentication_error"


def test_openai_is_told_to_wait(run, start_server):
    server = start_server(RATE_LIMIT_CHAT="1 per minute")
    assert "answer" in run("openai_sdk", "limited", url=server.url).rest()[-1]
    error = run("openai_sdk", "limited", url=server.url).rest()[-1]
    assert (error["thrown"], error["type"]) == ("RateLimitError", "rate_limit_error")


def test_a_failure_before_the_first_piece_is_a_status(run, upstream):
    upstream.reply = lambda exchange: exchange.cut()
    [error] = run("openai_sdk", "failed").rest()
    assert (error["thrown"], error["status"]) == ("InternalServerError", 502)


def test_a_failure_after_the_first_piece_is_thrown_from_the_stream(run, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("kept"), exchange.cut())
    *chunks, error = run("openai_sdk", "failed").rest()
    assert chunks[-1]["choices"][0]["delta"] == {"content": "kept"}
    assert (error["thrown"], error["code"]) == ("APIError", "upstream_incomplete")


def test_openai_retries_a_failure_by_itself(run, upstream):
    good = upstream.reply
    upstream.reply = lambda exchange: (
        exchange.cut() if len(upstream.exchanges) == 1 else good(exchange)
    )
    chunks = run("openai_sdk", "retried").rest()
    said = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert ("".join(said), len(upstream.exchanges)) == ("Hello there", 2)


# --- the AI SDK ---------------------------------------------------------------------


@pytest.fixture(params=AI_SDKS)
def ai(request, run):
    """Start a script with one of the SDK's versions; the chat has the test's name."""
    package, version = AI_SDKS[request.param]
    by = find_node(version)
    chat_id = request.node.name.replace("[", "-").replace("]", "").replace(" ", "-")

    def start(case: str) -> Script:
        return run("ai_sdk", case, chat_id, package, by=by)

    start.chat_id = chat_id
    return start


def test_the_transport_reads_every_frame(ai, server, upstream):
    frames = ai("chunks").rest()
    assert [frame["type"] for frame in frames] == [
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    ]
    said = [frame["delta"] for frame in frames if frame["type"] == "text-delta"]
    assert said == ["Hello", " there"]
    assert frames[-1]["messageMetadata"] == {
        "finishReason": "stop",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
    }
    run_id = frames[0]["messageMetadata"]["runId"]
    assert server.get(f"/api/runs/{run_id}").json["session_id"] == ai.chat_id


def test_thinking_is_a_part_of_its_own(ai, upstream):
    def reply(exchange: Exchange) -> None:
        exchange.start()
        for delta in ({"reasoning_content": "Hm."}, {"content": "Yes."}):
            exchange.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        exchange.finish()

    upstream.reply = reply
    message = ai("message").rest()[-1]["message"]
    parts = [(part["type"], part.get("text")) for part in message["parts"]]
    assert parts == [("step-start", None), ("reasoning", "Hm."), ("text", "Yes.")]


def test_the_message_grows_as_it_comes(ai, go):
    script = ai("message")
    seen = script.until(lambda value: value["text"])
    go.set()
    seen += script.rest()
    assert all("failed" not in value for value in seen)
    texts = [value["text"] for value in seen]
    assert texts[-1] == TEXT
    assert len(set(texts)) > 2 and all(TEXT.startswith(text) for text in texts)


def test_a_chat_goes_on(ai, server, upstream):
    reports = [value for value in ai("chat").rest() if "messages" in value]
    last = reports[-1]
    assert (last["status"], last["error"]) == ("ready", None)
    assert [message["role"] for message in last["messages"]] == ["user", "assistant"] * 2
    metadata = last["messages"][-1]["metadata"]
    assert set(metadata) == {"runId", "finishReason", "usage"}
    sent = [message["content"] for message in upstream.exchanges[1].body["messages"]]
    assert sent == ["hi", "Hello there", "and more"]
    stored = server.get(f"/api/chat/sessions/{ai.chat_id}/messages").json["messages"]
    assert [one["content"] for one in stored] == ["hi", "Hello there", "and more", "Hello there"]
    assert stored[-1]["id"] == last["messages"][-1]["id"]


def test_stop_aborts(ai, go, upstream):
    values = ai("stop").rest()
    [receipt] = [value["receipt"] for value in values if "receipt" in value]
    assert (receipt["status"], receipt["upstream_closed"]) == ("stopped", True)
    report = values[-2]
    assert (report["status"], report["error"]) == ("ready", None)
    text = report["messages"][1]["parts"][-1]["text"]
    assert text and TEXT.startswith(text)
    assert values[-1] == {"again": 204}


def test_who_leaves_finds_the_reply_again(ai, go, upstream):
    script = ai("leave")
    values = script.until(lambda value: value.get("who") == "back" and value["text"])
    assert {"left": "ready"} in values
    go.set()
    report = script.rest()[-1]
    assert report["messages"][1]["parts"][-1]["text"] == TEXT
    assert (report["status"], len(upstream.exchanges)) == ("ready", 1)


def test_a_failure_is_an_error(ai, upstream):
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("kept"), exchange.cut())
    report = ai("failed").rest()[-1]
    assert report["status"] == "error"
    assert report["error"].startswith("The reply was cut off before its end.")
    assert report["messages"][1]["parts"][-1]["text"] == "kept"


def test_what_is_refused_is_an_error(ai, upstream):
    report = ai("refused").rest()[-1]
    assert report["status"] == "error"
    assert "invalid_request" in report["error"]
    assert upstream.exchanges == []


def test_a_second_view_resumes_in_the_middle(ai, go, upstream):
    script = ai("resume")
    script.until(lambda value: value.get("both"))
    go.set()
    first, second = script.rest()[-2:]
    for report in (first, second):
        assert report["messages"][1]["parts"][-1]["text"] == TEXT
        assert (report["status"], report["error"]) == ("ready", None)
    assert first["messages"][1]["id"] == second["messages"][1]["id"]
    assert len(upstream.exchanges) == 1


def test_where_nothing_is_under_way_there_is_nothing_to_resume(ai):
    values = ai("idle").rest()
    assert values[0] == {"unknown": None}
    assert {"ended": None} in values
    assert len(values[-1]["messages"]) == 2
    # 5.0.0 forgets, on its side of a 204, that it has said "submitted".
    assert values[-1]["status"] in {"ready", "submitted" if "ai-5" in ai.chat_id else "ready"}


def test_regenerate_makes_another_reply(ai, server, upstream):
    first, second = [value for value in ai("regenerate").rest() if "messages" in value]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant"]
    assert second["messages"][1]["id"] != first["messages"][1]["id"]
    asked = [exchange.body["messages"] for exchange in upstream.exchanges]
    assert asked[0] == asked[1] == [{"role": "user", "content": "hi"}]
    stored = server.get(f"/api/chat/sessions/{ai.chat_id}/messages").json["messages"]
    assert [one["id"] for one in stored][1] == second["messages"][1]["id"]
    assert len(stored) == 2


def test_an_edited_message_takes_the_place_of_the_old_one(ai, server, upstream):
    report = ai("edit").rest()[-1]
    assert len(report["messages"]) == 2
    assert upstream.exchanges[1].body["messages"] == [{"role": "user", "content": "ho"}]
    stored = server.get(f"/api/chat/sessions/{ai.chat_id}/messages").json["messages"]
    assert [one["content"] for one in stored] == ["ho", "Hello there"]


# --- event streams ------------------------------------------------------------------


@pytest.fixture
def proxy(server):
    """Put a proxy before the server that cuts connections."""
    proxies: list[Proxy] = []

    def before(*cuts: int) -> Proxy:
        proxies.append(Proxy(server.port, cuts))
        return proxies[-1]

    yield before
    for one in proxies:
        one.close()


@pytest.mark.parametrize("cuts", [(100,), (900,), (1500,), (2001, 1400)], ids=str)
def test_fetch_event_source_comes_back_for_the_rest(run, go, upstream, proxy, cuts):
    between = proxy(*cuts)
    script = run("fetch_event_source", url=between.url)
    between.wait_for(len(cuts) + 1)
    go.set()
    values = script.rest()
    assert "".join(value.get("token", "") for value in values) == TEXT
    assert [value["seq"] for value in values if "seq" in value] == list(range(1, 62))
    assert len([value for value in values if "retried" in value]) == len(cuts)
    assert len({value["run_id"] for value in values if "status" in value}) == 1
    assert len(upstream.exchanges) == 1


def test_eventsource_comes_back_by_itself_until_the_end(run, go, upstream, proxy, server):
    started = stream_chat(server, "hi")
    started.take(3)
    started.close()
    between = proxy(1100, 900)
    script = run("eventsource", started.run_id, url=between.url)
    between.wait_for(3)
    go.set()
    values = script.rest()
    assert "".join(value.get("token", "") for value in values) == TEXT
    assert [value["seq"] for value in values if "seq" in value] == list(range(1, 62))
    # cut twice, then closed at the end; and 204 is what it does not come back from
    errors = [value for value in values if "error" in value]
    assert [error["closed"] for error in errors] == [False, False, False, True]
    assert errors[-1]["error"] == 204
    assert len(upstream.exchanges) == 1


def test_eventsource_parser_reads_the_post(run, go):
    script = run("eventsource_parser")
    values = script.until(lambda value: value["seq"] >= 3)
    go.set()
    values += script.rest()
    assert "".join(value.get("token", "") for value in values) == values[-1]["full_response"]
    assert [value["id"] for value in values] == [f"{v['run_id']}:{v['seq']}" for v in values]


# --- socket.io-client ---------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_socketio_client_streams_is_cut_and_resumes(run, go, upstream, transport):
    script = run("socketio", transport)
    assert script.next() == {"connected": transport}
    values = script.until(lambda value: "resumed" in value)
    go.set()
    values += script.rest()
    by_name = {name: value[name] for value in values for name in value}
    assert by_name["busy"]["error"]["code"] == "session_busy"
    assert by_name["resumed"] == {"run_id": by_name["ack"]["run_id"], "status": "running"}
    tokens = [value["token"] for value in values if value.get("name") == "chat_token"]
    assert "".join(tokens) == TEXT
    assert by_name["receipt"]["status"] == "completed"
    assert len(upstream.exchanges) == 1


def test_socketio_client_needs_the_token_that_the_server_wants(run, start_server, upstream):
    server = start_server(JWT_SECRET=SECRET)
    assert run("socketio", "websocket", url=server.url).rest() == [{"refused": "unauthorized"}]
    upstream.reply = silent
    script = run("socketio", "websocket", token_of(), url=server.url)
    assert script.next() == {"connected": "websocket"}
    assert "ack" in script.next()
