"""The conversation dialect, byte by byte; its figures are right whatever the pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chats.request import ChatRequest
from app.core.entries import Entry
from app.core.messages import ProviderMessage, text_parts
from app.dialects.dialect import MERGE_ABOVE
from app.dialects.documents.conversation import ConversationChat
from tests.dialects.speech import refusal, said, streamed
from tests.support.clock import START
from tests.support.samples import end_entry

DIALECT = ConversationChat()
HI = [{"role": "user", "content": "hi"}]
WORDS = st.lists(st.text("ab \n\u2028\u0085\u00a0é", max_size=5), max_size=12)


def timed(*pieces: str) -> list[Entry]:
    """Return texts, half a second after one another, and their end at two seconds."""
    entries = [Entry(n, "text", piece, START + n / 2) for n, piece in enumerate(pieces, 1)]
    return [*entries, end_entry(len(pieces) + 1)]


def events(entries: list[Entry], after: int = 0) -> list[dict[str, Any]]:
    frames = streamed(DIALECT, entries, after).split("\n\n")
    return [json.loads(f.removeprefix("data: ")) for f in frames if f.startswith("data: ")]


def test_text_comes_with_all_so_far_and_figures() -> None:
    assert streamed(DIALECT, timed("Hello wor", "ld")) == (
        ": open\n\n"
        'data: {"content":"Hello wor","full_content":"Hello wor","chunk_id":1,'
        '"timestamp":"2023-11-14T22:13:20.500Z","done":false,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":1,"total_characters":9,"elapsed_time":0.5,'
        '"words_per_second":4.0}}\n\n'
        'data: {"content":"ld","full_content":"Hello world","chunk_id":2,'
        '"timestamp":"2023-11-14T22:13:21.000Z","done":false,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":2,"total_characters":11,"elapsed_time":1.0,'
        '"words_per_second":2.0}}\n\n'
        'data: {"content":"","full_content":"Hello world","chunk_id":3,'
        '"timestamp":"2023-11-14T22:13:22.000Z","done":true,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":2,"total_characters":11,"elapsed_time":2.0,'
        '"words_per_second":1.0}}\n\n'
    )


def test_viewer_far_behind_gets_one_larger_piece_that_counts_as_many() -> None:
    first, end = events(said(*"x" * (MERGE_ABOVE + 1)))

    assert first["content"] == first["full_content"] == "x" * 65
    assert (first["chunk_id"], end["chunk_id"]) == (65, 66)
    assert first["streaming_stats"]["total_chunks"] == 65


@pytest.mark.parametrize("after", range(5))
def test_resume_goes_on_where_it_was(after: int) -> None:
    entries = timed("a", "b c", " ", "d")

    assert events(entries, after) == events(entries)[after:]


def test_clock_that_was_put_back_makes_no_negative_time() -> None:
    [event] = events([Entry(1, "text", "a", START - 5)])

    assert event["streaming_stats"]["elapsed_time"] == 0.0
    assert event["streaming_stats"]["words_per_second"] == 0.0


@given(WORDS, st.integers(0, 12))
def test_words_and_characters_are_those_of_the_whole_text(pieces: list[str], after: int) -> None:
    text = "".join(pieces)
    after = min(after, len(pieces))
    stats = events(said(*pieces), after)[-1]["streaming_stats"]

    assert stats["total_characters"] == len(text)
    assert stats["words_per_second"] == len(text.split()) / 2
    assert stats["total_chunks"] == len(pieces)


@given(WORDS)
def test_words_are_right_after_each_piece(pieces: list[str]) -> None:
    entries = [Entry(n, "text", one, START + 1) for n, one in enumerate(pieces, 1)]

    for event in events(entries):
        found = event["streaming_stats"]["words_per_second"]
        assert found == len(event["full_content"].split())


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more,streams", [({}, False), ({"stream": True}, True)])
def test_body_is_read(more: dict[str, Any], streams: bool) -> None:
    body = {"conversation": [{"role": "system", "content": "Be brief."}, *HI], "colour": 1}
    spoken = DIALECT.parse({**body, **more}, {})

    assert spoken.request == ChatRequest(
        text_parts("hi"),
        listed=False,
        history=(ProviderMessage("system", text_parts("Be brief.")),),
        names={"message": "conversation.1.content", "history": "conversation"},
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {}, streams)


def test_model_and_provider_are_optional() -> None:
    request = DIALECT.parse({"conversation": HI, "model": "m", "provider": "p"}, {}).request

    assert (request.model, request.provider) == ("m", "p")


@pytest.mark.parametrize(
    "change,field",
    [
        ({"conversation": None}, "conversation"),
        ({"conversation": []}, "conversation"),
        ({"conversation": {}}, "conversation"),
        ({"conversation": [{"role": "user"}]}, "conversation.0.content"),
        ({"conversation": [{"role": "robot", "content": "x"}]}, "conversation.0.role"),
        ({"conversation": [*HI, {"role": "user", "content": ""}]}, "conversation.1.content"),
        ({"conversation": [{"role": "user", "content": "\x00"}, *HI]}, "conversation.0.content"),
        ({"conversation": [{"role": "user", "content": "x" * 101}]}, "conversation.0.content"),
        ({"model": 1}, "model"),
        ({"provider": ["p"]}, "provider"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(change: dict[str, Any], field: str) -> None:
    assert set(refusal(DIALECT, {"conversation": HI, **change}).fields) == {field}
