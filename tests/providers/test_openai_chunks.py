"""Chunks of an OpenAI-compatible stream: real wire bytes in, pieces out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.run_errors import UpstreamError, UpstreamMalformed
from app.core.usage import Usage
from app.providers.openai.chunks import CompletionChunks
from app.providers.wire.chunks import MAX_TOKENS
from app.runs.ports import Piece


def chunk(finish_reason: Any = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()


def pieces_of(*events: bytes) -> list[Piece]:
    return CompletionChunks().pieces(events)


def test_content_is_text() -> None:
    events = [chunk(role="assistant", content=""), chunk(content="Hé"), chunk(content=" you")]

    assert pieces_of(*events) == [("text", "Hé"), ("text", " you")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_goes_by_two_names(field: str) -> None:
    assert pieces_of(chunk(content="a", **{field: "hm"})) == [("reasoning", "hm"), ("text", "a")]


@pytest.mark.parametrize(
    "upstream,ours",
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
    ],
)
def test_finish_reason_is_one_of_ours(upstream: str, ours: str) -> None:
    chunks = CompletionChunks()
    assert not chunks.finished

    assert chunks.pieces([chunk(upstream, content="a")]) == [("text", "a"), ("finish", ours)]
    assert chunks.finished


def test_usage_comes_without_choices() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}

    assert pieces_of(json.dumps({"choices": [], "usage": usage}).encode()) == [
        ("usage", Usage(7, 3))
    ]


def test_nothing_counts_after_done() -> None:
    chunks = CompletionChunks()

    assert chunks.pieces([chunk(content="a"), b"[DONE]", b"rubbish"]) == [("text", "a")]
    assert chunks.done


@pytest.mark.parametrize("error", ["overloaded", {"message": "the key is sk-secret", "code": 500}])
def test_error_object_is_an_upstream_error(error: Any) -> None:
    with pytest.raises(UpstreamError) as failed:
        pieces_of(json.dumps({"error": error}).encode())
    assert "sk-secret" not in failed.value.message


MALFORMED = [
    b"{",
    b'{"choices": oops}',
    b'{"a": ' * 100_000,
    b'{"choices": 1}',
    b'{"choices": {"a": 1}}',
    b'{"choices": ["a"]}',
    b'{"choices": [{"delta": "a"}]}',
]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: data[:50].decode("latin-1"))
def test_chunk_that_cannot_be_read_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        pieces_of(data)


def test_usage_at_the_limit_is_taken() -> None:
    data = b'{"usage": {"prompt_tokens": %d}}' % MAX_TOKENS

    assert pieces_of(data) == [("usage", Usage(MAX_TOKENS, 0))]


@pytest.mark.parametrize("data", [b"{}", b'{"choices": []}', b'{"choices": [{}]}', b'{"usage":{}}'])
def test_chunk_that_says_nothing_brings_nothing(data: bytes) -> None:
    assert pieces_of(data) == []


def test_surrogate_pair_is_joined_within_a_chunk() -> None:
    assert pieces_of(chunk(content="a🙂")) == [("text", "a🙂")]  # json.dumps escapes it as a pair


def test_surrogate_pair_is_joined_across_chunks() -> None:
    chunks = CompletionChunks()

    assert chunks.pieces([chunk(content="a\ud83d")]) == [("text", "a")]
    assert chunks.pieces([chunk(content="\ude42b")]) == [("text", "🙂b")]


def test_half_a_pair_alone_waits_for_the_other() -> None:
    assert pieces_of(chunk(content="\ud83d"), chunk(content="\ude42")) == [("text", "🙂")]


@pytest.mark.parametrize("text", ["\ude42", "a\ude42"])
def test_second_half_without_a_first_is_replaced(text: str) -> None:
    assert pieces_of(chunk(content=text)) == [("text", text.replace("\ude42", "\ufffd"))]


def test_first_half_at_the_end_is_replaced() -> None:
    assert pieces_of(chunk(content="a\ud83d"), chunk("stop")) == [
        ("text", "a"),
        ("text", "\ufffd"),
        ("finish", "stop"),
    ]


def test_first_half_followed_by_other_text_is_replaced() -> None:
    assert pieces_of(chunk(content="\ud83d"), chunk(content="b")) == [("text", "\ufffdb")]
