"""Recordings: one file a stream, whatever happens; and never at the stream's cost."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.messages import ProviderMessage, text_parts
from app.core.run_errors import UpstreamRateLimited
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.providers.wrappers.recording import FLUSH_BYTES, FLUSH_S, Append, Recording, append_to
from app.runs.ports import Piece
from tests.support.clock import HandClock
from tests.support.samples import provider_request
from tests.support.scripted import STOP, ScriptedProvider

SECRET = "sk-secret"


class Disk:
    """Keeps what is appended in memory; fails while it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.writes = 0
        self.full = False

    def append(self, path: str, data: bytes) -> None:
        self.writes += 1
        if self.full:
            raise OSError(28, "No space left on device")
        self.files[path] = self.files.get(path, b"") + data


@pytest.fixture
def disk() -> Disk:
    return Disk()


def recording(
    scripted: ScriptedProvider, clock: HandClock, append: Append, directory: str = "/recordings"
) -> Recording:
    return Recording(scripted, directory, clock.clock, append)


def play(provider: Recording, request: ProviderRequest | None = None) -> list[Piece]:
    return [piece for batch in provider.stream(request or provider_request()) for piece in batch]


def lines_of(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def only(disk: Disk) -> list[Any]:
    (data,) = disk.files.values()
    return lines_of(data)


def test_it_is_the_provider_in_all_else(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    provider = recording(scripted, clock, disk.append)
    scripted.enqueue([("reasoning", "hm"), ("text", "Hi")], ("usage", Usage(1, 2)), STOP)

    assert (provider.name, provider.default_model) == ("scripted", "scripted-1")
    assert play(provider) == [("reasoning", "hm"), ("text", "Hi"), ("usage", Usage(1, 2)), STOP]


def test_file_has_the_request_the_batches_with_their_times_and_the_end(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    scripted.enqueue(lambda: clock.advance(0.25), [("text", "Hi"), ("usage", Usage(1, 2))], STOP)
    messages = (ProviderMessage("user", text_parts("hé")),)
    play(recording(scripted, clock, disk.append), ProviderRequest(messages, "m-1", 0.5, 9))

    usage = {"input_tokens": 1, "output_tokens": 2, "source": "reported"}
    assert only(disk) == [
        {
            "format": 1,
            "provider": "scripted",
            "model": "m-1",
            "at": "2023-11-14T22:13:20Z",
            "temperature": 0.5,
            "max_tokens": 9,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hé"}]}],
        },
        [0.25, [["text", "Hi"], ["usage", usage]]],
        [0.25, [["finish", "stop"]]],
        {"end": "ok", "offset_s": 0.25},
    ]


def test_name_is_the_date_and_nothing_of_a_client(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    provider = recording(scripted, clock, disk.append)
    for _ in range(2):
        play(provider, ProviderRequest((), "../../etc/passwd"))
    names = [path.removeprefix("/recordings/20231114T221320Z-") for path in disk.files]

    assert len(set(names)) == 2
    assert all(len(name) == 16 + len(".jsonl") and "/" not in name for name in names)


def test_error_is_recorded_and_raised(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    scripted.enqueue("Hi", UpstreamRateLimited(retry_after_s=3))
    with pytest.raises(UpstreamRateLimited):
        play(recording(scripted, clock, disk.append))

    end = {"end": "upstream_rate_limited", "offset_s": 0.0, "retry_after_s": 3}
    assert only(disk)[-1] == end


@pytest.mark.parametrize(
    "error,code", [(TimeoutError(), "upstream_timeout"), (KeyError("x"), "internal_error")]
)
def test_other_errors_have_a_code_too(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk, error: Exception, code: str
) -> None:
    scripted.enqueue(error)
    with pytest.raises(type(error)):
        play(recording(scripted, clock, disk.append))

    assert only(disk)[-1]["end"] == code


def test_stream_that_is_closed_says_so(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    stream = recording(scripted, clock, disk.append).stream(provider_request())
    next(stream)
    stream.close()

    assert scripted.closed == 1
    assert only(disk)[-1]["end"] == "closed"


def test_writes_are_few(scripted: ScriptedProvider, clock: HandClock, disk: Disk) -> None:
    scripted.enqueue(*["x" * 100] * 50, STOP)
    play(recording(scripted, clock, disk.append))
    assert disk.writes == 1

    scripted.enqueue("x" * FLUSH_BYTES, "x", lambda: clock.advance(FLUSH_S), "y", STOP)
    play(recording(scripted, clock, disk.append))
    assert disk.writes == 4


def test_disk_that_fails_costs_nothing_but_the_recording(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    provider = recording(scripted, clock, disk.append)
    disk.full = True
    for _ in range(3):
        assert play(provider)[-1] == STOP
    assert disk.writes == 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text

    disk.full = False
    play(provider)
    assert only(disk)[-1]["end"] == "ok"


def test_after_a_failed_write_there_is_no_file_with_a_gap(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    def fill() -> None:
        disk.full = True

    def empty() -> None:
        disk.full = False

    big = "x" * FLUSH_BYTES
    scripted.enqueue(big, fill, big, empty, big, STOP)
    play(recording(scripted, clock, disk.append))

    assert [len(line) for line in only(disk)] == [7, 2]


def test_data_that_json_lacks_ends_the_recording_only(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.enqueue("Hi", ("status", {"x": object()}), STOP)

    assert len(play(recording(scripted, clock, disk.append))) == 3
    assert len(only(disk)) == 2
    assert "cannot be recorded" in caplog.text


def test_no_key_and_no_header_is_in_the_file(
    scripted: ScriptedProvider, clock: HandClock, disk: Disk
) -> None:
    scripted.api_key = SECRET  # type: ignore[attr-defined]  # as a provider has one
    play(recording(scripted, clock, disk.append))

    assert all(SECRET.encode() not in data for data in disk.files.values())
    assert set(only(disk)[0]) == {
        *("format", "provider", "model", "at", "temperature", "max_tokens", "messages")
    }


def test_folder_and_files_are_for_us_alone(
    scripted: ScriptedProvider, clock: HandClock, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "recordings"
    play(recording(scripted, clock, append_to, str(folder)))
    (file,) = folder.iterdir()

    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert lines_of(file.read_bytes())[-1]["end"] == "ok"


def test_folder_that_cannot_be_made_costs_nothing(
    scripted: ScriptedProvider, clock: HandClock, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    assert play(recording(scripted, clock, append_to, os.fspath(tmp_path / "file" / "x")))
