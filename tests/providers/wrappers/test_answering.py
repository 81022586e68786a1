"""Who answers in the place of another is told right before its first word."""

from __future__ import annotations

import pytest

from app.core.run_errors import UpstreamAuth, UpstreamError
from app.runs.ports import ALIVE, Piece
from tests.providers.wrappers.chain import FAILURES, REPLY, Chain, answering, retrying


def test_fallback_is_named_before_its_first_word() -> None:
    chain = Chain("ab")
    chain.script("a", UpstreamAuth())
    steps = [(ALIVE, None), ("status", {"status": "thinking"}), "Hi", ("finish", "stop")]
    chain.script("b", steps)

    assert chain.ask() == [
        *(retrying(2, "b"), (ALIVE, None), ("status", {"status": "thinking"})),
        *(answering("b"), ("text", "Hi"), ("finish", "stop")),
    ]


@pytest.mark.parametrize("piece", [("reasoning", "hm"), ("finish", "content_filter")])
def test_thought_or_end_is_an_answer_too(piece: Piece) -> None:
    chain = Chain("ab")
    chain.script("a", UpstreamAuth())
    chain.script("b", [piece, ("finish", "stop")])

    assert chain.ask()[1:3] == [answering("b"), piece]


def test_fallback_is_named_where_nothing_failed_in_this_run() -> None:
    chain = Chain("ab")
    for _ in range(FAILURES):
        chain.script("a", UpstreamAuth())
        chain.ask()

    assert chain.ask() == [answering("b"), *REPLY]
    assert chain.asked == ["b"]


def test_who_was_asked_is_not_named_after_its_retries_either() -> None:
    chain = Chain("ab")
    chain.script("a", UpstreamError())

    assert chain.ask() == [retrying(2, "a"), *REPLY]


def test_who_failed_too_is_not_named() -> None:
    chain = Chain("abc")
    chain.script("a", UpstreamAuth())
    chain.script("b", UpstreamAuth())

    assert chain.ask() == [retrying(2, "b"), retrying(3, "c"), answering("c"), *REPLY]
