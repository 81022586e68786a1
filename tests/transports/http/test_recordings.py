"""A reply that was recorded is the same text in every dialect when it is played."""

from __future__ import annotations

import json
import stat

import pytest

from tests.support.sse import SseParser, follow_run, stream_chat, text_of
from tests.support.upstream import PLANTED_KEY, delta
from tests.support.ways import v1_chunks

PIECES = ["Hel", "lo\n\n", "\U0001f600 \u2028", " data: x", "\\ end"]
TEXT = "".join(PIECES)
THOUGHT = "Hm, let me see."
SAID = [{"role": "user", "content": "play"}]
PARTS = [{"type": "text", "text": "play"}]


def thinking_reply(exchange):
    exchange.start()
    thought = delta("")
    thought["choices"][0]["delta"] = {"reasoning_content": THOUGHT}
    exchange.event(thought)
    for piece in PIECES:
        exchange.delta(piece)
    exchange.finish("stop", {"prompt_tokens": 7, "completion_tokens": 5})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def player(start_one, shared_upstream, folder):
    """A server that has recorded one reply, and plays it unless told otherwise."""
    server = start_one(
        OPENAI_API_KEY=PLANTED_KEY,
        RECORD_DIR=folder,
        REPLAY_DIR=folder,
        REPLAY_SPEED=0,
        DEFAULT_PROVIDER="replay",
    )
    shared_upstream.reply, shared_upstream.replies = thinking_reply, {}
    recorded = server.post("/api/chat", {"message": "record me", "provider": "openai"}).json
    assert recorded["response"] == TEXT
    return server


def events_of(answer):
    return [event.data for event in SseParser().feed(answer.body.replace(b"data: [DONE]\n\n", b""))]


def joined(key, **where):
    def extract(answer):
        return "".join(e[key] for e in events_of(answer) if where.items() <= e.items() and key in e)

    return extract


def v1_text(answer):
    deltas = [choice["delta"] for one in v1_chunks(answer.body) for choice in one["choices"]]
    return "".join(one.get("content", "") for one in deltas)


def ollama_text(answer):
    return "".join(json.loads(line)["message"]["content"] for line in answer.body.splitlines())


def completions_text(answer):
    return "".join(choice["text"] for one in v1_chunks(answer.body) for choice in one["choices"])


def claude_text(answer):
    return "".join(one.get("delta", {}).get("text", "") for one in events_of(answer))


def generate_text(answer):
    return "".join(json.loads(line)["response"] for line in answer.body.splitlines())


# Each route that starts a run: a body for it, and where the text is in its answer.
DIALECTS = {
    "/api/chat/stream": ({"message": "play"}, joined("token")),
    "/api/chat": ({"message": "play"}, lambda answer: answer.json["response"]),
    "/chat/completions/stream": ({"messages": SAID}, joined("content")),
    "/chat/completions": ({"messages": SAID}, lambda answer: answer.json["content"]),
    "/sessions/known/messages/stream": ({"content": "play"}, joined("content", type="token")),
    "/sessions/known/messages": ({"content": "play"}, lambda answer: answer.json["content"]),
    "/chat?prompt": ({"prompt": "play", "stream": True}, joined("chunk")),
    "/chat?whole-prompt": ({"prompt": "play"}, lambda answer: answer.json["response"]),
    "/chat?conversation": ({"conversation": SAID, "stream": True}, joined("content")),
    "/chat?whole-conversation": ({"conversation": SAID}, lambda answer: answer.json["message"]),
    "/chat/conversation": ({"messages": SAID, "stream": True}, joined("chunk")),
    "/v1/chat/completions": ({"model": "latest", "messages": SAID, "stream": True}, v1_text),
    "/v1/chat/completions?whole": (
        {"model": "latest", "messages": SAID},
        lambda answer: answer.json["choices"][0]["message"]["content"],
    ),
    "/v1/completions": ({"model": "latest", "prompt": "play", "stream": True}, completions_text),
    "/v1/completions?whole": (
        {"model": "latest", "prompt": ["play"]},
        lambda answer: answer.json["choices"][0]["text"],
    ),
    "/v1/responses": (
        {"model": "latest", "input": "play", "stream": True},
        joined("delta", type="response.output_text.delta"),
    ),
    "/v1/responses?whole": (
        {"model": "latest", "input": SAID},
        lambda answer: answer.json["output"][-1]["content"][0]["text"],
    ),
    "/v1/messages": (
        {"model": "latest", "max_tokens": 9, "messages": SAID, "stream": True},
        claude_text,
    ),
    "/v1/messages?whole": (
        {"model": "latest", "max_tokens": 9, "messages": SAID},
        lambda answer: answer.json["content"][0]["text"],
    ),
    "/api/ai-sdk/chat": (
        {"id": "ui", "messages": [{"id": "1", "role": "user", "parts": PARTS}]},
        joined("delta", type="text-delta"),
    ),
    "/ollama/api/chat": ({"model": "latest", "messages": SAID}, ollama_text),
    "/ollama/api/chat?whole": (
        {"model": "latest", "messages": SAID, "stream": False},
        lambda answer: answer.json["message"]["content"],
    ),
    "/ollama/api/generate": ({"model": "latest", "prompt": "play"}, generate_text),
    "/ollama/api/generate?whole": (
        {"model": "latest", "prompt": "play", "stream": False},
        lambda answer: answer.json["response"],
    ),
}


