"""The log: a JSON object a line, enough to find out what happened, and none of what was said."""

from __future__ import annotations

import json
import socket
import time

import pytest
import socketio

from tests.support.doors import SECRET, auth_of, bearer, refused_connect, token_of
from tests.support.sse import stream_chat

SAID = "planted-in-a-message"
KEY = "sk-planted-api-key-0123456789"
USERS_KEY = "sk-planted-users-key-0123456789"
PASSWORD = "hunter2planted"
PLANTED = {
    *(SAID, KEY, USERS_KEY, PASSWORD, SECRET, "planted-in-a-body", "planted-in-a-header"),
    *("planted-in-a-cookie", "planted-in-an-event", "planted-in-a-query"),
}


def lines_of(server):
    """Return the lines of app.log, the oldest first."""
    rotated = sorted((server.folder / "logs").glob("app.log.*"), reverse=True)
    files = [*rotated, server.folder / "logs" / "app.log"]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def line_with(server, **wanted):
    """Return the one line that has these; a run's comes a moment after its viewers' last event."""
    found, until = [], time.monotonic() + 30
    while not found and time.monotonic() < until:
        found = [line for line in lines_of(server) if wanted.items() <= line.items()]
    assert len(found) == 1, found
    return found[0]


def test_every_line_is_an_object_of_one_form(server):
    server.post("/api/chat", {"message": "hi"})
    server.get("/no/such/path%0aforged%1b[31m")
    for line in lines_of(server):
        assert {"at", "level", "logger", "message"} <= set(line)
    assert "\nforged" not in server.output and "\x1b" not in server.output


@pytest.mark.parametrize("reply", ["completed", "failed", "stopped"])
def test_a_finished_run_is_one_line_with_its_figures(server, upstream, reply):
    actions = {
        "completed": lambda e: e.finish(),
        "failed": lambda e: e.cut(),
        "stopped": lambda e: e.wait_closed(20),
    }
    upstream.reply = lambda e: (e.start(), e.delta("a b c"), actions[reply](e))
    stream = stream_chat(server, "go")
    stream.take(1)
    if reply == "stopped":
        server.post(f"/api/runs/{stream.run_id}/stop")
    end = stream.rest()[-1].data
    line = line_with(server, message=f"run {reply}", run_id=stream.run_id)
    assert line["session_id"] == stream.headers["x-session-id"]
    assert line["tokens"] > 0 and line["tokens_per_s"] > 0
    assert 0 <= line["ttft_s"] <= line["duration_s"] < 20
    assert line["finish_reason"] == end["finish_reason"]
    assert line.get("error_id") == end.get("error_id")


def test_a_request_is_one_line_with_the_id_of_its_answer(server):
    answer = server.post("/api/chat", {"message": "hi"})
    line = line_with(server, request_id=answer.headers["x-request-id"])
    assert line["message"] == "POST /api/chat 200"
    assert (line["run_id"], line["session_id"]) == (
        answer.json["run_id"],
        answer.json["session_id"],
    )
    assert line["ms"] > 0


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_an_event_is_one_line_with_its_transport(server, connect, transport):
    run_id = connect(transport=transport).call("chat_stream", {"message": "hi"})["run_id"]
    line = line_with(server, message="event chat_stream", run_id=run_id)
    assert (line["transport"], line["user"]) == (transport, "anonymous")
    assert line["ms"] > 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda server: server.post("/api/chat", b"{"),
        lambda server: server.get("/no/such/path"),
        lambda server: server.request("PUT", "/api/chat"),
        lambda server: server.get("/api/runs/none"),
        lambda server: server.post("/api/chat", {"message": "hi", "provider": "demo", "model": 5}),
        lambda server: server.post("/api/chat", {"message": "hi"}, Origin="https://evil.example"),
    ],
    ids=["body", "path", "method", "run", "field", "origin"],
)
def test_the_error_id_of_an_answer_is_in_the_log(server, ask):
    error = ask(server).json["error"]
    assert line_with(server, error_id=error["error_id"])["code"] == error["code"]


def test_the_error_id_of_an_ack_is_in_the_log(server, connect):
    error = connect().call("chat_stream", {"message": 5})["error"]
    assert line_with(server, error_id=error["error_id"])["code"] == "invalid_request"


