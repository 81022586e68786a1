"""The chat over Socket.IO: the same verbs as over HTTP; each event is answered by one ack.

docs/events.md lists the events; viewers.py has the tasks that follow logs and emit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from flask_socketio import Namespace
from socketio.exceptions import ConnectionRefusedError as RefusedError

from app.chats.request import Principal, check_request
from app.core.errors import (
    BadJson,
    ChatError,
    InternalError,
    InvalidRequest,
    OverCapacity,
    RateLimited,
    RequestError,
    Unauthorized,
)
from app.core.tools import Reply
from app.dialects.frames import Body, validated
from app.dialects.native import Wanted
from app.dialects.native_answers import ApprovalBody, ResultsBody, check_answers
from app.dialects.routes import NATIVE
from app.transports.guards.rates import Kind, Window, admission, caller_of
from app.transports.http.actions import taken
from app.transports.services import Services
from app.transports.socketio.engine import OutletTo
from app.transports.socketio.engine_protocol import TOO_MANY
from app.transports.socketio.packets import REFUSED
from app.transports.socketio.viewers import SocketViewers

log = logging.getLogger(__name__)
request_log = logging.getLogger("tandem.requests")
MAX_OVER = 200  # events over those of a second, each of which costs an answer
MAX_REFUSED = 3  # a client that keeps sending what is no event is let go


class ShownData(Body):
    """What events are to have."""

    partial: bool = True
    reasoning: bool = False
    stats: bool = False
    full_response: bool = True
    tool_deltas: bool = False

    @property
    def wanted(self) -> Wanted:
        """The same, as viewers take it."""
        return Wanted.of(self.model_dump())


class ResumeData(ShownData):
    """The data of `chat_resume`."""

    run_id: str
    seq: int = 0


class ResultData(ShownData, ResultsBody):
    """The data of `chat_result`."""

    run_id: str


class ApproveData(ShownData, ApprovalBody):
    """The data of `chat_approve`."""

    run_id: str
    approval_id: str


class JoinData(Body):
    """The data of `session_join`."""

    session_id: str


class StopData(Body):
    """The data of `chat_stop`."""

    run_id: str


@dataclass(slots=True)
class Client:
    """One connected socket: who it is, and what it follows."""

    principal: Principal
    caller: str
    refused: int = 0  # events that were none
    over: int = 0  # events over the limit
    second: int = 0
    events: int = 0  # in that second
    is_over: bool = False  # whether the event that is answered now is over the limit
    window: Window | None = None  # of the bucket that the event which is answered now counts to


class ChatNamespace(Namespace):  # type: ignore[misc]
    """The default namespace. One instance for an app; its clients are kept by sid."""

    def __init__(self, services: Services) -> None:
        super().__init__("/")
        self._services = services
        self._clients: dict[str, Client] = {}
        self._handlers: dict[str, Callable[[str, Client, Mapping[str, Any]], dict[str, Any]]] = {
            "chat_stream": self._chat_stream,
            "chat_resume": self._chat_resume,
            "chat_stop": self._chat_stop,
            "chat_result": self._chat_result,
            "chat_approve": self._chat_approve,
            "session_join": self._session_join,
        }
        self._viewers = SocketViewers(services, lambda: self._server)

    def reach_by(self, outlet_to: OutletTo) -> None:
        """Set how clients are reached; before any connects."""
        self._viewers.outlet_to = outlet_to

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Dispatch everything the library has for us; nothing raised in here gets out.

        Overrides Flask-SocketIO's, which answers neither unknown events nor wrong numbers of
        arguments.
        """
        sid = args[0]
        if event == "connect":
            return self._connect(sid, args[1], args[2] if len(args) > 2 else None)
        if event == "disconnect":
            return self._disconnect(sid, *args[1:2])
        client = self._clients.get(sid)
        if client is None:
            return None
        began = time.perf_counter()
        client.window, client.is_over = None, False
        error: ChatError | None = None
        try:
            ack = self._handle(event, sid, client, args[1:])
        except ChatError as refused:
            ack, error = self._failed(event, sid, refused), refused
        except Exception:
            error = InternalError()
            log.exception("event failed", extra={"error_id": error.error_id})
            ack = self._failed(event, sid, error)
        if client.refused >= MAX_REFUSED:
            self._end(sid)  # once it was told why
        if event != REFUSED and not client.is_over:
            self._log_event(event, sid, client, ack, error, began)
        return {**ack, "rate_limit": client.window.to_json()} if client.window else ack

    def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        try:
            principal = self._services.auth.principal(None if token is None else str(token))
            caller = caller_of(principal, environ)
            self._check_sockets(caller)
        except ChatError as error:
            self._services.metrics.answered(error)
            raise RefusedError(error.code) from None
        except Exception:
            # Anything else would be taken for a handler of the old kind, and the client let in.
            log.exception("connect failed")
            raise RefusedError(InternalError.code) from None
        self._clients[sid] = Client(principal, caller)
        self._viewers.welcome(sid)

    def _check_sockets(self, caller: str) -> None:
        sockets = sum(client.caller == caller for client in self._clients.values())
        if sockets >= self._services.limits.max_sockets_per_user:
            raise OverCapacity()

    def drop_expired(self) -> None:
        """Disconnect the clients whose access token has expired; their runs go on."""
        for sid, client in list(self._clients.items()):
            if not self._services.auth.still_valid(client.principal):
                self._server.disconnect(sid)

    def _disconnect(self, sid: str, reason: str | None = None) -> None:
        client = self._clients.pop(sid, None)
        if client is None:
            return
        self._viewers.leave(sid)
        count = client.refused + client.over
        if count or reason == TOO_MANY:  # one line for all of them
            user = client.principal.name
            log.info("events refused", extra={"user": user, "count": count, "reason": reason})

    def _handle(self, event: str, sid: str, client: Client, args: tuple[Any, ...]) -> Any:
        self._count_event(sid, client)
        if not self._services.auth.still_valid(client.principal):
            self._services.runtime.spawn(self._server.disconnect, sid)
            raise Unauthorized()
        if event == REFUSED:
            client.refused += 1
            raise BadJson(f"The event was refused: {args[0]}.")
        handler = self._handlers.get(event)
        if handler is None:
            known = ", ".join(self._handlers)
            raise RequestError(f"There is no event by that name. Known are: {known}.")
        if len(args) != 1 or not isinstance(args[0], dict):
            raise InvalidRequest({"data": "send exactly one object with the event"})
        return handler(sid, client, args[0])

    def _count(self, kind: Kind, client: Client) -> None:
        client.window = window = self._services.rates.hit(kind, client.caller)
        if window is not None:
            window.check()

    def _count_event(self, sid: str, client: Client) -> None:
        second = int(time.monotonic())
        if second != client.second:
            client.second, client.events = second, 0
        client.events += 1
        over = client.events - self._services.limits.socket_events_per_s
        if over > 0:
            client.is_over = True
            client.over += 1
        if over > MAX_OVER:
            self._end(sid)
        if over > 0:
            raise RateLimited(retry_after_s=1)

    def _end(self, sid: str) -> None:
        """Let a client go, and its connection too: on that it could connect again. Not in a task,
        which would have its turn after more of the client's events."""
        getattr(self._server, "end", self._server.disconnect)(sid)

    def _failed(self, event: str, sid: str, error: ChatError) -> dict[str, Any]:
        payload = error.payload()
        self._services.metrics.answered(error)
        if event in {"chat_stream", REFUSED}:
            # Also as an event: not every client asks for acks.
            shown = {name: value for name, value in payload.items() if name != "message"}
            self._emit(sid, "chat_stream_error", {"error": payload["message"], **shown})
        return {"error": payload}

    def _log_event(
        self,
        event: str,
        sid: str,
        client: Client,
        ack: Mapping[str, Any],
        error: ChatError | None,
        began: float,
    ) -> None:
        """Write the line that a request has, as soon as the model was asked."""
        known = event if event in self._handlers else "unknown"
        extra = {
            "user": client.principal.name,
            "dialect": NATIVE.name,
            "transport": self._transport_of(sid),
            "session_id": ack.get("session_id"),
            "run_id": error.run_id if error else ack.get("run_id"),
            "code": error.code if error else None,
            "error_id": error.error_id if error else None,
            "ms": round((time.perf_counter() - began) * 1000, 1),
        }
        self._services.runtime.call_soon(lambda: request_log.info("event %s", known, extra=extra))

    def _transport_of(self, sid: str) -> str | None:
        """Return polling or websocket; None of a client that has gone meanwhile."""
        try:
            return str(self._server.transport(sid))
        except KeyError:
            return None

    def _chat_stream(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        services = self._services
        spoken = NATIVE.parse(data)
        asked = replace(spoken.request, dialect=NATIVE.name, caller=client.caller)
        check_request(asked, services.max_message_bytes)
        admit = admission(lambda kind: self._count(kind, client), "stream")
        started = services.sessions.start(client.principal.id, asked, admit)
        if not spoken.detached:
            wanted = Wanted.of(spoken.options)
            self._viewers.follow(sid, client.principal.name, started.found, 0, wanted)
        record = started.found.record
        return {"run_id": record.id, "session_id": record.session_id}

    def _chat_resume(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = validated(ResumeData, data)
        self._count("read", client)
        if wanted.seq < 0:
            raise InvalidRequest({"seq": "must be 0 or more"})
        found = self._services.runs.find(client.principal.id, wanted.run_id)
        found.log.check(wanted.seq)
        if not found.log.is_over(wanted.seq):
            self._viewers.follow(sid, client.principal.name, found, wanted.seq, wanted.wanted)
        return {"run_id": found.record.id, "status": found.status}

    def _chat_stop(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = validated(StopData, data)
        self._count("read", client)
        return self._services.runs.stop(client.principal.id, wanted.run_id).to_json()

    def _chat_result(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = validated(ResultData, data)
        replies = wanted.replies(self._services.toolbox.max_result_bytes)
        return self._answer(sid, client, wanted.run_id, replies, wanted.wanted)

    def _chat_approve(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = validated(ApproveData, data)
        reply = wanted.reply(wanted.approval_id, client.principal.name)
        return self._answer(sid, client, wanted.run_id, [reply], wanted.wanted)

    def _answer(
        self, sid: str, client: Client, run_id: str, replies: Sequence[Reply], wanted: Wanted
    ) -> dict[str, Any]:
        """Answer a run that waits, and follow it from there on."""
        self._count("read", client)
        owner = client.principal.id
        waiting = self._services.runs.find(owner, run_id)
        check_answers(replies, waiting.pending)
        before = waiting.log.last_seq
        found = self._services.sessions.answer(owner, run_id, replies, client.caller)
        if not found.log.is_over(before):
            self._viewers.follow(sid, client.principal.name, found, before, wanted)
        return dict(taken(found, replies, before))

    def _session_join(self, sid: str, client: Client, data: Mapping[str, Any]) -> dict[str, Any]:
        wanted = validated(JoinData, data)
        self._count("read", client)
        self._viewers.join(sid, client.principal.id, wanted.session_id)
        return {"session_id": wanted.session_id}

    def _emit(self, sid: str, name: str, payload: Mapping[str, Any]) -> None:
        self._server.emit(name, payload, to=sid)

    @property
    def _server(self) -> Any:
        return cast(Any, self.socketio).server
