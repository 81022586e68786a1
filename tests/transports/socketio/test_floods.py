"""Clients that send too much by polling: refused, then cut off for good, in one line of the log."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from app.transports.app import MAX_OVER
from app.transports.socketio.engine_packets import MAX_PACKETS, SEPARATOR
from tests.transports.conftest import built

PER_S = 20
AT_ONCE = PER_S + MAX_OVER
EVENT = '42%d["chat_stop",{"run_id":"none"}]'
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
def tandem() -> Any:
    return built(SOCKET_EVENTS_PER_S=PER_S)


@pytest.fixture
def http(tandem: Any) -> Any:
    return tandem.app.test_client()


@pytest.fixture
def sessions(tandem: Any) -> Any:
    """The Engine.IO sessions that there are."""
    return tandem.app.extensions["socketio"].server.eio.sockets


class Polling:
    """An Engine.IO session, in the default namespace unless it is bare."""

    def __init__(self, http: Any, bare: bool = False) -> None:
        self._http = http
        opened = http.get(HANDSHAKE).get_data(as_text=True)
        self.path = f"{HANDSHAKE}&sid={json.loads(opened[1:])['sid']}"
        if not bare:
            assert self.post("40") == 200 and self.poll()[0].startswith("40")

    def post(self, *packets: str) -> int:
        """Return the status."""
        answer = self._http.post(self.path, data=SEPARATOR.join(packets).encode())
        return int(answer.status_code)

    def poll(self) -> list[str]:
        """Return the packets that wait."""
        found: str = self._http.get(self.path).get_data(as_text=True)
        return found.split(SEPARATOR)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines of events, and those of what was refused."""
    caplog.set_level(logging.INFO)

    def read() -> tuple[list[str], list[Any]]:
        events = [r.getMessage() for r in caplog.records if r.getMessage().startswith("event ")]
        refused = [
            (r.user, r.count, r.reason)  # type: ignore[attr-defined]
            for r in caplog.records
            if r.getMessage() == "events refused"
        ]
        return events, refused

    return read


@pytest.mark.parametrize("body", ["2", "7", "4" * 2_000_000, "4\x1e7", "\x1e" * MAX_PACKETS])
@pytest.mark.parametrize("bare", [True, False])
def test_a_body_that_is_none_ends_its_session_at_once(http, sessions, body, bare):
    for _ in range(30):
        session = Polling(http, bare)
        assert session.post(body) == 400
        assert session.post("40") == 400
    assert not sessions


def test_events_are_refused_then_the_session_is_over(http, sessions, lines):
    session = Polling(http)
    assert session.post(*(EVENT % number for number in range(PER_S * 2))) == 200
    codes = [json.loads(packet[packet.index("[") :])[0] for packet in session.poll()]
    known = [ack["error"]["code"] for ack in codes]
    assert known.count("not_found") >= PER_S and known.count("rate_limited") >= 1
    refused = known.count("rate_limited")
    assert session.post(*(EVENT % number for number in range(AT_ONCE))) == 400
    assert not sessions
    assert session.post("40") == 400 and session.post(EVENT % 1) == 400
    events, [(user, count, reason)] = lines()
    assert len(events) == known.count("not_found")  # none for those that were refused
    assert (user, count, reason) == ("anonymous", refused, "too many packets")


@pytest.mark.parametrize("packet", ["3", EVENT % 1, "431[]", "41"])
def test_packets_are_counted_whatever_they_are(http, sessions, lines, packet):
    session = Polling(http)
    assert session.post(*[packet] * (AT_ONCE + 1)) == 400
    assert not sessions and session.post("40") == 400
    assert lines() == ([], [("anonymous", 0, "too many packets")])


def test_who_was_nobody_yet_is_cut_off_too(http, sessions, lines, caplog):
    session = Polling(http, bare=True)
    assert session.post(*["3"] * (AT_ONCE + 1)) == 400
    assert not sessions and session.post("40") == 400
    assert caplog.text.count("too many packets") + len(lines()[1]) <= 1


def test_what_is_no_event_is_told_then_the_session_is_over(http, sessions, lines):
    session = Polling(http)
    assert session.post("42[") == 200 and session.post("42[") == 200
    assert sessions
    session.post("42[", *[EVENT % number for number in range(50)])
    assert not sessions and session.post("40") == 400
    assert lines() == ([], [("anonymous", 3, "server disconnect")])
