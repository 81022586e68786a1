"""Which servers serve; packets that are read without one. What they do is in tests/conformance."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace

import engineio
import pytest
import socketio
from engineio.exceptions import ContentTooLongError
from engineio.packet import MESSAGE
from engineio.socket import Socket
from socketio.packet import EVENT

from app.transports.socketio.engine_packets import body_of, decoded
from app.transports.socketio.engine_protocol import Engine
from app.transports.socketio.packets import StrictPacket, ValidPacket
from app.transports.socketio.socket_protocol import SocketServer, serve_protocol


@pytest.fixture
def extension():
    """What Flask-SocketIO has once it has its app."""
    server = socketio.Server(async_mode="threading")
    return SimpleNamespace(
        server=server,
        server_options={"async_mode": "threading", "serializer": StrictPacket},
        namespace_handlers=[socketio.Namespace("/ours")],
        sockio_mw=engineio.WSGIApp(server),
    )


def test_ours_serves_with_the_namespaces(extension, caplog):
    serve_protocol(extension, connect_timeout=10)
    assert isinstance(extension.server, SocketServer)
    assert isinstance(extension.server.eio, Engine)
    assert extension.sockio_mw.engineio_app is extension.server
    assert list(extension.server.namespace_handlers) == ["/ours"]
    assert caplog.records == []


@pytest.mark.parametrize(
    "owner,name",
    [
        (engineio.Server, "_handle_connect"),
        (Socket, "_websocket_handler"),
        (socketio.Server, "_handle_eio_message"),
    ],
)
def test_the_libraries_own_serves_where_they_are_not_as_expected(
    extension, caplog, monkeypatch, owner, name
):
    before = extension.server
    monkeypatch.setattr(owner, name, lambda self, *args: None)
    serve_protocol(extension, connect_timeout=10)
    assert extension.server is before
    [record] = caplog.records
    assert record.levelname == "WARNING" and name in record.getMessage()


def test_the_libraries_own_serves_an_extension_of_another_shape(extension, caplog):
    before, extension.sockio_mw = extension.server, None
    serve_protocol(extension)
    assert extension.server is before
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "encoded,data",
    [
        ("4hello", "hello"),
        ('4{"a": 1}', '{"a": 1}'),
        ("4true", "true"),
        ("4", ""),
        ("bAQIDBA==", b"\x01\x02\x03\x04"),
        (b"\x01\x02", b"\x01\x02"),
    ],
)
def test_a_message_stays_as_it_came(encoded, data):
    packet = decoded(encoded)
    assert (packet.packet_type, packet.data) == (MESSAGE, data)


@pytest.mark.parametrize("encoded", ["", "abc", "7", "٣", "-1", "bAQI", "b@@@@"])
def test_no_packet(encoded):
    with pytest.raises(ValueError):
        decoded(encoded)


def request(body, **more):
    return {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), **more}


def in_chunks(body):
    """A request whose length is not said; the server has taken the chunks apart."""
    return {"wsgi.input": BytesIO(body), "HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize("environ", [request("é".encode()), in_chunks("é".encode())])
def test_a_body_is_read(environ):
    assert body_of(environ, 10) == "é"


@pytest.mark.parametrize("environ", [request(b"12345"), in_chunks(b"12345")])
def test_a_body_too_long(environ):
    with pytest.raises(ContentTooLongError):
        body_of(environ, 4)


@pytest.mark.parametrize(
    "environ",
    [
        request(b"123", CONTENT_LENGTH="4"),
        request(b"123", CONTENT_LENGTH="three"),
        request(b"\xff"),
    ],
)
def test_a_body_that_is_none(environ):
    with pytest.raises(ValueError):
        body_of(environ, 10)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "abc",
        "7",
        "0[1]",
        "1{}",
        "2{}",
        "2[]",
        "2[5]",
        "2abc[1]",
        '2["connect"]',
        '2["disconnecting"]',
        '21-["a",{"_placeholder":true,"num":0}]',
        "3{}",
        '4{"message":"no"}',
        b"bytes",
    ],
)
def test_packets_that_are_not_of_their_type(encoded):
    with pytest.raises(ValueError):
        ValidPacket(encoded_packet=encoded or "-")


def test_what_is_wrong_with_an_event_of_ours_is_answered():
    packet = StrictPacket(encoded_packet="2{}")
    assert packet.packet_type == EVENT and packet.data[0] == "tandem:refused"
