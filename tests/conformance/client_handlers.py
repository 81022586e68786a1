"""The handlers that the tests of socket.io-client expect of their server, and its namespaces.

What a handler returns acknowledges the event. There is no recovery of a connection's state: Tandem
has cursors instead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from socketio.exceptions import ConnectionRefusedError

BYTES = b"asdfasdf"
WORDS = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")
HELD_S = 0.01  # a handshake, so that a client's time for one can be over


def register(server: Any) -> None:
    """Add them to a Socket.IO server."""
    handshakes: dict[str, dict[str, Any]] = {}

    def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        handshakes[sid] = handshake = _handshake(environ, auth)
        if "fail" in handshake["query"]:
            raise ConnectionRefusedError("Auth failed (main namespace)")

    def connect_abc(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        told = _handshake(environ, auth)
        emit = partial(server.emit, "handshake", told, to=sid, namespace="/abc")
        server.start_background_task(emit)  # behind the packet that says that it is connected

    def refuse(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        raise ConnectionRefusedError("Auth failed (custom namespace)")

    def disconnect(sid: str, reason: Any) -> None:
        handshakes.pop(sid, None)

    def accept(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Know the namespace."""

    for name in ("/foo", "/timeout_socket", "/valid", "/asd"):
        server.on("connect", accept, namespace=name)
    server.on("connect", connect)
    server.on("connect", connect_abc, namespace="/abc")
    server.on("connect", refuse, namespace="/no")
    server.on("disconnect", disconnect)
    server.on("getId", lambda sid: sid)
    server.on("getId", lambda sid: sid, namespace="/foo")
    server.on("getHandshake", handshakes.__getitem__)
    for name, handler in _handlers(server).items():
        server.on(name, handler)


def _handlers(server: Any) -> dict[str, Callable[..., Any]]:
    def tell(sid: str, name: str, *data: Any, **options: Any) -> None:
        server.emit(name, data, to=sid, **options)

    def acknowledged(sid: str, first: Any, second: Any) -> None:
        if first == 5 and second["test"]:
            tell(sid, "got it")

    def ack(sid: str) -> Any:
        tell(sid, "ack", callback=partial(acknowledged, sid))
        return server.not_handled  # the one event that is to stay without an acknowledgement

    def words(sid: str) -> None:
        for word in WORDS:
            tell(sid, "takeUtf8", word)

    def told_if(name: str, holds: Callable[[Any], bool]) -> Callable[..., None]:
        return lambda sid, data: tell(sid, name) if holds(data) else None

    def are_bytes(data: Any) -> bool:
        return isinstance(data, bytes)

    def is_mixed(data: Any) -> bool:
        return bool(
            data["hello"] == "lol" and are_bytes(data["message"]) and data["goodbye"] == "gotcha"
        )

    return {
        "hi": lambda sid: tell(sid, "hi"),
        "echo": lambda sid, data: data,
        "ack": ack,
        "getAckDate": lambda sid, data: _now(),
        "getDate": lambda sid: tell(sid, "takeDate", _now()),
        "getDateObj": lambda sid: tell(sid, "takeDateObj", {"date": _now()}),
        "getUtf8": words,
        "false": lambda sid: tell(sid, "false", False),
        "doge": lambda sid: tell(sid, "doge", BYTES),
        "getbin": lambda sid: tell(sid, "takebin", BYTES),
        "buffa": told_if("buffack", are_bytes),
        "blob": told_if("back", are_bytes),
        "jsonbuff": told_if("jsonbuff-ack", is_mixed),
        "jsonblob": told_if("jsonblob-ack", is_mixed),
        **_in_order(tell, ("abuff1", are_bytes), ("abuff2", lambda data: True)),
        **_in_order(
            tell,
            ("blob1", are_bytes),
            ("blob2", lambda data: data == "second"),
            ("blob3", are_bytes),
        ),
    }


def _in_order(
    tell: Callable[[str, str], None], *wanted: tuple[str, Callable[[Any], bool]]
) -> dict[str, Callable[[str, Any], None]]:
    """Handlers of events of which the last is answered if all have come as they should."""
    come: dict[str, list[str]] = {}
    names = [name for name, _ in wanted]

    def handler(name: str, holds: Callable[[Any], bool], sid: str, data: Any) -> None:
        if holds(data):
            come.setdefault(sid, []).append(name)
        if name == names[-1] and come.pop(sid, []) == names:
            tell(sid, f"{name}-ack")

    return {name: partial(handler, name, holds) for name, holds in wanted}


def _handshake(environ: dict[str, Any], auth: Any) -> dict[str, Any]:
    query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    return {"query": dict(query), "auth": auth or {}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
