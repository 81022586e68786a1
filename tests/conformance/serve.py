"""The transport as Tandem serves it, with the handlers that the protocols' own suites expect.

`/engine.io/` echoes; `/socket.io/` has the namespaces `/` and `/custom`, which tell what they were
given at connect, echo `message` and acknowledge `message-with-ack`. With HANDLERS=client
`/socket.io/` is what socket.io-client's own tests expect. The chat is not here. Times are the
suites', but for PING_INTERVAL_S, PING_TIMEOUT_S and CONNECT_TIMEOUT_S in the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

MODE = os.environ.get("ASYNC_MODE", "eventlet")
if MODE == "eventlet":
    import eventlet

    eventlet.monkey_patch()
else:
    from gevent import monkey

    monkey.patch_all()
sys.path[0] = str(Path(__file__).parent.parent.parent)

import engineio  # noqa: E402
import socketio  # noqa: E402

from app.runtimes import make_runtime  # noqa: E402
from app.transports.socketio.engine import use_classes  # noqa: E402
from app.transports.socketio.engine_protocol import Engine  # noqa: E402
from app.transports.socketio.packets import ValidPacket  # noqa: E402
from app.transports.socketio.socket_protocol import SocketServer  # noqa: E402
from app.workers.listening import listen  # noqa: E402
from tests.conformance import client_handlers  # noqa: E402


def seconds(name: str, default: float) -> float:
    """Return a time of the environment."""
    return float(os.environ.get(name, default))


FOR_CLIENT = os.environ.get("HANDLERS") == "client"
TIMES = {
    "ping_interval": seconds("PING_INTERVAL_S", 2 if FOR_CLIENT else 0.3),
    "ping_timeout": seconds("PING_TIMEOUT_S", 20 if FOR_CLIENT else 0.2),
    "connect_timeout": seconds("CONNECT_TIMEOUT_S", 45 if FOR_CLIENT else 1),
}


class Served:
    """Implements `runtime.Served`."""

    head_timeout_s = 10
    viewer_stall_s = 30
    requests_per_s = 200
    siblings = None

    def __init__(self, wsgi: Callable[..., Any], listener: Any) -> None:
        self.wsgi = wsgi
        self._port = listener.getsockname()[1]

    def started(self) -> None:
        print(f"Tandem conformance on http://127.0.0.1:{self._port}", flush=True)

    def stopping(self) -> None:
        """Nothing is kept."""


def engine() -> Engine:
    """An Engine.IO server that echoes."""
    server = Engine(
        async_mode=MODE,
        cors_allowed_origins="*",
        async_handlers=False,
        **{**TIMES, "connect_timeout": None},
    )
    server.on("message", lambda sid, data: server.send(sid, data))
    return server


def sockets() -> SocketServer:
    """A Socket.IO server with a suite's handlers."""
    server = SocketServer(
        async_mode=MODE,
        cors_allowed_origins="*",
        serializer=ValidPacket,
        async_handlers=False,
        **TIMES,
    )
    if FOR_CLIENT:
        client_handlers.register(server)
    else:
        _register(server)
    return server


def _register(server: SocketServer) -> None:
    def tell(sid: str, auth: Any, name: str) -> None:
        server.sleep(0.02)  # the suite listens for it once it has the packet before
        server.emit("auth", auth, to=sid, namespace=name)

    for name in ("/", "/custom"):

        def told(sid: str, environ: Any, auth: Any = None, name: str = name) -> None:
            server.start_background_task(tell, sid, auth or {}, name)

        def message(sid: str, *data: Any, name: str = name) -> None:
            server.emit("message-back", data, to=sid, namespace=name)

        server.on("connect", told, namespace=name)
        server.on("message", message, namespace=name)
        server.on("message-with-ack", lambda sid, *data: data, namespace=name)


def held(
    wsgi: Callable[..., Any],
    sleep: Callable[[float], None],
    environ: dict[str, Any],
    start_response: Any,
) -> Any:
    """Hold up a handshake, as the server of socket.io-client's tests does: they measure it."""
    if "sid=" not in environ.get("QUERY_STRING", ""):
        sleep(client_handlers.HELD_S)
    return wsgi(environ, start_response)


def uncompressed(wsgi: Callable[..., Any], environ: dict[str, Any], start_response: Any) -> Any:
    """Take no compression of websockets, as Tandem's guards do not."""
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    return wsgi(environ, start_response)


def main() -> None:
    runtime = make_runtime(MODE, 1)
    first, second = engine(), sockets()
    for server in (first, second.eio):
        use_classes(server, runtime)
    wsgi = engineio.WSGIApp(first, socketio.WSGIApp(second))
    if FOR_CLIENT:
        wsgi = partial(held, wsgi, runtime.sleep)
    listener = listen("127.0.0.1", int(os.environ.get("PORT", "0")))
    runtime.serve(listener, Served(partial(uncompressed, wsgi), listener))


main()
