"""The operator's prompt and filter over Socket.IO, and what is in the database's files."""

from __future__ import annotations

import pytest

from tests.support import topology
from tests.support.sse import follow_run, text_of
from tests.support.upstream import say
from tests.support.ways import WAYS

DEFAULT = "Speak like a pirate."


@pytest.fixture(scope="module")
def ruled(start_one):
    """A server whose operator has rules."""
    return start_one(SYSTEM_PROMPT=DEFAULT, CONTEXT_TOKENS=60, MAX_OUTPUT_TOKENS=50)


def given(upstream, index=-1):
    return [(m["role"], m["content"]) for m in upstream.exchanges[index].body["messages"]]


@pytest.mark.parametrize("way", ["socketio"])
def test_default_prompt_comes_first(ruled, upstream, connect, way):
    WAYS[way](ruled, connect, "hi")
    assert given(upstream) == [("system", DEFAULT), ("user", "hi")]


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
    return lambda name: start_one(TEXT_FILTER=f"house_rules:{name}", PYTHONPATH=folder)


@pytest.fixture(scope="module")
def filtered(start_filtered):
    return start_filtered("hide")


@pytest.mark.parametrize("way", WAYS)
def test_message_is_filtered_before_anybody_has_it(filtered, upstream, connect, way):
    seen = WAYS[way](filtered, connect, "my number is xq4711")
    assert given(upstream) == [("user", "my number is [number]")]
    session_id = filtered.get(f"/api/runs/{seen.run_id}").json["session_id"]
    messages = filtered.get(f"/api/chat/sessions/{session_id}/messages").json["messages"]
    assert messages[0]["content"] == "my number is [number]"
    assert filtered.get(f"/api/chat/sessions/{session_id}").json["title"] == "my number is [number]"
    stored = topology.all_stored(filtered.folder)
    assert b"[number]" in stored and b"xq4711" not in stored


@pytest.mark.parametrize("way", ["socketio"])
def test_pieces_are_filtered_before_they_enter_the_log(filtered, upstream, connect, way):
    upstream.reply = say(["oh darn", " it"])
    seen = WAYS[way](filtered, connect, "go")
    assert seen.text == "oh **** it"
    assert text_of(follow_run(filtered, seen.run_id).rest()) == "oh **** it"
