"""The line that each event of a client leaves in the log, as each HTTP request does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.scripted import ScriptedProvider
from tests.transports.conftest import built

SID = "a-client"
Send = Callable[..., Any]


@pytest.fixture
def namespace() -> Any:
    provider = ScriptedProvider()
    found = built({provider.name: provider}).app.extensions["tandem.sockets"]
    found.trigger_event("connect", SID, {"REMOTE_ADDR": "127.0.0.1"})
    return found


@pytest.fixture
def send(namespace: Any, caplog: pytest.LogCaptureFixture) -> Send:
    """Send an event; return its ack and its line."""

    def send(event: str, *data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            ack = namespace.trigger_event(event, SID, *data)
        [line] = [record for record in caplog.records if record.name == "tandem.requests"]
        return ack, {"message": line.getMessage(), **vars(line)}

    return send


def test_an_event_is_one_line_with_its_run(send: Send) -> None:
    ack, line = send("chat_stream", {"message": "planted", "provider": "scripted"})

    assert (line["message"], line["user"], line["dialect"]) == (
        "event chat_stream",
        "anonymous",
        "native",
    )
    assert (line["run_id"], line["session_id"]) == (ack["run_id"], ack["session_id"])
    assert (line["code"], line["ms"] > 0) == (None, True)
    assert "planted" not in str(line)


@pytest.mark.parametrize("event", ["chat_stop", "chat_resume"])
def test_the_run_of_a_stop_and_of_a_resume_is_named(send: Send, event: str) -> None:
    run_id = send("chat_stream", {"message": "hi", "provider": "scripted"})[0]["run_id"]
    ack, line = send(event, {"run_id": run_id})

    assert (line["message"], line["run_id"]) == (f"event {event}", run_id)
    assert ack["run_id"] == run_id


@pytest.mark.parametrize(
    "event,data,message,code",
    [
        ("chat_stream", {"message": 5}, "event chat_stream", "invalid_request"),
        ("chat_resume", {"run_id": "none"}, "event chat_resume", "not_found"),
        ("planted", {}, "event unknown", "invalid_request"),
    ],
)
def test_a_refused_event_is_one_line_with_its_error(
    send: Send, event: str, data: Any, message: str, code: str
) -> None:
    ack, line = send(event, data)

    assert (line["message"], line["code"]) == (message, code)
    assert (line["error_id"], line["levelname"]) == (ack["error"]["error_id"], "INFO")
    assert "planted" not in str(line["message"])
