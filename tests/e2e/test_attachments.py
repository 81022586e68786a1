"""Attachments through crashes, and through all that happens to a conversation: the same bytes, and
nothing left of what nobody has."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.files import picture
from tests.support.server import Answer, Server
from tests.support.sockets import SocketClient
from tests.support.sse import stream_chat
from tests.support.upstream import Upstream

HOURS_AGO = 2 * 3600


def upload(server: Server, data: bytes, **headers: str) -> Any:
    answer = server.request("POST", "/api/attachments", data, {"X-File-Name": "a.png", **headers})
    assert answer.status == 201, answer.body
    return answer.json


def say(server: Server, *ids: str, **more: Any) -> Answer:
    body = {"message": "look", "session_id": "s-1", "attachments": list(ids), **more}
    answer = server.post("/api/chat", body)
    assert answer.status == 200, answer.body
    return answer


def seen(upstream: Upstream) -> list[list[bytes]]:
    """Return the pictures of each user's message, as the model was sent them last."""
    found = []
    for message in upstream.exchanges[-1].body["messages"]:
        parts = message["content"] if isinstance(message["content"], list) else []
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        if message["role"] == "user":
            found.append([base64.b64decode(url.partition(",")[2]) for url in urls])
    return found


def kept(server: Server) -> list[Path]:
    folder = server.folder / "tandem.db.attachments"
    return [path for path in folder.rglob("*") if path.is_file()]


def make_old(path: Path) -> None:
    at = path.stat().st_mtime - HOURS_AGO
    os.utime(path, (at, at))


def half_an_upload(server: Server, data: bytes) -> socket.socket:
    """Send all of an upload but its end."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /api/attachments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n"
    connection.sendall(head.encode() + b"\r\n" + data[:-1])
    return connection


def test_upload_that_a_kill_cut_leaves_nothing(start_server: Callable[..., Server]) -> None:
    server = start_server()
    with half_an_upload(server, b"a" * 3_000_000):
        assert server.wait_until(lambda: any(path.stat().st_size for path in kept(server)))
        server.kill()
    (half,) = kept(server)
    make_old(half)

    server.restart()

    assert server.wait_until(lambda: not kept(server))


def test_bytes_that_a_kill_left_without_a_row_are_swept_away(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    there = upload(server, picture())
    server.kill()
    stray = server.folder / "tandem.db.attachments" / "00" / ("0" * 64)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of an upload whose row was never stored")

    server.restart()

    assert server.wait_until(lambda: not stray.exists())
    assert server.get(f"/api/attachments/{there['id']}").body == picture()


def test_upload_before_a_kill_goes_with_a_message_after_it(
    start_server: Callable[..., Server], upstream: Upstream
) -> None:
    server = start_server()
    there = upload(server, picture(), **{"Idempotency-Key": "k"})
    server.kill()
    server.restart()

    assert upload(server, picture(), **{"Idempotency-Key": "k"}) == there
    say(server, there["id"])
    assert seen(upstream) == [[picture()]]


def test_deleted_with_its_last_message_its_bytes_go_too(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    ids = [upload(server, picture())["id"] for _ in range(2)]
    say(server, ids[0])
    say(server, ids[1], session_id="s-2")
    # Equal bytes are kept once, beside them what was made of them for the model.
    assert len({path.name.partition(".")[0] for path in kept(server)}) == 1

    server.request("DELETE", "/api/chat/sessions/s-1")
    assert server.get(f"/api/attachments/{ids[0]}").status == 404
    assert server.get(f"/api/attachments/{ids[1]}").body == picture()
    server.request("DELETE", "/api/chat/sessions")
    assert server.wait_until(lambda: not kept(server))


def test_picture_stays_the_same_through_all_that_happens_to_a_conversation(
    start_server: Callable[..., Server], upstream: Upstream
) -> None:
    server = start_server()
    red, blue = picture(), picture(color="blue")
    first, second = (upload(server, data)["id"] for data in (red, blue))
    say(server, first)
    assert seen(upstream) == [[red]]
    say(server, message="and now?", attachments=[])
    assert seen(upstream) == [[red], []]

    asked = server.get("/api/chat/sessions/s-1/messages").json["messages"]
    server.post("/api/chat", {"session_id": "s-1", "regenerate": asked[3]["id"]})
    assert seen(upstream) == [[red], []]
    say(server, first, second, message="both?", edit=asked[0]["id"])
    assert seen(upstream) == [[red, blue]]
    server.post("/api/chat/sessions/s-1/branch", {"message_id": asked[3]["id"]})
    say(server, message="as before", attachments=[])
    assert seen(upstream) == [[red], [], []]

    server.restart() if server.stop() == 0 else None
    for name, data in ((first, red), (second, blue)):
        assert server.get(f"/api/attachments/{name}").body == data
    exported = server.get("/api/chat/sessions/s-1/export").json
    assert {base64.b64decode(one["data"]) for one in exported["attachments"]} == {red, blue}


def test_both_transports_send_what_was_uploaded(server: Server, upstream: Upstream) -> None:
    there = upload(server, picture())["id"]

    stream_chat(server, "look", attachments=[there]).rest()
    assert seen(upstream) == [[picture()]]
    client = SocketClient(server)
    try:
        client.call("chat_stream", {"message": "look", "attachments": [there]})
        client.wait_for_end()
    finally:
        client.close()
    assert seen(upstream) == [[picture()]]