def test_the_file_is_rotated_by_size(start_server):
    server = start_server(LOG_FILE_BYTES=2000, LOG_FILES=2)
    ids = [server.get("/no/such/path").headers["x-request-id"] for _ in range(60)]
    files = {path.name: path.stat().st_size for path in (server.folder / "logs").iterdir()}
    assert set(files) == {"app.log", "app.log.1", "app.log.2"}
    assert max(files.values()) <= 2000
    kept = [line["request_id"] for line in lines_of(server) if "request_id" in line]
    assert kept == ids[-len(kept) :]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_secret_is_in_a_log_or_on_the_screen(start_server, connect, level):
    base = f"http://user:{PASSWORD}@127.0.0.1:1/v1"
    server = start_server(
        LOG_LEVEL=level, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=base, JWT_SECRET=SECRET
    )
    token = token_of()
    signature = token.split(".")[2]
    plant_over_http(server, token)
    plant_over_sockets(server, connect, token)
    plant_in_broken_requests(server, token)
    assert server.stop() == 0
    logs = server.logs()
    assert "POST /api/chat/stream 200" in logs and "run failed" in logs
    assert [secret for secret in (*PLANTED, signature) if secret in logs] == []


def plant_over_http(server, token):
    headers = {
        **bearer(token),
        "X-Api-Key": "planted-in-a-header",
        "Cookie": "session=planted-in-a-cookie",
        "X-Request-Id": "planted-in-a-header",
    }
    message = f"{SAID} {USERS_KEY}"
    stream_chat(server, message, headers=headers).rest()
    stream_chat(server, message, provider="demo", headers=headers).rest()
    for body in (
        {"message": message, "temperature": "planted-in-a-body"},
        {"message": message, "model": "planted-in-a-body\x00"},
        {"message": message, "session_id": "planted-in-a-body/"},
        b'{"message": "planted-in-a-body", ' + USERS_KEY.encode(),
        b"message=planted-in-a-body",
    ):
        assert server.post("/api/chat", body, **headers).status == 400
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    assert server.post("/api/chat", b"message=planted-in-a-body", **form).status == 415
    for path in (f"/{USERS_KEY}", f"/{token}", "/api/runs/none?token=planted-in-a-query"):
        assert server.get(path, **headers).status in {400, 404}
    assert server.get("/api/chat/sessions", Authorization=f"Bearer {token}x").status == 401
    assert server.get("/api/chat/sessions?x=planted-in-a-query", **headers).status == 200


def plant_over_sockets(server, connect, token):
    for transport in ("websocket", "polling"):
        client = connect(server, transport, auth=auth_of(token))
        client.call("chat_stream", {"message": f"{SAID} {USERS_KEY}"})
        client.wait_for_end()
        client.call("chat_stream", {"message": SAID, "temperature": "planted-in-an-event"})
        client.call("planted-in-an-event", {"message": SAID})
        refused_connect(server, transport, {"token": f"{token}x"})
        client.client.eio.send('2["planted-in-an-event", {')
        assert client.wait_for(lambda events: any("bad_json" in str(event) for event in events))
        assert client.call("planted-in-an-event")["error"]["code"] == "invalid_request"
        client.client.eio.send("9planted-in-an-event")  # no packet: the session is closed
    with pytest.raises(socketio.exceptions.ConnectionError):
        socketio.Client().connect(
            f"{server.url}?EIO=3&x=planted-in-a-query", transports=["websocket"]
        )


def plant_in_broken_requests(server, token):
    """What the HTTP server itself refuses, before any code of ours."""
    for request in (
        f"POST /api/chat?x=planted-in-a-query {SAID} {token} HTTP/1.1\r\n\r\n",
        f"GET /{USERS_KEY} HTTP/9.9\r\nAuthorization: Bearer {token}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nplanted-in-a-header {token}\r\n\r\n",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: planted-in-a-header\r\n\r\n",
        f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        "Transfer-Encoding: chunked\r\n\r\nplanted-in-a-body\r\n",
        f"\x16\x03\x01{SAID}\r\n\r\n",
        f"GET /{'x' * 9000}{USERS_KEY} HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\nCookie: {'planted-in-a-cookie' * 5000}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(request.encode())
            connection.shutdown(socket.SHUT_WR)
            while received(connection):
                pass


def received(connection):
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
