"""What LOG_LEVEL=DEBUG says of a reply: who is asked, what is stored, who follows; no words of
it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.server import Tandem
from tests.support.scripted import STOP, ScriptedProvider
from tests.transports.conftest import built

SAID = {"message": "planted", "provider": "scripted"}


@pytest.fixture
def scripted() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def server(scripted: ScriptedProvider) -> Tandem:
    return built({scripted.name: scripted})


@pytest.fixture
def client(server: Tandem) -> FlaskClient:
    found: FlaskClient = server.app.test_client()
    return found


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """Return what is said by the lines of a message, at DEBUG."""
    caplog.set_level(logging.DEBUG)

    def lines(message: str, *names: str) -> list[tuple[Any, ...]]:
        records = [record for record in caplog.records if record.getMessage() == message]
        return [tuple(vars(record)[name] for name in names) for record in records]

    return lines


def test_a_request_to_a_model_is_a_line(client: FlaskClient, lines: Any) -> None:
    answer = client.post("/api/chat", json={**SAID, "system": "Be brief.", "model": "m"})

    run_id = answer.headers["X-Run-Id"]
    asked = lines("model asked", "run_id", "provider", "model", "messages", "characters")
    assert asked == [(run_id, "scripted", "m", 2, len("Be brief.planted"))]


def test_what_was_stored_is_a_line(client: FlaskClient, lines: Any) -> None:
    client.post("/api/chat", json=SAID)

    stored = lines("batch stored", "runs", "entries", "bytes", "ms")
    assert sum(entries for _, entries, _, _ in stored) == 3
    assert all(runs == 1 and size > 0 and ms >= 0 for runs, _, size, ms in stored)


def test_a_viewer_that_comes_and_goes_is_two_lines(client: FlaskClient, lines: Any) -> None:
    answer = client.post("/api/chat/stream", json=SAID)
    answer.get_data()
    run_id = answer.headers["X-Run-Id"]
    client.get(f"/api/runs/{run_id}/events?after=1").get_data()

    assert lines("viewer comes", "transport", "run_id", "after") == [
        ("sse", run_id, 0),
        ("sse", run_id, 1),
    ]
    assert lines("viewer goes", "run_id", "after", "entries", "ended_by") == [
        (run_id, 0, 3, "the run's end"),
        (run_id, 1, 2, "the run's end"),
    ]


def test_who_waits_for_a_whole_answer_is_a_viewer(client: FlaskClient, lines: Any) -> None:
    client.post("/api/chat", json=SAID)

    gone = lines("viewer goes", "transport", "entries", "ended_by")
    assert gone == [("whole", 3, "the run's end")]


def test_a_viewer_that_leaves_is_said_to(
    client: FlaskClient, scripted: ScriptedProvider, lines: Any
) -> None:
    late = threading.Event()
    scripted.enqueue("a", late, STOP)
    answer = client.post("/api/chat/stream", json=SAID)
    pieces = iter(answer.response)
    while b"data" not in next(pieces):
        pass
    answer.close()
    late.set()

    assert lines("viewer goes", "entries", "ended_by") == [(1, "leaving")]


def test_no_line_has_a_word_of_what_was_said(
    client: FlaskClient, scripted: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.enqueue("planted too", STOP)
    caplog.set_level(logging.DEBUG)
    client.post("/api/chat/stream", json=SAID).get_data()

    assert len(caplog.records) > 5
    assert not [record for record in caplog.records if "planted" in str(vars(record))]


def test_without_debug_there_is_no_such_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.post("/api/chat/stream", json=SAID).get_data()

    assert {record.levelname for record in caplog.records} == {"INFO"}
