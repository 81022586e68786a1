"""Windows in a file: by the clock, for several processes, with what can happen to a file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.rates.sqlite import SWEEP_EVERY, SWEEP_ROWS, SqliteWindows
from app.rates.windows import CannotCount
from tests.support.clock import START, HandClock
from tests.support.manual import at_once
from tests.support.server import ROOT

# Tries until all have been counted or refused: who finds the file locked was neither.
HITTING = """
import sys
from app.rates.sqlite import SqliteWindows
from app.rates.windows import CannotCount
windows, taken, left = SqliteWindows(sys.argv[1]), 0, 50
while left:
    try:
        taken += windows.hit("stream/ann", 100, 3600)[0]
        left -= 1
    except CannotCount:
        pass
print(taken)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "tandem.db.rates")


@pytest.fixture
def windows(path: str, clock: HandClock) -> Iterator[SqliteWindows]:
    with closing(SqliteWindows(path, lambda: clock.wall)) as windows:
        yield windows


def rows(path: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM windows").fetchone()
    return int(count)


def test_window_moves(windows: SqliteWindows, clock: HandClock) -> None:
    def hit() -> tuple[bool, float, int]:
        has_room, since, used = windows.hit("stream/ann", 2, 60)
        return has_room, since - START, used

    assert hit() == (True, 0, 1)
    clock.advance(20)
    assert hit() == (True, 0, 2)
    clock.advance(40)
    assert hit() == (False, 0, 2)  # a minute ago is in it still
    clock.advance(0.5)
    assert hit() == (True, 20, 2)
    clock.advance(100)
    assert hit() == (True, 160.5, 1)


def test_clock_that_is_set_back_keeps_nobody_out(windows: SqliteWindows, clock: HandClock) -> None:
    windows.hit("stream/ann", 1, 60)
    clock.advance(-3600)

    assert windows.hit("stream/ann", 1, 60) == (True, START - 3600, 1)


def test_rate_that_was_lowered_refuses_until_there_is_room(windows: SqliteWindows) -> None:
    for _ in range(5):
        windows.hit("stream/ann", 5, 60)

    assert windows.hit("stream/ann", 2, 60) == (False, START, 5)


def test_what_counts_no_more_is_taken_away(
    windows: SqliteWindows, clock: HandClock, path: str
) -> None:
    for number in range(300):
        windows.hit(f"stream/{number}", 5, 60)
    clock.advance(61)
    for number in range(300 // SWEEP_ROWS * SWEEP_EVERY * 3):
        windows.hit(f"stream/late {number % 3}", 1000, 3600)

    assert rows(path) == 3


def test_processes_share_a_window(path: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", HITTING, path]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    taken = [json.loads(process.communicate()[0]) for process in processes]

    assert sum(taken) == 100


def test_window_outlives_its_process(windows: SqliteWindows, path: str, clock: HandClock) -> None:
    windows.hit("stream/ann", 1, 60)
    windows.close()
    with closing(SqliteWindows(path, lambda: clock.wall)) as later:
        assert later.hit("stream/ann", 1, 60) == (False, START, 1)


def test_lock_that_lasts_is_not_waited_for(windows: SqliteWindows, path: str) -> None:
    windows.hit("stream/ann", 2, 60)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CannotCount, match="locked"):
            windows.hit("stream/ann", 2, 60)
        other.execute("ROLLBACK")

    assert windows.hit("stream/ann", 2, 60) == (True, START, 2)


@pytest.mark.parametrize("content", [b"no database " * 1000, b""])
def test_file_that_is_none(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with closing(SqliteWindows(path)) as windows, pytest.raises(CannotCount):
        windows.hit("stream/ann", 2, 60)


def test_file_is_made_once_by_those_that_come_together(path: str) -> None:
    for number in range(20):
        made = [SqliteWindows(f"{path}-{number}") for _ in range(4)]
        hits = at_once(4, lambda n: made[n].hit("stream/ann", 3, 60))
        for one in made:
            one.close()
        assert sum(has_room for has_room, _, _ in hits) == 3


def test_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CannotCount):
        SqliteWindows(str(tmp_path / "none" / "tandem.db.rates")).hit("stream/ann", 2, 60)
