"""Titles that are cut where a reader would, and texts that are found however they are written."""

from __future__ import annotations

import pytest

from app.core.messages import TITLE_LENGTH, searchable, title_from


@pytest.mark.parametrize(
    "text,title",
    [
        ("Hello", "Hello"),
        ("  two   words \nsecond line", "two words"),
        ("", ""),
        (" \n\t\n", ""),
        ("\nsecond", "second"),
        (" \r\n\u200b\n \u3000\n  third line\nfourth", "third line"),
        ("a\u2028b", "a"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "…"),
        ("word " * 20, "word " * 11 + "word…"),
    ],
)
def test_title_is_the_first_line_that_is_not_blank_cut_at_a_word(text: str, title: str) -> None:
    assert title_from(text) == title


CLUSTERS = {
    "a letter and its accent": "e\u0301",
    "an accent on an accent": "a\u0323\u0302",
    "Devanagari": "\u0915\u094d\u0937\u093f",
    "a keycap": "1\ufe0f\u20e3",
    "a skin tone": "\U0001f44d\U0001f3fd",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a flag": "\U0001f1e9\U0001f1ea",
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e007f",
    "Hangul in parts": "\u1112\u1161\u11ab",
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_title_is_never_cut_inside_of_a_character(cluster: str) -> None:
    size = len(cluster)
    for before in range(size + 1):
        title = title_from("x" * before + cluster * TITLE_LENGTH)
        assert title.endswith("…") and len(title) <= TITLE_LENGTH + 1
        shown = title.removesuffix("…").lstrip("x")
        assert shown == cluster * ((TITLE_LENGTH - before) // size)


def test_letter_with_too_many_accents_is_cut_where_it_must_be() -> None:
    assert title_from("e" + "\u0301" * 99) == "e" + "\u0301" * 59 + "…"


@pytest.mark.parametrize(
    "text,query",
    [
        ("Straße", "STRASSE"),
        ("Caf\u00e9", "cafe\u0301"),
        ("Cafe\u0301", "CAF\u00c9"),
        ("\uff34\uff41\uff4e\uff44\uff45\uff4d", "tandem"),
        ("of\ufb01ce", "office"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\uff76\uff9e", "\u30ac"),
        ("\u0130stanbul", "i\u0307stanbul"),
        ("ΌΣΟΣ", "όσος"),
    ],
)
def test_text_is_found_however_it_is_written(text: str, query: str) -> None:
    assert searchable(query) in searchable(text)
    assert searchable(text) in searchable(query)


def test_another_letter_is_not_found() -> None:
    assert searchable("cafe") not in searchable("Caf\u00e9")
