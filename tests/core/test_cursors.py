"""Cursors: `<run_id>:<seq>`, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import format_cursor, parse_cursor, parse_seq, seq_of_run
from app.core.errors import BadCursor

BAD_SEQS = ["", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "x", "٣", "²", "1_000", "1" * 13]


@given(st.text(min_size=1), st.integers(0, 10**12 - 1))
def test_what_is_formatted_is_parsed_back(run_id: str, seq: int) -> None:
    assert parse_cursor(format_cursor(run_id, seq)) == (run_id, seq)


@pytest.mark.parametrize("text,seq", [("0", 0), ("7", 7), ("007", 7), ("9" * 12, 10**12 - 1)])
def test_number_is_a_seq(text: str, seq: int) -> None:
    assert parse_seq(text) == seq


@pytest.mark.parametrize("text", BAD_SEQS)
def test_anything_else_is_no_seq(text: str) -> None:
    with pytest.raises(BadCursor):
        parse_seq(text)


@pytest.mark.parametrize("text", ["", "7", ":", ":7", "run:", "run:x", "run:-1", "run: 1"])
def test_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        parse_cursor(text)


def test_cursor_of_the_run_gives_its_seq() -> None:
    assert seq_of_run("run-1:12", "run-1") == 12


def test_bare_number_counts_as_a_cursor_of_the_run() -> None:
    assert seq_of_run("12", "run-1") == 12


@pytest.mark.parametrize("text", ["run-2:12", "RUN-1:12", "run-1:1:2", "run-1", "run-1:"])
def test_cursor_of_another_run_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        seq_of_run(text, "run-1")
