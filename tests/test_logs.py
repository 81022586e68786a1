"""What log lines look like, and what is taken out of them."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.logs import PLACE, QUIET, JsonLines, Readable, RotatedFile, redact, set_up_logs
from tests.support.options import LogOptions

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl-_x"


def record(message: str, *args: Any, error: bool = False, **extra: Any) -> logging.LogRecord:
    exc_info = sys.exc_info() if error else None
    made = logging.LogRecord("tandem", logging.INFO, "file", 1, message, args, exc_info)
    vars(made).update(extra)
    return made


@pytest.mark.parametrize(
    "line, wanted",
    [
        (f"Authorization: Bearer {JWT}", f"Authorization: Bearer {PLACE}"),
        ("authorization: bearer abc.def", f"authorization: bearer {PLACE}"),
        (f"{{'token': '{JWT}'}}", f"{{'token': '{PLACE}'}}"),
        (f"GET /{JWT} 404", f"GET /{PLACE} 404"),
        (JWT.rsplit(".", 1)[0] + ".", PLACE),
        ("key sk-abcDEF123-_x.", f"key {PLACE}."),
        ("key sk-proj-abc123,", f"key {PLACE},"),
        ("http://user:secret@host:1/v1", f"http://{PLACE}@host:1/v1"),
        ("http://:secret@host/", f"http://{PLACE}@host/"),
        ("http://token@host/", f"http://{PLACE}@host/"),
        ("http://user:p@ss:w@host/", f"http://{PLACE}@host/"),
        ("/x?a=1&token=abc&b=2", f"/x?a=1&token={PLACE}&b=2"),
        ("/x?api_key=abc", f"/x?api_key={PLACE}"),
        ("/x?TOKEN=abc", f"/x?TOKEN={PLACE}"),
        ("AUTHORIZATION: BEARER abc", f"AUTHORIZATION: BEARER {PLACE}"),
    ],
)
def test_secrets_are_taken_out(line: str, wanted: str) -> None:
    assert redact(line) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "POST /api/chat/stream 200",
        "run completed  tokens=5 duration_s=0.4",
        "http://127.0.0.1:5000/v1 and ann@example.com",
        "the task-based risk-free desk-lamp",
        "a user@host in http://host/path",
    ],
)
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


def test_known_secrets_are_taken_out_wherever_they_are() -> None:
    assert redact("a hunter2 b hunter2", ("hunter2",)) == f"a {PLACE} b {PLACE}"


def test_extras_and_tracebacks_are_cleaned_too() -> None:
    try:
        raise ValueError(f"could not use {JWT}")
    except ValueError:
        made = record("failed", error=True, key="sk-abcdef123")
    for line in (JsonLines().format(made), Readable().format(made)):
        assert JWT not in line and "sk-abcdef123" not in line
        assert "ValueError: could not use [taken out]" in line


def test_a_json_line_is_one_object_with_its_extras() -> None:
    line = JsonLines().format(record("hi %s\nthere", "ann", run_id="r1", code=None))
    assert "\n" not in line
    assert json.loads(line).items() >= {"message": "hi ann\nthere", "run_id": "r1"}.items()
    assert "code" not in json.loads(line)


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b", "\x00", "\x7f", "\x85", "\u2028"])
def test_a_message_cannot_forge_a_readable_line(control: str) -> None:
    line = Readable().format(record(f"GET /{control}12:00:00 ERROR forged", ms=1))
    assert control not in line and len(line.splitlines()) == 1
    assert line.endswith("forged  ms=1")


@pytest.fixture
def root_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile"):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    root = logging.getLogger()
    before = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*QUIET, "engineio.server")}
    yield
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("root_as_it_was")
@pytest.mark.parametrize("secret", ["x", "none", "ollama"])
def test_a_key_that_stands_for_none_is_left_in_words(secret: str, tmp_path: Path) -> None:
    set_up_logs(LogOptions(str(tmp_path / "logs"), "DEBUG", 10_000, 1), (secret,))
    logging.getLogger("tandem").info("next: ollama answers none")
    assert "next: ollama answers none" in (tmp_path / "logs" / "app.log").read_text()


@pytest.mark.usefixtures("root_as_it_was")
def test_a_secret_that_json_escapes_is_in_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = 'quo"ted\\\u00e9-secret-0123456789abcdefgh'
    set_up_logs(LogOptions(str(tmp_path / "logs"), "DEBUG", 10_000, 1), (secret, ""))
    logging.getLogger("tandem").info("it is %s", secret, extra={"also": [secret]})
    logs = (tmp_path / "logs" / "app.log").read_text() + capsys.readouterr().out
    assert logs.count(PLACE) == 4 and "0123456789abcdefgh" not in logs


@pytest.mark.usefixtures("root_as_it_was")
def test_libraries_that_log_what_they_carry_are_kept_quiet(tmp_path: Path) -> None:
    set_up_logs(LogOptions(str(tmp_path), "DEBUG", 10_000, 1))
    for name in QUIET:
        logging.getLogger(name).info("a header")
    assert (tmp_path / "app.log").read_text() == ""


@pytest.mark.usefixtures("root_as_it_was")
def test_file_is_rotated_before_a_line_that_would_not_fit(tmp_path: Path) -> None:
    set_up_logs(LogOptions(str(tmp_path), "INFO", 1000, 2))
    for number in range(6):
        logging.getLogger("tandem").info("%d %s", number, "x" * 350)

    files = [tmp_path / name for name in ("app.log", "app.log.1")]
    lines = [one.read_text().splitlines() for one in files]
    said = [[json.loads(line)["message"][0] for line in some] for some in lines]
    assert said == [["4", "5"], ["2", "3"]]
    assert max(one.stat().st_size for one in files) <= 1000


def test_several_processes_rotate_one_file_once_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    files = [RotatedFile(path, maxBytes=1000, backupCount=50, encoding="utf-8") for _ in range(3)]
    for number in range(300):
        file = files[number % 7 % 3]  # one of them writes less than the others
        file.is_shared = True
        file.emit(logging.makeLogRecord({"msg": f"{number:03} {'x' * (number % 90)}"}))
    for file in files:
        file.close()

    sizes = [one.stat().st_size for one in tmp_path.iterdir()]
    lines = [line for one in tmp_path.iterdir() for line in one.read_text().splitlines()]
    assert sorted(int(line[:3]) for line in lines) == list(range(300))
    assert max(sizes) <= 1000 and len(sizes) <= sum(sizes) / 1000 * 1.3


@pytest.mark.usefixtures("root_as_it_was")
def test_each_line_of_one_of_several_processes_has_its_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(LogOptions(str(tmp_path), "INFO", 1000, 2), worker=3)
    logging.getLogger("tandem").info("hello")

    assert json.loads((tmp_path / "app.log").read_text())["worker"] == 3
    assert capsys.readouterr().out.endswith("hello  worker=3\n")


@pytest.mark.usefixtures("root_as_it_was")
def test_link_to_a_pipe_is_written_to_and_never_rotated(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    (tmp_path / "app.log").symlink_to(f"/dev/fd/{write_end}")
    set_up_logs(LogOptions(str(tmp_path), "INFO", 1, 2))
    for _ in range(2):
        logging.getLogger("tandem").info("hello")

    assert os.read(read_end, 65536).count(b"hello") == 2
    assert [one.name for one in tmp_path.iterdir()] == ["app.log"]
    os.close(read_end)
    os.close(write_end)
