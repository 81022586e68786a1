"""What every dialect's stream keeps, whatever was said and however it was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import KINDS, Entry, texts_of
from app.dialects.dialect import MERGE_ABOVE, Dialect, Spoken
from app.dialects.documents.either import PromptOrConversation
from app.dialects.routes import ROUTES
from tests.dialects.speech import FAILED, STOPPED, reply_of, said, streamed, thought
from tests.support.kinds import mixed

ODD = st.sampled_from('\u2028\u2029\u0085\r\n\\"\x1e\x7f\ufeff: ')
TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), ODD), min_size=1, max_size=8)
PIECES = st.lists(TEXT, max_size=8)

# How a client finds a piece of the reply in an event.
TEXT_OF: dict[str, Callable[[dict[str, Any]], str]] = {
    "native": lambda event: event.get("token", ""),
    "completions_stream": lambda event: event["content"],
    "session_messages": lambda event: event.get("content", ""),
    "prompt_chat": lambda event: event.get("chunk", ""),
    "prompt_conversation": lambda event: event.get("chunk", ""),
    "conversation_chat": lambda event: event["content"],
    "openai_chat": lambda event: "".join(
        choice["delta"].get("content", "") for choice in event.get("choices", ())
    ),
    "ai_sdk": lambda event: event["delta"] if event["type"] == "text-delta" else "",
    "ollama_chat": lambda event: event.get("message", {}).get("content", ""),
}


def spoken(dialect: Dialect) -> list[Dialect]:
    if not isinstance(dialect, PromptOrConversation):
        return [dialect]
    bodies: list[dict[str, Any]] = [
        {"prompt": "hi"},
        {"conversation": [{"role": "user", "content": "hi"}]},
    ]
    parsed: list[Spoken] = [dialect.parse(body, {}) for body in bodies]
    return [one.dialect for one in parsed]


DIALECTS = {one.name: one for route in ROUTES for one in spoken(route.dialect)}
EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def events(dialect: Dialect, encoded: str) -> list[dict[str, Any]]:
    """Return what a client reads that takes every line end of Unicode's for one."""
    lines = encoded.splitlines()
    if dialect.name != "ollama_chat":
        assert all(line[:2] in {"", ": ", "id", "da"} for line in lines)
        lines = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def text_of(dialect: Dialect, encoded: str) -> str:
    return "".join(TEXT_OF[dialect.name](event) for event in events(dialect, encoded))


def test_every_dialect_of_the_table_is_looked_at() -> None:
    assert set(DIALECTS) == set(TEXT_OF)


@EACH
@given(pieces=PIECES)
def test_text_is_read_as_it_was_said(dialect: Dialect, pieces: list[str]) -> None:
    assert text_of(dialect, streamed(dialect, said(*pieces))) == "".join(pieces)


@EACH
@given(pieces=PIECES, after=st.integers(0, 8))
def test_what_a_cursor_has_not_seen_follows(
    dialect: Dialect, pieces: list[str], after: int
) -> None:
    after = min(after, len(pieces))

    assert text_of(dialect, streamed(dialect, said(*pieces), after)) == "".join(pieces[after:])


@EACH
def test_joined_or_not_the_end_is_the_same(dialect: Dialect) -> None:
    entries = said(*(f"{n}é " for n in range(MERGE_ABOVE + 1)))
    encoder = dialect.encoder(reply_of(entries), 0, {})
    single = encoder.opening + b"".join(encoder.encode([entry]) for entry in entries)
    joined = streamed(dialect, entries)

    assert text_of(dialect, joined) == text_of(dialect, single.decode())
    assert events(dialect, joined)[-1] == events(dialect, single.decode())[-1]
    assert len(joined) < len(single)


@EACH
def test_reasoning_and_status_are_never_text(dialect: Dialect) -> None:
    assert text_of(dialect, streamed(dialect, thought("hm", "Yes"))) == "Yes"


@EACH
def test_heartbeat_says_nothing(dialect: Dialect) -> None:
    encoder = dialect.encoder(reply_of([]), 0, {})

    assert text_of(dialect, encoder.heartbeat.decode()) == ""
    assert encoder.opening.endswith(b"\n") and encoder.heartbeat.endswith(b"\n")


@EACH
@pytest.mark.parametrize("end", [None, STOPPED, FAILED], ids=["completed", "stopped", "failed"])
def test_nothing_of_the_end_comes_before_it(dialect: Dialect, end: Any) -> None:
    entries: list[Entry] = said("a", "b", end=end)
    going, ended = streamed(dialect, entries[:-1]), streamed(dialect, entries)

    assert ended.startswith(going) and len(ended) > len(going)


@EACH
def test_kinds_without_a_place_are_skipped_and_change_nothing(dialect: Dialect) -> None:
    entries = mixed(80)
    encoded = streamed(dialect, entries)

    texts = "".join(TEXT_OF[dialect.name](event) for event in events(dialect, encoded))
    assert texts == "".join(texts_of(entries))
    encoder = dialect.encoder(reply_of(entries), 0, {})
    hidden = [entry for entry in entries if not KINDS[entry.kind].is_text]
    assert {entry.kind for entry in hidden if encoder.piece(entry, 1)} <= {"status", "end"}


@EACH
def test_log_of_all_kinds_is_resumed_where_it_was_left(dialect: Dialect) -> None:
    entries = mixed(40)
    for after in range(0, 40, 7):
        encoded = streamed(dialect, entries, after)
        texts = "".join(TEXT_OF[dialect.name](event) for event in events(dialect, encoded))
        assert texts == "".join(texts_of(entries[after:]))
