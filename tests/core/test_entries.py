"""The table of kinds: a log of all of them is folded and becomes a message without a loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import BY_CODE, END, KINDS, Entry, content_of, cut, folded, joined
from tests.support.kinds import entry_of, mixed


def test_no_two_kinds_share_a_code() -> None:
    assert len(BY_CODE) == len(KINDS)
    assert all(0 < code < 256 for code in BY_CODE)


@pytest.mark.parametrize("name", KINDS)
def test_data_of_every_kind_packs_and_unpacks(name: str) -> None:
    kind = KINDS[name]
    data = entry_of(name, 7).data

    assert kind.unpack(kind.pack(data)) == data
    assert kind.size(data) == len(kind.pack(data)) or kind.is_text


def test_folding_keeps_what_survives_in_order_and_the_numbers_end_as_they_did() -> None:
    entries = mixed(2000)
    kept = folded(entries)

    assert [entry.seq for entry in kept] == list(range(2001 - len(kept), 2001))
    assert kept[-1] == entries[-1]
    assert all(KINDS[entry.kind].survives_folding for entry in kept)
    assert content_of(kept) == content_of(entries)
    surviving = [entry for entry in entries if KINDS[entry.kind].survives_folding]
    not_text = [(e.kind, e.data) for e in surviving if not KINDS[e.kind].is_text]
    assert [(e.kind, e.data) for e in kept if not KINDS[e.kind].is_text] == not_text


@given(st.lists(st.sampled_from(sorted(KINDS.keys() - {END})), max_size=40))
def test_joined_entries_say_what_the_single_ones_do(names: list[str]) -> None:
    entries = [entry_of(name, seq) for seq, name in enumerate(names, 1)]
    pairs = list(joined(entries))

    assert sum(count for _, count in pairs) == len(entries)
    assert content_of(entry for entry, _ in pairs) == content_of(entries)
    seqs = [entry.seq for entry, _ in pairs]
    assert seqs == sorted(seqs) and seqs[-1:] == [len(entries)] * bool(entries)


def test_neighbours_of_a_part_become_one() -> None:
    kinds = ["text", "status", "text", "reasoning", "refusal", "refusal", "text"]
    entries = [Entry(seq, kind, str(seq), 0.0) for seq, kind in enumerate(kinds, 1)]

    assert content_of(entries) == (
        {"type": "text", "text": "13"},
        {"type": "refusal", "text": "56"},
        {"type": "text", "text": "7"},
    )


@given(st.text(st.sampled_from("aé€😀\n"), max_size=60), st.integers(4, 20))
def test_a_text_is_cut_into_whole_characters(text: str, most: int) -> None:
    parts = list(cut(text, most))

    assert "".join(parts) == text
    assert all(0 < len(part.encode()) <= most for part in parts)
    # Each but the last is as long as the next character allows.
    assert all(len(part.encode()) > most - 4 for part in parts[:-1])
