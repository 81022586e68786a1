"""Claude's blocks: what a client of the stream puts together is what it would have got whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.anthropic.chat import ClaudeMessages
from tests.dialects.mixed_logs import LOGS, numbered
from tests.dialects.speech import streamed, whole

DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


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


@given(LOGS, st.booleans())
def test_what_is_streamed_is_what_comes_whole(log, shows_thoughts):
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
