"""A web page elsewhere cannot start, read or stop anything."""

from __future__ import annotations

import pytest
import socketio
import websocket

from tests.support.sockets import SocketClient

EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize("headers", [EVIL, {"Host": "evil.example"}], ids=str)
def test_foreign_pages_get_no_socket(server, headers):
    with pytest.raises(socketio.exceptions.ConnectionError):
        SocketClient(server, "polling", **headers)
    options = {name.lower(): value for name, value in headers.items()}
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
        websocket.create_connection(url, timeout=5, **options)
    assert refused.value.status_code == 403


def test_a_listed_origin_and_host_are_let_in(start_server):
    server = start_server(CORS_ORIGINS="https://chat.example", ALLOWED_HOSTS="chat.example")
    headers = {"Origin": "https://chat.example", "Host": "chat.example"}
    answer = server.post("/api/chat", {"message": "hi"}, **headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    SocketClient(server, "polling", Origin="https://chat.example").close()


def test_foreign_pages_start_nothing(server, upstream):
    answer = server.post("/api/chat/stream", {"message": "hi"}, **EVIL)
    assert (answer.status, answer.code) == (403, "forbidden_origin")
    assert upstream.exchanges == []
