"""The run log: appending, and reading back the same at every cursor, packed or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import Entry, content_of, folded, texts_of
from app.core.errors import BadCursor, LogReset
from app.runs.log import PACK_AT, READ_LIMIT, RunLog
from tests.support import kinds
from tests.support.clock import START
from tests.support.samples import end_entry, texts

KINDS = ("text", "reasoning", "text", "status", "text")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SIZES = [0, 1, PACK_AT - 1, PACK_AT, PACK_AT + 1, 2 * PACK_AT - 1, 2 * PACK_AT, 3 * PACK_AT + 7]


def mixed(count: int, ended: bool) -> list[Entry]:
    """Return entries of all kinds; times are exact in binary, as packing keeps milliseconds."""
    entries = []
    for seq in range(1, count + 1):
        kind = KINDS[seq % len(KINDS)]
        data = {"step": seq, "note": "ü"} if kind == "status" else f"{seq}é "
        entries.append(Entry(seq, kind, data, START + seq / 8))
    return [*entries, end_entry(count + 1)] if ended else entries


def text_of(entries: list[Entry]) -> str:
    return "".join(entry.data for entry in entries if entry.kind == "text")


def log_of(entries: list[Entry], step: int = 100) -> RunLog:
    """Return a log that got these entries in several batches."""
    log = RunLog()
    for start in range(0, len(entries), step):
        log.append(entries[start : start + step])
    return log


def all_since(log: RunLog, after: int) -> list[Entry]:
    """Return what a reader gets in as many reads as it takes."""
    found = []
    while batch := log.since(after):
        assert len(batch) <= READ_LIMIT
        found += batch
        after = batch[-1].seq
    return found


def test_new_log_is_empty_and_goes_on() -> None:
    log = RunLog()

    assert (log.last_seq, log.end, log.since(0), log.text()) == (0, None, [], "")


def test_appended_entries_are_read_in_order() -> None:
    log = RunLog(texts("a", "b"))
    log.append(texts("c", first=3))

    assert log.since(0) == texts("a", "b", "c")
    assert log.text() == "abc"


@pytest.mark.parametrize("seq", [0, 1, 2, 4, 9])
def test_entry_that_does_not_follow_is_refused(seq: int) -> None:
    log = RunLog(texts("a", "b"))

    with pytest.raises(ValueError, match=f"entry {seq} does not follow 2"):
        log.append(texts("x", first=seq))


def test_gap_within_a_batch_is_refused() -> None:
    with pytest.raises(ValueError):
        RunLog([*texts("a"), *texts("c", first=3)])


def test_nothing_is_taken_after_the_end() -> None:
    log = RunLog([*texts("a"), end_entry(2)])

    with pytest.raises(ValueError):
        log.append(texts("late", first=3))
    with pytest.raises(ValueError):
        log.append([end_entry(3)])
    assert log.end == end_entry(2)
    assert log.last_seq == 2


def test_log_of_an_end_alone_gives_it() -> None:
    log = RunLog([end_entry(1)])

    assert log.since(0) == [end_entry(1)]
    assert log.since(1) == []


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_every_cursor_gives_the_tail(size: int, ended: bool) -> None:
    entries = mixed(size, ended)
    log = log_of(entries)

    for after in range(len(entries) + 1):
        assert log.since(after) == entries[after:]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_every_cursor_gives_text_and_count_so_far(size: int, ended: bool) -> None:
    entries = mixed(size, ended)
    log = log_of(entries)

    for upto in range(len(entries) + 1):
        said = entries[:upto]
        assert log.text(upto) == text_of(said)
        assert log.text_count(upto) == sum(entry.kind == "text" for entry in said)
    assert log.text() == text_of(entries)


@pytest.mark.parametrize("start", [0, 1, PACK_AT - 1, PACK_AT, 2 * READ_LIMIT + 9])
def test_reader_far_behind_is_served_in_bounded_steps(start: int) -> None:
    entries = mixed(3 * READ_LIMIT, True)

    assert all_since(log_of(entries, 1000), start) == entries[start:]


def test_packing_keeps_times_to_the_millisecond() -> None:
    at = [START, START + 0.0015, START + 59.9999]
    log = RunLog(Entry(i + 1, "text", "x", at[min(i, 2)]) for i in range(PACK_AT))
    log.append([end_entry(PACK_AT + 1)])

    for entry, written in zip(log.since(0), at, strict=False):
        assert abs(entry.at - written) <= 0.001


def test_clock_that_goes_back_does_not_harm_packing() -> None:
    log = RunLog(Entry(seq, "text", "x", START - seq) for seq in range(1, PACK_AT + 1))
    log.append([end_entry(PACK_AT + 1)])

    assert [entry.at for entry in log.since(0)][:2] == [START - 1, START - 1]
    assert log.text() == "x" * PACK_AT


def test_cursor_ahead_of_the_log_is_refused() -> None:
    log = RunLog(texts("a", "b"))

    log.check(0)
    log.check(2)
    with pytest.raises(BadCursor):
        log.check(3)


def test_reads_are_copies() -> None:
    log = RunLog(texts("a"))
    log.since(0).clear()

    assert log.since(0) == texts("a")


@given(
    st.lists(st.integers(1, 300), max_size=8),
    st.booleans(),
    st.floats(0, 1),
)
def test_any_batches_and_any_cursor_give_the_tail(
    sizes: list[int], ended: bool, part: float
) -> None:
    entries = mixed(sum(sizes), ended)
    log, start = RunLog(), 0
    for size in [*sizes, int(ended)]:
        log.append(entries[start : start + size])
        start += size
    after = int(part * len(entries))

    assert all_since(log, after) == entries[after:]
    assert log.text(after) == text_of(entries[:after])


@given(st.lists(ANY_TEXT, max_size=20), st.integers(1, PACK_AT))
def test_any_unicode_is_kept(pieces: list[str], times: int) -> None:
    said = pieces * times
    log = RunLog(texts(*said))
    log.append([end_entry(len(said) + 1)])

    assert log.text() == "".join(said)
    assert text_of(all_since(log, len(said) // 2)) == "".join(said[len(said) // 2 :])


@pytest.mark.parametrize("step", [1, 100, 2000])
def test_log_of_all_kinds_reads_back_the_same_from_every_cursor(step: int) -> None:
    entries = kinds.mixed(2000)
    log = log_of(entries, step)

    for after in (*range(0, 2000, 97), 1998, 1999):
        assert log.since(after) == entries[after : after + READ_LIMIT]
    assert log.text() == "".join(texts_of(entries))
    assert log.text_count(2000) == len(texts_of(entries))
    assert log.content() == content_of(entries)


def test_folded_log_of_many_kinds_takes_no_cursor_that_meant_something_else() -> None:
    entries = kinds.mixed(60)
    log = RunLog(folded(entries))

    for after in range(1, 59):
        with pytest.raises(LogReset):
            log.check(after)
    for after in (0, 59, 60):
        log.check(after)
    assert log.since(59) == entries[59:]
    assert content_of(log.since(0)) == content_of(entries)
