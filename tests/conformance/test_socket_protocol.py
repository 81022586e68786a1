"""Socket.IO's protocol, version 5: a case a rule, with the section it is in."""

from __future__ import annotations

import json

import pytest

from tests.conformance.conftest import Polling, is_closed, open_websocket


def connected(server, packet="40"):
    """A websocket in a namespace, and what it was sent at first."""
    ws = open_websocket(server, "socket.io")
    ws.recv()
    ws.send(packet)
    return ws, [ws.recv(), ws.recv()]


def receive(ws):
    """The next packet that is no ping."""
    while (packet := ws.recv()) == "2":
        ws.send("3")
    return packet


# --- Connection to a namespace ---


@pytest.mark.parametrize(
    "packet,prefix,told",
    [
        ("40", "40", '42["auth",{}]'),
        ('40{"token":"1"}', "40", '42["auth",{"token":"1"}]'),
        ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
        ('40/custom,{"token":"1"}', "40/custom,", '42/custom,["auth",{"token":"1"}]'),
    ],
)
def test_a_namespace_is_connected_to_with_what_is_given(server, packet, prefix, told):
    ws, (answer, auth) = connected(server, packet)
    assert answer.startswith(prefix)
    assert list(json.loads(answer[len(prefix) :])) == ["sid"]
    assert auth == told
    ws.close()


def test_a_namespace_that_is_not_there(server):
    ws = open_websocket(server, "socket.io")
    ws.recv()
    ws.send("40/random,")
    assert ws.recv() == '44/random,{"message":"Invalid namespace"}'
    ws.send("40")
    assert ws.recv().startswith("40{")
    ws.close()


@pytest.mark.parametrize(
    "packet", ["4abc", "4", '42["message"]', '430["x"]', "41", "40[1]", '44{"message":"x"}']
)
def test_anything_else_before_the_connect_closes_the_connection(server, packet):
    ws = open_websocket(server, "socket.io")
    ws.recv()
    ws.send(packet)
    assert is_closed(ws)


def test_who_connects_twice_is_closed(server):
    ws, _ = connected(server)
    ws.send("40")
    assert is_closed(ws)


def test_who_never_connects_is_closed_on_a_websocket(lively):
    ws = open_websocket(lively, "socket.io")
    ws.recv()
    assert is_closed(ws)


def test_who_never_connects_is_closed_by_polling(lively):
    session = Polling(lively, "socket.io")
    packets = []
    while (answer := session.poll())[0] == 200:
        packets += answer[1].split("\x1e")
        session.post("3")
    assert set(packets) <= {"1", "2", "6"}


# --- Sending and receiving data; Acknowledgement ---


@pytest.mark.parametrize(
    "sent,received",
    [
        ('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'),
        ('42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'),
    ],
)
def test_events_and_acks(server, sent, received):
    ws, _ = connected(server)
    ws.send(sent)
    assert ws.recv() == received
    ws.close()


@pytest.mark.parametrize(
    "sent,received",
    [("452-", '452-["message-back",%s]'), ("452-789", "462-789[%s]")],
    ids=["event", "ack"],
)
def test_binary_attachments(server, sent, received):
    name = "message-with-ack" if "789" in sent else "message"
    places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    ws, _ = connected(server)
    ws.send(f'{sent}["{name}",{places}]')
    ws.send_binary(b"\x01\x02")
    ws.send_binary(b"\x03")
    assert [ws.recv(), ws.recv(), ws.recv()] == [received % places, b"\x01\x02", b"\x03"]
    ws.close()


def test_binary_attachments_by_polling(server):
    session = Polling(server, "socket.io")
    session.post("40")
    packets = []
    while len(packets) < 2:
        packets += session.poll()[1].split("\x1e")
    session.post('451-["message",{"_placeholder":true,"num":0}]\x1ebAQI=')
    packets = session.poll()[1].split("\x1e")
    while len(packets) < 2:
        packets += session.poll()[1].split("\x1e")
    assert packets == ['451-["message-back",{"_placeholder":true,"num":0}]', "bAQI="]


# --- Disconnection from a namespace ---


def test_one_namespace_is_left_and_the_other_goes_on(server):
    ws, _ = connected(server)
    ws.send("40/custom,")
    assert [ws.recv()[:10], ws.recv()] == ["40/custom,", '42/custom,["auth",{}]']
    ws.send("41/custom,")
    ws.send('42["message","hi"]')
    assert ws.recv() == '42["message-back","hi"]'
    ws.close()


def test_who_has_left_every_namespace_keeps_the_connection_for_a_while(lively):
    ws, _ = connected(lively)
    ws.send("41")
    ws.send("40")
    assert receive(ws).startswith("40{")
    ws.send("41")
    assert is_closed(ws)


# --- Packet encoding ---


@pytest.mark.parametrize(
    "packet",
    [
        "4abc",
        "47",
        "42{}",
        "42[]",
        "42",
        '42abc["message-with-ack",1]',
        '42["connect"]',
        '42["disconnect"]',
        "43{}",
        '41{"a":1}',
        '421-["message",{"_placeholder":true,"num":0}]',
        '4599999999999-["message"]',
    ],
)
def test_what_is_no_packet_closes_the_connection(server, packet):
    ws, _ = connected(server)
    ws.send(packet)
    assert is_closed(ws)


@pytest.mark.parametrize("in_between", ['42["message","text"]', "abc"])
def test_text_where_an_attachment_is_due_closes_the_connection(server, in_between):
    ws, _ = connected(server)
    ws.send('451-["message",{"_placeholder":true,"num":0}]')
    ws.send(in_between)
    assert is_closed(ws)


def test_an_attachment_of_nothing_closes_the_connection(server):
    ws, _ = connected(server)
    ws.send_binary(b"\x01")
    assert is_closed(ws)
