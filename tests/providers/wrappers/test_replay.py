"""Replay gives what was recorded: the same pieces at the same times, and the same end."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidRequest
from app.core.run_errors import (
    RunError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRejected,
)
from app.core.usage import Usage
from app.providers.wrappers.recording import Recording, append_to
from app.providers.wrappers.replay import ReplayProvider
from app.runs.ports import ALIVE, Piece
from tests.support.clock import HandClock
from tests.support.kinds import mixed
from tests.support.samples import provider_request
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stopwatch import Stopwatch

HEAD = b'{"format":1,"provider":"x","model":"m","at":"","messages":[]}\n'
HI = b'[0.5,[["text","Hi"]]]\n'
END = b'{"end":"ok","offset_s":1.0}\n'

TOKENS = st.integers(0, 2**53)
PIECES = st.one_of(
    st.tuples(st.sampled_from(["text", "reasoning"]), st.text()),
    st.tuples(st.just("usage"), st.builds(Usage, TOKENS, TOKENS)),
    st.just((ALIVE, None)),
    st.tuples(st.just("status"), st.dictionaries(st.text(), st.integers() | st.text())),
)
BATCHES = st.lists(st.tuples(st.floats(0, 5), st.lists(PIECES, min_size=1, max_size=4)), max_size=8)
ERRORS = st.sampled_from([None, *RunError.__subclasses__()])


def save(folder: Path, *lines: bytes, name: str = "one", age_s: float = 0) -> None:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(lines))
    os.utime(path, (1e9 - age_s, 1e9 - age_s))


def play(
    folder: Path | str, model: str = "latest", speed: float = 1.0, watch: Stopwatch | None = None
) -> list[Piece]:
    watch = watch or Stopwatch()
    provider = ReplayProvider(str(folder), watch.sleep, watch.monotonic, speed)
    stream = provider.stream(replace(provider_request(), model=model))
    return [piece for batch in stream for piece in batch]


def record(folder: str, clock: HandClock, *steps: Any) -> tuple[list[Any], RunError | None]:
    """Return the batches and the error of a stream that is recorded into the folder."""
    scripted = ScriptedProvider()
    scripted.enqueue(*steps)
    batches = []
    try:
        for batch in Recording(scripted, folder, clock.clock, append_to).stream(provider_request()):
            batches.append((clock.monotonic, list(batch)))
    except RunError as error:
        return batches, error
    return batches, None


@given(BATCHES, ERRORS)
def test_replay_gives_what_was_recorded(
    script: list[tuple[float, list[Piece]]], error: type[RunError] | None
) -> None:
    clock = HandClock()
    steps: list[Any] = []
    for pause_s, batch in script:
        steps += [lambda pause_s=pause_s: clock.advance(pause_s), batch]
    with TemporaryDirectory() as folder:
        recorded, failed = record(folder, clock, *steps, *([error()] if error else []))

        watch = Stopwatch()
        replayed: list[Any] = []
        stream = ReplayProvider(folder, watch.sleep, watch.monotonic).stream(
            replace(provider_request(), model="latest")
        )
        raised = None
        try:
            for batch in stream:
                replayed.append((watch.monotonic(), batch))
        except RunError as caught:
            raised = caught
    assert [batch for _, batch in replayed] == [batch for _, batch in recorded]
    times = [at for at, _ in recorded]
    assert [at for at, _ in replayed] == pytest.approx(times, abs=1e-5)
    assert type(raised) is type(failed)


@pytest.mark.parametrize("speed,sleeps", [(1.0, [0.5, 0.5]), (10.0, [0.05, 0.05]), (0.0, [])])
def test_speed_is_a_factor(tmp_path: Path, speed: float, sleeps: list[float]) -> None:
    save(tmp_path, HEAD, HI, END)
    watch = Stopwatch()

    assert play(tmp_path, speed=speed, watch=watch) == [("text", "Hi")]
    assert watch.sleeps == pytest.approx(sleeps)


def test_slow_reader_does_not_add_up(tmp_path: Path) -> None:
    save(tmp_path, HEAD, HI, HI, END)
    watch = Stopwatch()
    provider = ReplayProvider(str(tmp_path), watch.sleep, watch.monotonic)
    for _ in provider.stream(replace(provider_request(), model="one")):
        watch.clock.advance(0.3)

    assert watch.sleeps == [0.5]
    assert watch.monotonic() == pytest.approx(101.1)


def test_model_is_the_name_of_a_file(tmp_path: Path) -> None:
    for name, age_s in (("old", 1), ("new", 0), ("older", 2)):
        save(tmp_path, HEAD, HI.replace(b"Hi", name.encode()), END, name=name, age_s=age_s)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "folder.jsonl").mkdir()

    watch = Stopwatch()
    assert ReplayProvider(str(tmp_path), watch.sleep, watch.monotonic).models() == [
        *("new", "old", "older")
    ]
    assert play(tmp_path, "older") == [("text", "older")]
    assert play(tmp_path, "latest") == [("text", "new")]


@pytest.mark.parametrize(
    "model", ["", "two", "../one", "sub/one", "/etc/passwd", "one.jsonl", "one\0", ".", "x" * 9999]
)
def test_no_other_name_is_opened(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    save(folder, HEAD, HI, END)
    save(tmp_path, HEAD, HI, END)
    watch = Stopwatch()

    with pytest.raises(UpstreamRejected):
        play(folder, model)
    with pytest.raises(InvalidRequest) as refused:
        ReplayProvider(str(folder), watch.sleep, watch.monotonic).check(model)
    assert refused.value.fields == {"model": "must be the name of a recording, one of latest, one"}


def test_known_names_pass_the_check(tmp_path: Path) -> None:
    save(tmp_path, HEAD, HI, END)
    watch = Stopwatch()
    provider = ReplayProvider(str(tmp_path), watch.sleep, watch.monotonic)
    provider.check("one")
    provider.check("latest")


@pytest.mark.parametrize("folder", [".", "absent"])
def test_without_recordings_there_is_nothing_to_ask_for(tmp_path: Path, folder: str) -> None:
    watch = Stopwatch()
    with pytest.raises(InvalidRequest):
        ReplayProvider(str(tmp_path / folder), watch.sleep, watch.monotonic).check("latest")
    with pytest.raises(UpstreamRejected):
        play(tmp_path / folder)


def test_recorded_error_comes_with_its_wait(tmp_path: Path) -> None:
    save(tmp_path, HEAD, b'{"end":"upstream_rate_limited","offset_s":2.5,"retry_after_s":3}\n')
    watch = Stopwatch()
    with pytest.raises(UpstreamRateLimited) as raised:
        play(tmp_path, watch=watch)

    assert raised.value.retry_after_s == 3
    assert watch.sleeps == [2.5]


@given(st.data())
def test_file_that_is_cut_is_incomplete(data: st.DataObject) -> None:
    whole = HEAD + HI + HI + END
    cut = data.draw(st.integers(0, len(whole) - 2))
    with TemporaryDirectory() as folder:
        save(Path(folder), whole[:cut])
        with pytest.raises(UpstreamIncomplete):
            play(folder)


def test_stream_that_was_closed_by_us_is_incomplete(tmp_path: Path) -> None:
    save(tmp_path, HEAD, HI, b'{"end":"closed","offset_s":0.5}\n')
    with pytest.raises(UpstreamIncomplete):
        play(tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        b"hello\n",
        b'{"format":2}\n' + END,
        b"[]\n" + END,
        HEAD + b"\xff\n" + END,
        HEAD + b"[" * 100_000 + b"\n" + END,
        HEAD + b"null\n" + END,
        HEAD + b"[1,2,3]\n" + END,
        HEAD + b"[-1,[]]\n" + END,
        HEAD + b"[NaN,[]]\n" + END,
        HEAD + b"[1e999,[]]\n" + END,
        HEAD + b"[true,[]]\n" + END,
        HEAD + b'[0,[["end",{}]]]\n' + END,
        HEAD + b'[0,[["text",7]]]\n' + END,
        HEAD + b'[0,[["text","\\ud800"]]]\n' + END,
        HEAD + b'[0,[[["text"],"x"]]]\n' + END,
        HEAD + b'[0,[["text"]]]\n' + END,
        HEAD + b'[0,[["usage",{"input_tokens":-1,"output_tokens":0,"source":""}]]]\n' + END,
        HEAD + b'[0,[["usage",{}]]]\n' + END,
        HEAD + b'{"end":7}\n',
        HEAD + b'{"end":"ok","offset_s":"soon"}\n',
    ],
)
def test_broken_file_is_malformed(tmp_path: Path, lines: bytes) -> None:
    save(tmp_path, lines)
    with pytest.raises(UpstreamMalformed):
        play(tmp_path)


def test_deadline_goes_through(tmp_path: Path) -> None:
    save(tmp_path, HEAD, HI, END)
    watch = Stopwatch()
    provider = ReplayProvider(str(tmp_path), watch.sleep, watch.monotonic)
    request = replace(provider_request(), model="one")
    stream = provider.stream(request)
    with pytest.raises(TimeoutError), watch.deadline(0.1):
        next(stream)
    assert request.upstream.was_closed is True


def test_what_a_recorded_stream_ends_with_is_its_own_affair(tmp_path: Path) -> None:
    clock = HandClock()
    record(str(tmp_path), clock, "Hi", STOP)

    assert play(tmp_path) == [("text", "Hi"), STOP]


def test_pieces_of_every_kind_are_recorded_and_replayed(
    scripted: ScriptedProvider, clock: HandClock, tmp_path: Path
) -> None:
    pieces = [(entry.kind, entry.data) for entry in mixed(40)[:-1]]
    scripted.enqueue(pieces, STOP)
    recording = Recording(scripted, str(tmp_path), clock.clock, append_to)
    recorded = [piece for batch in recording.stream(provider_request()) for piece in batch]

    assert recorded == play(tmp_path)
    assert recorded[: len(pieces)] == pieces
