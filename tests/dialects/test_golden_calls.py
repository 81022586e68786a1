"""Calls in every dialect, to the last byte; where there is no place for them, as if there were
none."""

from __future__ import annotations

import pytest

from app.core.entries import END, TEXT, Entry
from tests.dialects.golden import Golden
from tests.dialects.golden_calls import CALLED, CALLS, RAN
from tests.dialects.speech import reply_of, streamed
from tests.dialects.test_conformance import GOLDEN

LOGS = {"called": CALLED, "ran": RAN}
each_log = pytest.mark.parametrize("log", LOGS)


def without_calls(entries: list[Entry]) -> list[Entry]:
    kept = [entry for entry in entries if entry.kind in {TEXT, END}]
    return [entry._replace(seq=seq) for seq, entry in enumerate(kept, 1)]


@each_log
@pytest.mark.parametrize("name", CALLS)
def test_calls_are_what_is_written_down(name: str, log: str) -> None:
    assert streamed(GOLDEN[name].dialect, LOGS[log]) == getattr(CALLS[name], log)


@each_log
@pytest.mark.parametrize("name", [name for name in GOLDEN if name not in CALLS])
def test_without_a_place_there_are_none(name: str, log: str) -> None:
    row: Golden = GOLDEN[name]

    entries = LOGS[log]
    assert streamed(row.dialect, entries) == streamed(row.dialect, without_calls(entries))


@each_log
@pytest.mark.parametrize("name", GOLDEN)
def test_calls_come_out_the_same_one_by_one(name: str, log: str) -> None:
    entries, dialect = LOGS[log], GOLDEN[name].dialect
    encoder = dialect.encoder(reply_of(entries), 0, {})
    single = encoder.opening + b"".join(encoder.encode([entry]) for entry in entries)
    assert (single + encoder.close()).decode() == streamed(dialect, entries)
