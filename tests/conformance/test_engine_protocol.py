"""Engine.IO's protocol, version 4: a case a rule, with the section it is in."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tests.conformance.conftest import Polling, is_closed, open_websocket, path_of

# --- HTTP long-polling: query parameters ---


@pytest.mark.parametrize(
    "query",
    [
        "transport=polling",
        "EIO=3&transport=polling",
        "EIO=abc&transport=polling",
        "EIO=4",
        "EIO=4&transport=abc",
        "EIO=4&transport=websocket",
        "EIO=4&transport=polling&sid=unknown",
        "EIO=4&transport=polling&j=0",
    ],
)
def test_a_parameter_that_is_missing_or_wrong_is_a_400(server, query):
    assert server.get(f"/engine.io/?{query}").status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "POST"])
def test_a_method_that_opens_no_session_is_a_400(server, method):
    assert server.request(method, path_of("engine.io")).status == 400


# --- Handshake ---


def test_the_offer_is_in_milliseconds(lively):
    offer = Polling(lively).offer
    assert isinstance(offer.pop("sid"), str)
    assert offer == {
        "upgrades": ["websocket"],
        "pingInterval": 500,
        "pingTimeout": 3000,
        "maxPayload": 1_000_000,
    }


def test_a_websocket_is_offered_no_upgrade(server):
    ws = open_websocket(server)
    assert json.loads(ws.recv()[1:])["upgrades"] == []
    ws.close()


# --- HTTP long-polling: sending and receiving data; Packet encoding ---


@pytest.mark.parametrize(
    "payload",
    ["4hello", "4one\x1e4two\x1e4three", "4hello\x1ebAQIDBA==", '4{"a": 1}', "4true", "4é\u2028"],
)
def test_messages_are_taken_with_ok_and_echoed(server, payload):
    session = Polling(server)
    answer = session.post(payload)
    assert (answer.status, answer.body) == (200, b"ok")
    assert session.poll() == (200, payload)


def test_a_body_in_chunks_is_read(server):
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"POST {session.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        connection.sendall(
            head.encode() + b"Transfer-Encoding: chunked\r\n\r\n3\r\n4he\r\n3\r\nllo\r\n0\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"ok") == 1
    assert session.poll() == (200, "4hello")


@pytest.mark.parametrize(
    "payload",
    ["abc", "2", "5", "6", "7", "", "4ok\x1eabc", "b@", b"4\xff", "4" + "x" * 2_000_000],
    ids=lambda payload: repr(payload)[:12],
)
def test_what_is_no_packet_of_a_client_is_a_400_at_once_and_ends_the_session(server, payload):
    session = Polling(server)
    assert session.post(payload).status == 400
    assert session.poll()[0] == 400
    assert session.post("4hello").status == 400


def test_a_poll_that_waits_is_told_that_a_packet_was_none(server):
    session = Polling(server)
    answer = session.poll_meanwhile()
    assert session.post("abc").status == 400
    assert answer() in {(200, "1"), (400, "")}  # that, where the poll came too late


def test_a_second_poll_ends_the_session(server):
    session = Polling(server)
    answers = [session.poll_meanwhile(), session.poll_meanwhile()]
    assert sorted(answer() for answer in answers) == [(200, "1"), (400, "")]
    assert session.poll()[0] == 400


def test_a_second_post_ends_the_session(server):
    session = Polling(server)
    head = f"POST {session.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n"
    answers = []
    connections = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(2)]
    for connection in connections:
        connection.sendall(head.encode() + b"4hel")

    def read(connection):
        answers.append(connection.recv(65536)[:12])

    threads = [threading.Thread(target=read, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    assert server.wait_until(lambda: answers)  # of one of them, whose body is not whole yet
    for connection in connections:
        connection.sendall(b"lo")
    for thread in threads:
        thread.join(60)
    for connection in connections:
        connection.close()
    assert answers[0] == b"HTTP/1.1 400"
    assert session.poll()[0] == 400


def test_a_poll_that_is_cancelled_ends_the_session(server):
    """What its answer would have had is lost; whoever comes next must not go on without it."""
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        connection.sendall(f"GET {session.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    session.post("4lost")
    statuses = {session.poll()[0] for _ in range(2)}
    assert 400 in statuses or statuses == {200}  # the poll never came, or is not over


# --- WebSocket ---


@pytest.mark.parametrize(
    "message", ["4hello", '4{"a": 1}', b"\x01\x02\x03\x04", b"", b"\xff" * 70000]
)
def test_messages_are_echoed_as_they_came(server, message):
    ws = open_websocket(server)
    ws.recv()
    ws.send_binary(message) if isinstance(message, bytes) else ws.send(message)
    assert ws.recv() == message
    ws.close()


@pytest.mark.parametrize("message", ["abc", "2", "5", "6", "7", "", "b@"])
def test_what_is_no_packet_of_a_client_ends_the_websocket(server, message):
    ws = open_websocket(server)
    ws.recv()
    ws.send(message)
    assert is_closed(ws)


# --- Heartbeat ---


def test_polling_is_pinged_and_pongs(lively):
    session = Polling(lively)
    for _ in range(3):
        assert session.poll() == (200, "2")
        assert session.post("3").body == b"ok"


def test_a_websocket_is_pinged_and_pongs(lively):
    ws = open_websocket(lively)
    ws.recv()
    for _ in range(3):
        assert ws.recv() == "2"
        ws.send("3")
    ws.close()


def test_a_poll_that_waits_sees_that_no_pong_came(lively):
    session = Polling(lively)
    assert session.poll() == (200, "2")
    assert session.poll() == (200, "1")
    assert session.poll()[0] == 400


def test_a_websocket_without_pongs_is_closed(lively):
    ws = open_websocket(lively)
    ws.recv()
    assert is_closed(ws)


# --- Closing ---


def test_a_poll_that_waits_sees_that_its_client_closed(server):
    def close_while_polling():
        session = Polling(server)
        answer = session.poll_meanwhile()
        assert session.post("1").body == b"ok"
        assert session.poll()[0] == 400
        return answer()

    # The poll may come after the close: then it is a 400 itself.
    answers = {close_while_polling() for _ in range(20)}
    assert (200, "6") in answers and answers <= {(200, "6"), (400, "")}


def test_a_websocket_is_closed_by_its_client(server):
    ws = open_websocket(server)
    ws.recv()
    ws.send("1")
    assert is_closed(ws)


# --- Upgrade ---


def upgraded(server):
    """A session by polling that has gone over to a websocket."""
    session = Polling(server)
    ws = open_websocket(server, sid=session.sid)
    ws.send("2probe")
    assert ws.recv() == "3probe"
    ws.send("5")
    ws.send("4there")
    assert ws.recv() == "4there"
    return session, ws


def test_an_upgrade_ends_a_poll_that_waits_and_loses_nothing(server):
    session = Polling(server)
    answer = session.poll_meanwhile()
    ws = open_websocket(server, sid=session.sid)
    ws.send("2probe")
    assert ws.recv() == "3probe"
    assert answer() == (200, "6")
    session.post("4by polling")
    assert session.poll() == (200, "6")  # the websocket has it, once that is open
    ws.send("5")
    ws.send("4by websocket")
    assert [ws.recv(), ws.recv()] == ["4by polling", "4by websocket"]
    ws.close()


def test_requests_after_the_upgrade_are_a_400_and_the_session_goes_on(server):
    session, ws = upgraded(server)
    assert session.poll()[0] == 400
    assert session.post("4hello").status == 400
    ws.send("4still")
    assert ws.recv() == "4still"
    ws.close()


def test_a_second_websocket_is_closed_and_the_first_goes_on(server):
    session, ws = upgraded(server)
    assert is_closed(open_websocket(server, sid=session.sid))
    ws.send("4still")
    assert ws.recv() == "4still"
    ws.close()


def test_a_probe_that_is_none_leaves_polling_as_it_was(server):
    session = Polling(server)
    ws = open_websocket(server, sid=session.sid)
    ws.send("4hello")
    assert is_closed(ws)
    session.post("4hello")
    assert session.poll() == (200, "4hello")
