"""The pure parts of the benchmarks: pieces, framing, figures, tables. No server is started."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.figures import Spread, growth, is_straight, percentile, ratios, spread
from benchmarks.frames import (
    PING,
    TEXT,
    Dechunker,
    SseFrames,
    WebsocketFrames,
    socketio_event,
    socketio_name,
    websocket_frame,
)
from benchmarks.pieces import Ask, PieceCounter, find_ask, piece
from benchmarks.report import document, number, summary, table
from benchmarks.targets import Row, rows

CHUNKED = b"5\r\nhello\r\n7;x=y\r\n world!\r\n0\r\n\r\n"


def steady(us: float, p99: float) -> dict[str, Any]:
    figures = {"us_a_piece": us, "p50_ms": 1.0, "p99_ms": p99}
    first = {"p50": 2.0, "p99": 4.0}
    return {"clients": 2, "complete": 2, "window": figures, "whole": figures, "first_ms": first}


def results(**growths: Any) -> dict[str, Any]:
    """Return results as `run` returns them, of two rounds with Tandem at a quarter of FastAPI."""
    loads = ("turns", "first", "paced", "flat", "paced-ws", "flat-ws")
    return {
        "date": "2026-01-01",
        "quick": True,
        "rounds": 2,
        "machine": dict.fromkeys(("cpu", "cores", "kernel", "system", "python", "load"), "2"),
        "versions": {"tandem": "flask 3", "fastapi": "fastapi 0"},
        "skipped": {"litellm": "pip: No matching distribution"},
        "loads": {
            load: {
                "tandem": [steady(50, 3), steady(60, 9)],
                "fastapi": [steady(200, 6), steady(200, 6)],
            }
            for load in loads
        },
        "growth": growths,
    }


def test_an_ask_survives_the_way_through_a_body() -> None:
    for ask in (Ask(200, 20, 24), Ask(1, 0, 6), Ask(5, 2.5, 30, together=True)):
        before = "bench pieces=9 rate=9 size=9"
        body = json.dumps({"messages": [before, ask.to_text()]})
        assert find_ask(body.encode()) == ask


def test_a_body_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError):
        find_ask(b'{"messages":[]}')


def test_pieces_have_their_size_and_their_stamp() -> None:
    assert len(piece(7, 24, 123)) == 24
    assert len(piece(7, 6, 123)) == 6
    assert PieceCounter().feed(piece(0, 24, 123_456_789)) == [123_456_789]
    assert PieceCounter().feed(piece(0, 6, 123_456_789)) == [0]


def test_pieces_that_are_repeated_count_once() -> None:
    counter = PieceCounter()
    text = b"".join(piece(number, 24, 5) for number in range(3))
    assert counter.feed(text) == [5, 5, 5]
    assert counter.feed(text + piece(3, 24, 6)) == [6]
    assert (counter.count, counter.gap) == (4, False)


def test_a_missing_piece_is_a_gap() -> None:
    counter = PieceCounter()
    counter.feed(piece(0, 24, 1) + piece(2, 24, 1))
    assert (counter.count, counter.gap) == (1, True)


@pytest.mark.parametrize("cut", range(len(CHUNKED) + 1))
def test_chunks_are_read_wherever_they_are_cut(cut: int) -> None:
    reader = Dechunker()
    assert reader.feed(CHUNKED[:cut]) + reader.feed(CHUNKED[cut:]) == b"hello world!"
    assert reader.done


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_events_are_cut_after_the_last_whole_one(end: bytes) -> None:
    frames = SseFrames()
    assert frames.feed(b"data: 1" + end + b"data: 2" + end[:1]) == b"data: 1" + end
    assert frames.feed(end[1:]) == b"data: 2" + end


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_websocket_frames_of_every_length_are_read(size: int) -> None:
    masked = websocket_frame(b"x" * size)
    mask_at = masked.index(b"\0\0\0\0x") if size else len(masked) - 4
    served = bytes((masked[0], masked[1] & 0x7F)) + masked[2:mask_at] + masked[mask_at + 4 :]
    reader = WebsocketFrames()
    assert reader.feed(served[:3]) + reader.feed(served[3:]) == [(TEXT, b"x" * size)]


def test_several_websocket_frames_may_come_at_once() -> None:
    assert WebsocketFrames().feed(b"\x81\x01a\x89\x00\x81\x01b") == [
        (TEXT, b"a"),
        (PING, b""),
        (TEXT, b"b"),
    ]


def test_socketio_packets_are_told_apart() -> None:
    assert socketio_event("chat_stream", {"a": 1}, 0) == b'420["chat_stream", {"a": 1}]'
    assert socketio_name(b'42["chat_token",{"token":"x"}]') == b"chat_token"
    assert socketio_name(b'430[{"run_id":"x"}]') == b""


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = list(range(1, 101))
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50, 99)
    assert (percentile([7], 0.99), percentile([], 0.99)) == (7, 0)


def test_a_spread_is_the_median_with_its_range() -> None:
    assert spread([3, 1, None, 2]) == Spread(2, 1, 3, 3)
    assert spread([None]) is None


def test_a_ratio_is_of_two_figures_of_one_round() -> None:
    assert ratios([1, 4], [2, 2]) == Spread(1.25, 0.5, 2, 2)
    assert ratios([1, None], [0, 2]) is None


def test_growth_is_that_of_the_last_tenfold() -> None:
    assert growth([(1, 9.0), (10, 2.0), (100, 2.0)]) == 1
    assert growth([(10, 2.0), (50, 3.0), (100, 8.0)]) == 4
    assert growth([(1, 2.0), (100, 2.0)]) is None
    assert (is_straight(1.1), is_straight(2.0), is_straight(None)) == (True, False, False)


def test_a_row_says_by_how_much_it_was_met_or_missed() -> None:
    assert Row("x", 0.4, Spread(0.3, 0.3, 0.3, 1)).verdict == "met, 25% below"
    assert Row("x", 0.4, Spread(0.5, 0.5, 0.5, 1)).verdict == "**missed** by 25%"
    assert Row("x", 0, Spread(0, 0, 0, 1)).met
    assert Row("x", 0.4, None).verdict == "not measured"


def test_targets_are_ratios_of_the_same_run() -> None:
    first = rows(results())[0]
    assert first.measured == Spread(0.275, 0.25, 0.3, 2)
    assert first.verdict == "met, 31% below"


def test_viewers_are_compared_with_one_viewer_a_run() -> None:
    points = [{"size": 1, "us": 300.0}, {"size": 500, "us": 11.0}]
    row = next(row for row in rows(results(viewers=points)) if row.text.startswith("500 viewers"))
    assert row.measured == Spread(0.2, 0.2, 0.2, 1)


def test_tables_are_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert [number(value) for value in (0, 0.0123, 4.567)] == ["0", "0.0123", "4.57"]
    assert number(1234.5) == "1,234"


def test_the_page_has_targets_plots_and_what_was_skipped() -> None:
    crowd = [{"size": 5, "pieces_s": 4999, "p99_ms": 40, "cpu": 0.8, "complete": 9, "clients": 9}]
    page = document(results(crowd=crowd), [("x.svg", "A plot")])
    assert "![A plot](x.svg)" in page
    assert "skipped: pip: No matching distribution" in page
    assert "stays below 100 ms up to 4,999 pieces/s" in page
    assert "0.275 (0.25 to 0.3)" in summary(results())


def test_a_round_that_is_not_complete_counts_for_nothing() -> None:
    found = results()
    found["loads"]["paced"]["fastapi"][0]["complete"] = 1
    found["loads"]["flat"]["tandem"] = [{"trouble": ["cut"], "complete": 0, "clients": 2}] * 2
    paced, flat = (next(r for r in rows(found) if words in r.text) for words in ("20 p", "flat"))

    assert paced.measured == Spread(0.3, 0.3, 0.3, 1)
    assert flat.measured is None
