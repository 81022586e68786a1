"""Claude's blocks: what a client of the stream puts together is what it would have got whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import Entry
from app.dialects.anthropic.chat import ClaudeMessages
from tests.dialects.speech import streamed, whole
from tests.support.clock import START
from tests.support.samples import end_entry

DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
TEXTS = st.text("ab\n€", min_size=1, max_size=4)


def thought(text: str, signature: str) -> tuple[str, Any]:
    return "opaque", {
        "vendor": "anthropic",
        "block": {"type": "thinking", "thinking": text, "signature": signature},
    }


HIDDEN = ("opaque", {"vendor": "v", "block": {"type": "redacted_thinking", "data": "x"}})
OTHERS = ("opaque", {"vendor": "v", "call_id": "c", "signature": "s"})
RUNGS: list[Any] = [
    TEXTS.map(lambda text: [("text", text)]),
    TEXTS.map(lambda text: [("reasoning", text)]),
    TEXTS.map(lambda text: [("reasoning", text), thought(text, "signed")]),
    st.just([thought("", "signed")]),
    st.sampled_from([[HIDDEN], [OTHERS], [("status", {"stage": "thinking"})], [("step_end", {})]]),
]


@st.composite
def calls(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Return calls of the client's or the server's, interleaved, with a text among them."""
    source = draw(st.sampled_from(["client", "client", "server"]))
    inputs = draw(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=2), min_size=1, max_size=3))
    pieces: list[tuple[str, Any]] = []
    queues = []
    for n, said in enumerate(inputs):
        names = {"n": n, "call_id": f"call_{n}", "name": f"tool_{n}", "source": source}
        text = json.dumps(said)
        args = [("tool_args", {"n": n, "delta": part}) for part in (text[:3], text[3:]) if part]
        ready = ("tool_ready", {**names, "input": said})
        queues.append([("tool_call", names), *args, ready])
    queues.append([("text", "meanwhile")] * draw(st.integers(0, 1)))
    while any(queues):
        queue = draw(st.sampled_from([one for one in queues if one]))
        pieces.append(queue.pop(0))
    return pieces


def numbered(rungs: list[list[tuple[str, Any]]]) -> list[Entry]:
    """Return the entries of a log: what a step calls has numbers that no other step's has."""
    entries: list[Entry] = []
    for step, rung in enumerate(rungs):
        for kind, data in rung:
            if isinstance(data, dict) and "n" in data:
                data = {**data, "n": data["n"] + 10 * step}
            entries.append(Entry(len(entries) + 1, kind, data, START))
    return [*entries, end_entry(len(entries) + 1)]


def put_together(stream: str) -> list[dict[str, Any]]:
    """Return the content that a client has of a stream, as Anthropic's SDKs make it."""
    blocks: list[dict[str, Any]] = []
    said: list[str] = []
    open_at = None
    for line in stream.splitlines():
        if not line.startswith("data: "):
            continue
        event = json.loads(line[6:])
        if event["type"] == "content_block_start":
            assert (open_at, event["index"]) == (None, len(blocks))
            blocks.append(event["content_block"])
            open_at, said = event["index"], []
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_at
            delta = event["delta"]
            if delta["type"] == "input_json_delta":
                said.append(delta["partial_json"])
            else:
                blocks[-1][DELTAS[delta["type"]]] += delta[DELTAS[delta["type"]]]
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_at
            if said:
                blocks[-1]["input"] = json.loads("".join(said))
            open_at = None
    assert open_at is None
    return blocks


@given(st.lists(st.one_of(*RUNGS, calls()), max_size=6), st.booleans())
def test_what_is_streamed_is_what_comes_whole(rungs, shows_thoughts):
    log = numbered(rungs)
    options = {"shows_thoughts": shows_thoughts}
    told = put_together(streamed(ClaudeMessages(), log, **options))
    assert told == whole(ClaudeMessages(), log, **options)["content"]
    assert shows_thoughts or not [one for one in told if "thinking" in one["type"]]


def test_thoughts_of_models_that_sign_none_are_shown():
    log = numbered([[("reasoning", "Hm. "), ("reasoning", "So.")], [("text", "Yes.")]])
    message = whole(ClaudeMessages(), log, shows_thoughts=True)
    thinking = {"type": "thinking", "thinking": "Hm. So.", "signature": ""}
    assert message["content"] == [thinking, {"type": "text", "text": "Yes."}]


@pytest.mark.parametrize("given, stored", [({"city": "Rom"}, {"city": "Rom"}), ({}, {})])
def test_a_log_without_the_pieces_of_arguments_has_them(given, stored):
    names = {"n": 0, "call_id": "call_0", "name": "t", "source": "client"}
    log = numbered([[("tool_call", names), ("tool_ready", {**names, "input": given})]])
    assert put_together(streamed(ClaudeMessages(), log))[0]["input"] == stored
