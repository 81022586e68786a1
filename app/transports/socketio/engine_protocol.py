"""Engine.IO 4 as its protocol document has it, where python-engineio differs.

Each deviation names the section of the document that it follows. What that leaves open is as the
reference server in Node has it. socket_protocol.py says when this serves.
"""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qs

import engineio
from engineio.exceptions import ContentTooLongError, EngineIOError, SocketIsClosedError
from engineio.packet import NOOP, OPEN, PING, PONG, UPGRADE, Packet
from engineio.socket import Socket

from app.core.errors import InvalidRequest
from app.dialects.frames import json_line
from app.transports.socketio.engine_packets import body_of, count_of, decoded, is_upgrade, split

log = logging.getLogger(__name__)
HANG_UP_S = 1  # for a client whose session was ended to be told so
TOO_MANY = "too many packets"  # why a session ends that is over its allowance
LATE_S = 0.1  # a ping that leaves later than this is waited for from then on, not from when due
UPGRADE_S = 10  # the reference server's time for an upgrade
UPGRADING_S = 0.01  # a client that upgrades waits for the answer to the poll that it has sent
# What both kinds of websockets raise once nobody is there, or what came is no frame; and a poll
# that had nothing for too long.
GONE = (OSError, ValueError, RuntimeError, EngineIOError)


# Makes what counts so many more of something, and says whether they are few enough.
Admission = Callable[[], Callable[[int], bool]]


def no_handshake() -> dict[str, Any]:
    """Return the refusal of a websocket without its handshake, or of a handshake for something
    else, as other faulty handshakes are refused."""
    error = InvalidRequest({"transport": "websocket has a handshake, and nothing else has one"})
    return {
        "status": "400 BAD REQUEST",
        "headers": [("Content-Type", "application/json")],
        "response": json_line({"error": error.payload()}),
    }


def _all(count: int) -> bool:
    return True


class BadRequestError(EngineIOError):  # type: ignore[misc]
    """What is answered with 400; the library ends its session."""