@pytest.mark.parametrize("path", DIALECTS)
def test_every_dialect_plays_the_same_text(player, upstream, path):
    body, extract = DIALECTS[path]
    player.post("/api/chat/sessions", {"session_id": "known"})
    answer = player.post(path, body)
    assert (answer.status, extract(answer)) == (200, TEXT)
    record = player.get(f"/api/runs/{answer.headers['x-run-id']}").json
    assert (record["provider"], record["model"]) == ("replay", "latest")
    assert record["usage"] == {"input_tokens": 7, "output_tokens": 5, "source": "reported"}
    assert not upstream.exchanges


@pytest.mark.parametrize("path", DIALECTS)
def test_every_dialects_run_is_read_natively_and_as_a_response(player, path):
    player.post("/api/chat/sessions", {"session_id": "known"})
    run_id = player.post(path, DIALECTS[path][0]).headers["x-run-id"]
    native = player.get(f"/api/runs/{run_id}/events?partial=false")
    assert joined("token")(native) == TEXT
    response = player.get(f"/v1/responses/resp_{run_id}")
    said = [one for one in response.json["output"] if one["type"] == "message"]
    assert [part["text"] for one in said for part in one["content"]] == [TEXT]
    events = player.get(f"/v1/responses/resp_{run_id}?stream=true&starting_after=1")
    assert joined("delta", type="response.output_text.delta")(events) == TEXT


def test_every_route_that_starts_a_run_is_in_this_test():
    from app.dialects.routes import ROUTES

    routes = {route.path.replace("<session_id>", "known") for route in ROUTES}
    assert routes == {path.partition("?")[0] for path in DIALECTS}


def test_plain_text_is_the_same(player):
    answer = player.post("/api/chat/stream", {"message": "play"}, Accept="text/plain")
    assert answer.body.decode() == TEXT


def test_recording_has_no_key_and_is_the_users_alone(player, folder):
    files = list(folder.iterdir())
    assert len(files) == 1  # what is played is not recorded again
    kept = files[0].read_text()
    assert PLANTED_KEY not in kept and "authorization" not in kept.lower()
    head = json.loads(kept.splitlines()[0])
    assert head["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "record me"}]}
    ]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_recording_is_played_by_its_name(player, folder):
    name = next(folder.iterdir()).stem
    events = stream_chat(player, "play", model=name, reasoning=True).rest()
    assert (text_of(events), events[-1].data["model"]) == (TEXT, name)
    assert [e.data["reasoning"] for e in events if "reasoning" in e.data] == [THOUGHT]


def test_recording_that_is_not_there_is_refused(player):
    ended = stream_chat(player, "play", model="../../etc/passwd").rest()[-1].data
    assert ended["code"] == "upstream_rejected"


@pytest.fixture
def recorder(start_server, tmp_path):
    folder = tmp_path / "recorded"
    server = start_server(
        OPENAI_API_KEY=PLANTED_KEY, RECORD_DIR=folder, REPLAY_DIR=folder, REPLAY_SPEED=0
    )
    return server, folder


def test_failure_that_was_recorded_is_played(recorder, upstream):
    server, _ = recorder
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("kept"), exchange.cut())
    first = stream_chat(server, "go").rest()
    again = stream_chat(server, "go", provider="replay").rest()
    assert text_of(first) == text_of(again) == "kept"
    assert first[-1].data["code"] == again[-1].data["code"] == "upstream_incomplete"


def test_folder_that_cannot_be_written_costs_recordings_and_nothing_else(start_server, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    server = start_server(RECORD_DIR=blocked)
    assert text_of(stream_chat(server, "go").rest()) == "Hello there"
    assert "RECORD_DIR cannot be written" in server.logs()


def test_replay_keeps_its_times(start_server, tmp_path):
    head = {"format": 1, "provider": "p", "model": "m", "at": "2026-01-01T00:00:00Z"}
    lines = [
        {**head, "temperature": None, "max_tokens": None, "messages": []},
        [0.3, [["text", "a"]]],
        [0.6, [["text", "b"], ["finish", "stop"]]],
        {"end": "ok", "offset_s": 0.6},
    ]
    (tmp_path / "timed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = start_server(REPLAY_DIR=tmp_path, DEFAULT_PROVIDER="replay", REPLAY_SPEED=1)
    end = stream_chat(server, "go", model="timed").rest()[-1].data
    assert end["full_response"] == "ab"
    assert end["ttft_ms"] >= 290 and end["duration"] >= 0.59
    assert follow_run(server, end["run_id"]).rest()[-1].data["duration"] == end["duration"]
