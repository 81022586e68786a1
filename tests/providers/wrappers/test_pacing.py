"""Pacing: pieces of some words, that join to the exact text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.wrappers.complete import paced, split_words

WORDS_AND_SPACE = st.text(st.sampled_from(" \n\tabé\u00a0\u2028.|"), max_size=80)


@given(st.one_of(st.text(), WORDS_AND_SPACE), st.integers(1, 6))
def test_pieces_join_to_the_exact_text(text: str, words: int) -> None:
    assert "".join(split_words(text, words)) == text


@given(st.one_of(st.text(), WORDS_AND_SPACE), st.integers(1, 6))
def test_no_piece_is_empty_or_has_too_many_words(text: str, words: int) -> None:
    for piece in split_words(text, words):
        assert piece
        assert len(piece.split()) <= words


@pytest.mark.parametrize(
    "text,pieces",
    [
        ("", []),
        ("   ", ["   "]),
        ("one", ["one"]),
        ("one two three", ["one two ", "three"]),
        ("  one\n\ntwo  three four ", ["  one\n\ntwo  ", "three four "]),
    ],
)
def test_piece_is_words_with_the_space_that_follows(text: str, pieces: list[str]) -> None:
    assert list(split_words(text, 2)) == pieces


def test_pause_is_between_pieces_only() -> None:
    pauses: list[float] = []

    assert list(paced("one two three", 1, 0.25, pauses.append)) == ["one ", "two ", "three"]
    assert pauses == [0.25, 0.25]


def test_first_piece_comes_at_once() -> None:
    pauses: list[float] = []

    assert next(paced("one two", 1, 0.25, pauses.append)) == "one "
    assert pauses == []


def test_no_delay_makes_no_pause() -> None:
    pauses: list[float] = []

    list(paced("one two three", 1, 0, pauses.append))
    assert pauses == []


def test_white_space_alone_takes_linear_time() -> None:
    assert list(split_words(" " * 1_000_000, 3)) == [" " * 1_000_000]