class Session(Socket):  # type: ignore[misc]
    """An Engine.IO session."""

    connected: bool
    upgrading: bool
    upgraded: bool

    def __init__(self, server: Engine, sid: str, address: str) -> None:
        super().__init__(server, sid)
        self.address = address
        self._admits = server.admission()
        self._admits_frames = server.frame_admission()
        self.is_joined = False  # to any namespace
        self._join_by = 0.0
        self._polls = False
        self._posts = False
        self._probing: Any = None  # the websocket of an upgrade
        self._is_probed = False
        self._probe_over = server.create_event()
        self._beats = False
        self._over = server.create_event()
        self._ping_at = 0.0
        self._pinged_at: float | None = None
        self.note_joined(False)

    @property
    def is_taken(self) -> bool:
        """Whether it has a websocket, or is about to."""
        return self.upgraded or self.upgrading

    def note_joined(self, is_joined: bool) -> None:
        """Note whether it is in a namespace; who is in none for too long is let go."""
        self.is_joined = is_joined
        limit = math.inf if is_joined else self.server.connect_timeout
        self._join_by = time.monotonic() + limit

    # --- Heartbeat ---

    def schedule_ping(self) -> None:
        """Note a pong, or the start; one task does the rest, where the library has one a ping."""
        self._pinged_at, self._ping_at = None, time.monotonic() + self.server.ping_interval
        if not self._beats:
            self._beats = True
            self.server.start_background_task(self._beat)

    def _beat(self) -> None:
        while not self.closing:
            now = time.monotonic()
            if now >= self._join_by:
                self.close(reason=self.server.reason.SERVER_DISCONNECT)
            elif self.check_ping_timeout():
                if self._pinged_at is None and now >= self._ping_at:
                    self._pinged_at = max(self._ping_at, now - LATE_S)
                    self.send(Packet(PING))
                wake = min(self._due(), self._join_by, now + self.server.ping_interval)
                self._over.wait(max(0.0, wake - now))

    def _due(self) -> float:
        """Return when it will be pinged, or when its pong is too late."""
        if self._pinged_at is None:
            return self._ping_at
        return self._pinged_at + float(self.server.ping_timeout)

    def check_ping_timeout(self) -> bool:
        """Whether it answers its pings; one that does not is closed, exactly when it is late."""
        if self.closed:
            raise SocketIsClosedError()
        late_at = self._due() + (self.server.ping_timeout if self._pinged_at is None else 0)
        if self.closing or time.monotonic() < late_at:
            return True  # what is closing may still send that it is
        self.close(reason=self.server.reason.PING_TIMEOUT)
        return False

    # --- Protocol ---

    def receive(self, pkt: Any) -> None:
        """Take a packet; UPGRADE and NOOP have no place here. Raises EngineIOError."""
        if pkt.packet_type in {UPGRADE, NOOP}:
            raise BadRequestError()
        super().receive(pkt)

    def close(self, wait: bool = True, abort: bool = False, reason: Any = None) -> None:
        """Close it, and forget it at once: a request with its id is a 400.

        Never waits: the library's `wait` is for a queue that nobody may ever read.
        """
        super().close(wait=False, abort=abort, reason=reason)
        self._over.set()
        if self.server.sockets.get(self.sid) is self:
            del self.server.sockets[self.sid]
        if self._probing is not None:
            self.server.start_background_task(self._probing.close)

    def admit(self, weight: int) -> bool:
        """Count a frame of its websocket, a fragment or a ping too; whether it is to be read."""
        return self._admits_frames(weight)

    def _count(self, packets: int) -> None:
        """Count packets, before they are decoded. Raises BadRequestError: the session is over."""
        if self._admits(packets):
            return
        if not self.is_joined:  # else its namespace says so
            log.info("a client was cut off before it was anybody", extra={"reason": TOO_MANY})
        self.close(abort=True, reason=TOO_MANY)
        raise BadRequestError()

    def _fail(self) -> None:
        self.close(reason=self.server.reason.TRANSPORT_ERROR)
        raise BadRequestError()

    # --- HTTP long-polling ---

    def handle_get_request(self, environ: Mapping[str, Any], start_response: Any) -> Any:
        """Answer a poll, or upgrade. Raises EngineIOError, which is a 400."""
        if is_upgrade(environ):
            return self._upgrade_websocket(environ, start_response)
        if self._polls:
            self._fail()  # "more than one active GET": the one that waits is told `1`
        if self._is_probed:  # its packets go over the websocket from now on
            self._probe_over.wait(UPGRADING_S)
            return self.server._bad_request() if self.upgraded else [Packet(NOOP)]
        if not self.check_ping_timeout():
            raise SocketIsClosedError()
        self._polls = True
        try:
            packets = self.poll()
        finally:
            self._polls = False
        if environ.get("tandem.has_hung_up", bool)():
            self._fail()  # what would have been in the answer is lost
        return packets or [Packet(NOOP)]  # none: it is closed

    def handle_post_request(self, environ: Mapping[str, Any]) -> None:
        """Take a POST's packets. Raises EngineIOError, which is a 400: the session is over."""
        if self._posts:
            self._fail()  # "more than one active POST"
        self._posts = True
        try:
            body = body_of(environ, self.server.max_http_buffer_size)
            self._count(count_of(body))
            for pkt in split(body):
                if self.closed:
                    break
                self.receive(pkt)
                self.server.give_up_turn()
        except (EngineIOError, ValueError, OSError):
            self._fail()
        finally:
            self._posts = False

    # --- WebSocket ---

    def turn_away(self, environ: Mapping[str, Any], start_response: Any) -> Any:
        """Open another websocket, and close it."""

        def refuse(ws: Any) -> list[bytes]:
            ws.close()
            return []

        return self.server.use_websocket(refuse)(environ, start_response)

    def _websocket_handler(self, ws: Any) -> list[Any]:
        connection: Any = getattr(ws, "socket", None)
        if hasattr(connection, "settimeout"):
            connection.settimeout(self.server.ping_interval + self.server.ping_timeout)
        if self.connected and (self.is_taken or not self._probe(ws)):
            ws.close()
            return []
        self.connected = self.upgraded = True
        writer = self.server.start_background_task(self._write, ws)
        self._read(ws)
        self.queue.put(None)  # lets the writer end
        if self.closed:
            self.server.start_background_task(self._hang_up, ws)
        writer.join()
        self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        return []

    def _probe(self, ws: Any) -> bool:
        """Whether the client upgrades (Upgrade); if not, polling goes on."""
        self.upgrading, self._probing = True, ws
        self.server.start_background_task(self._end_probe, ws)
        try:
            if ws.wait() != f"{PING}probe":
                return False
            ws.send(f"{PONG}probe")
            self._is_probed = True
            self._probe_over.clear()
            if self._polls:
                self.queue.put(Packet(NOOP))  # only then: else the websocket would be sent it
            self.upgraded = ws.wait() == str(UPGRADE) and not self.closed
        except GONE as error:
            log.debug("an upgrade was given up: %s", type(error).__name__)
        finally:
            self.upgrading, self._probing, self._is_probed = False, None, self.upgraded
            self._probe_over.set()
        return self.upgraded

    def _end_probe(self, ws: Any) -> None:
        self.server.sleep(UPGRADE_S)
        if self._probing is ws:
            ws.close()

    def _write(self, ws: Any) -> None:
        try:
            while packets := self.poll():
                for pkt in packets:
                    ws.send(pkt.encode())
        except GONE as error:
            log.debug("a websocket is written to no more: %s", type(error).__name__)
        finally:
            ws.close()

    def _hang_up(self, ws: Any) -> None:
        """Close the connection of a client that does not read that its session is over."""
        self.server.sleep(HANG_UP_S)
        inner: Any = getattr(ws, "ws", None)  # gevent's
        connection: Any = getattr(ws, "socket", None) or getattr(inner, "sock", None)
        with suppress(AttributeError, OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _read(self, ws: Any) -> None:
        while not self.closed:
            try:
                data = ws.wait()
            except GONE as error:
                log.debug("a websocket is read no more: %s", type(error).__name__)
                return
            if data is None:
                return
            try:
                self._count(1)
                if len(data) > self.server.max_http_buffer_size:
                    raise ContentTooLongError()
                self.receive(decoded(data))
            except SocketIsClosedError:
                return
            except (EngineIOError, ValueError):  # a packet that is none ends the session
                self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
                return
            self.server.give_up_turn()


class Engine(engineio.Server):  # type: ignore[misc]
    """An Engine.IO server."""

    def __init__(
        self,
        connect_timeout: float | None = None,
        most_waiting: float = math.inf,
        address_of: Callable[[Mapping[str, Any]], str] = lambda environ: "",
        give_up_turn: Callable[[], None] | None = None,
        admission: Admission = lambda: _all,
        frame_admission: Admission = lambda: _all,
        **options: Any,
    ) -> None:
        """`connect_timeout` is how long a client may be in no namespace, in seconds, and
        `most_waiting` how many of an address may be in none. `give_up_turn` is called between
        packets; each session has an admission for its packets and for its websocket's frames."""
        super().__init__(**options)
        self.give_up_turn = give_up_turn or (lambda: self.sleep(0))
        self.admission = admission
        self.frame_admission = frame_admission
        self.connect_timeout = math.inf if connect_timeout is None else connect_timeout
        self._most_waiting = most_waiting
        self._address_of = address_of
        self.start_service_task = False  # each session looks after itself

    def handle_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request (HTTP long-polling: query parameters, and methods)."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        method, transport = environ["REQUEST_METHOD"], query.get("transport", [""])[0]
        refused = None
        if is_upgrade(environ) != (transport == "websocket"):
            refused = no_handshake()
        elif method not in {"GET", "POST", "OPTIONS"}:
            refused = self._bad_request("Bad request")
        elif method != "OPTIONS" and (transport not in self.transports or "j" in query):
            refused = self._bad_request("Invalid transport")  # JSONP is none of version 4's
        if refused is not None:
            start_response(refused["status"], refused["headers"] + self._cors_headers(environ))
            return [] if method == "HEAD" else [refused["response"]]
        session = self.sockets.get(query.get("sid", [""])[0])
        if session is not None and session.is_taken and is_upgrade(environ):
            return session.turn_away(environ, start_response)
        return super().handle_request(environ, start_response)

    def use_websocket(self, handler: Callable[[Any], Any]) -> Callable[..., Any]:
        """Return the WSGI application that opens a websocket for this handler."""
        return cast(Callable[..., Any], self._async["websocket"](handler, self))

    def refuse(self, sid: str) -> None:
        """End the session of a client that does not keep to the protocol."""
        session = self.sockets.get(sid)
        if session is not None:
            session.close(reason=self.reason.SERVER_DISCONNECT)

    def _ok(self, packets: Any = None, headers: Any = None, jsonp_index: Any = None) -> Any:
        answer = super()._ok(packets, headers, jsonp_index)
        return answer if packets is not None else {**answer, "response": b"ok"}

    def _handle_connect(
        self, environ: Any, start_response: Any, transport: str, jsonp_index: Any = None
    ) -> Any:
        """Open a session (Handshake); the times in the packet are whole milliseconds."""
        address = self._address_of(environ)
        waiting = sum(
            not session.is_joined and session.address == address
            for session in self.sockets.values()
        )
        if waiting >= self._most_waiting:
            busy = {"status": "503 SERVICE UNAVAILABLE", "response": b"Too many sessions"}
            return {**busy, "headers": [("Content-Type", "text/plain"), ("Retry-After", "5")]}
        session = Session(self, self.generate_id(), address)
        session.schedule_ping()
        self.sockets[session.sid] = session
        interval_s = self.ping_interval + self.ping_interval_grace_period
        offer = {
            "sid": session.sid,
            "upgrades": self._upgrades(session.sid, transport),
            "pingTimeout": round(self.ping_timeout * 1000),
            "pingInterval": round(interval_s * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        session.send(Packet(OPEN, offer))
        accepted = self._trigger_event("connect", session.sid, environ, run_async=False)
        if accepted is not None and accepted is not True:
            session.close(abort=True)
            return self._unauthorized(accepted or None)
        if transport == "websocket":
            try:
                return session.handle_get_request(environ, start_response)
            finally:
                session.close(abort=True)  # also where the handshake was none
        session.connected = True
        return self._ok(session.poll())
