"""Socket.IO 5 as its protocol document has it, where python-socketio differs.

Each deviation names the section of the document that it follows. It stands on what the libraries do
not promise, which is checked once, when the server is made: where they are not as expected their
own servers serve, and a line in the log says so.
"""

from __future__ import annotations

import inspect
from typing import Any

import engineio
import socketio
from engineio.socket import Socket
from socketio.packet import BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

from app.transports.socketio.engine import warn
from app.transports.socketio.engine_protocol import Engine

REQUEST = "environ start_response"
# What is called or overridden, with the names of its arguments.
PLACES: tuple[tuple[Any, dict[str, str]], ...] = (
    (
        engineio.Server,
        {
            "handle_request": REQUEST,
            "_handle_connect": f"{REQUEST} transport jsonp_index",
            "_trigger_event": "event args kwargs",
            "_upgrades": "sid transport",
            "_cors_headers": "environ",
            "_ok": "packets headers jsonp_index",
            "_bad_request": "message",
            "_unauthorized": "message",
        },
    ),
    (
        Socket,
        {
            "poll": "",
            "receive": "pkt",
            "send": "pkt",
            "close": "wait abort reason",
            "schedule_ping": "",
            "check_ping_timeout": "",
            "handle_get_request": REQUEST,
            "handle_post_request": "environ",
            "_upgrade_websocket": REQUEST,
            "_websocket_handler": "ws",
        },
    ),
    (
        socketio.Server,
        {
            "disconnect": "sid namespace ignore_queue",
            "_engineio_server_class": "",
            "_send_packet": "eio_sid pkt",
            "_handle_connect": "eio_sid namespace data",
            "_handle_disconnect": "eio_sid namespace reason",
            "_handle_event": "eio_sid namespace id data",
            "_handle_ack": "eio_sid namespace id data",
            "_handle_eio_message": "eio_sid data",
            "_handle_eio_disconnect": "eio_sid reason",
        },
    ),
)
SESSION = ("queue", "connected", "upgrading", "upgraded", "closing", "closed")


class SocketServer(socketio.Server):  # type: ignore[misc]
    """A Socket.IO server."""

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def end(self, sid: str, namespace: str = "/") -> None:
        """Disconnect a client and end its session: it cannot connect on it again."""
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
        self.disconnect(sid, namespace)
        self.eio.refuse(eio_sid)

    def disconnect(self, sid: str, namespace: Any = None, ignore_queue: bool = False) -> None:
        """Disconnect a client from a namespace."""
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace or "/")
        super().disconnect(sid, namespace, ignore_queue)
        self._note_joined(eio_sid)

    def _note_joined(self, eio_sid: Any) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session is not None:
            sid_of, namespaces = self.manager.sid_from_eio_sid, self.manager.get_namespaces()
            session.note_joined(any(sid_of(eio_sid, name) for name in list(namespaces)))

    def _handle_connect(self, eio_sid: str, namespace: Any, data: Any) -> None:
        """Connect (Connection to a namespace), unless there is no such namespace."""
        namespace = namespace or "/"
        known = {*self.handlers, *self.namespace_handlers}
        if self.namespaces != "*" and namespace not in known | set(self.namespaces):
            refusal = {"message": "Invalid namespace"}
            self._send_packet(eio_sid, self.packet_class(CONNECT_ERROR, refusal, namespace))
            return
        super()._handle_connect(eio_sid, namespace, data)
        self._note_joined(eio_sid)

    def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Dispatch a packet; one that is none, or has no place here, ends the session (Packet
        encoding)."""
        try:
            pkt = self._whole_packet(eio_sid, data)
        except (ValueError, RecursionError):
            self.eio.refuse(eio_sid)
            return
        if pkt is None:
            return
        namespace = pkt.namespace or "/"
        is_in = self.manager.sid_from_eio_sid(eio_sid, namespace) is not None
        if is_in == (pkt.packet_type == CONNECT):
            self.eio.refuse(eio_sid)  # a second CONNECT, or a packet before the first
        elif pkt.packet_type == CONNECT:
            self._handle_connect(eio_sid, namespace, pkt.data)
        elif pkt.packet_type == DISCONNECT:
            self._handle_disconnect(eio_sid, namespace, self.reason.CLIENT_DISCONNECT)
            self._note_joined(eio_sid)
        elif pkt.packet_type in {EVENT, BINARY_EVENT}:
            self._handle_event(eio_sid, namespace, pkt.id, pkt.data)
        else:
            self._handle_ack(eio_sid, namespace, pkt.id, pkt.data)

    def _handle_eio_disconnect(self, eio_sid: str, reason: Any) -> None:
        self._binary_packet.pop(eio_sid, None)
        super()._handle_eio_disconnect(eio_sid, reason)

    def _whole_packet(self, eio_sid: str, data: Any) -> Any:
        """Return a packet with all its attachments; None while some are to come. Raises
        ValueError."""
        pkt = self._binary_packet.pop(eio_sid, None)
        if pkt is None:
            pkt = self.packet_class(encoded_packet=data or "-")
        elif isinstance(data, str):
            raise ValueError("an attachment is binary")
        else:
            pkt.add_attachment(data)
        if len(pkt.attachments) < pkt.attachment_count:
            self._binary_packet[eio_sid] = pkt
            return None
        return pkt


def serve_protocol(extension: Any, **options: Any) -> None:
    """Let a Flask-SocketIO that has its app serve by a `SocketServer`, with these options more."""
    try:
        fault = ", ".join(_faults())
        if not fault:
            server = SocketServer(**extension.server_options, **options)
            client = Socket(server.eio, "probe")
            fault = ", ".join(f"no {name}" for name in SESSION if not hasattr(client, name))
        if not fault:
            for namespace in extension.namespace_handlers:
                server.register_namespace(namespace)
            extension.sockio_mw.engineio_app, extension.server = server, server
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    if fault:
        warn("its protocol", fault, "its own serves, less strict, with no time to connect in")


def _faults() -> list[str]:
    return [
        f"{name} takes other arguments"
        for owner, places in PLACES
        for name, wanted in places.items()
        if list(inspect.signature(getattr(owner, name)).parameters)[1:] != wanted.split()
    ]
