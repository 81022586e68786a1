"""A python-socketio client that keeps what it receives, and waits for it."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import engineio
import socketio

from tests.support.server import Server

ENDS = {"chat_complete", "chat_stream_error", "chat_requires_action"}
NAMES = (
    "chat_token",
    "chat_complete",
    "chat_stream_error",
    "chat_status",
    "chat_tool",
    "chat_file",
    "chat_requires_action",
    "run_started",
    "run_waiting",
    "run_ended",
    "branch_changed",
    "session_deleted",
)


class InOrder(engineio.Client):  # type: ignore[misc]
    """The library's, which hands each message to a thread of its own: a busy machine may run the
    later one first."""

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Hand messages to one thread; start one for all else."""
        if target != self.handlers.get("message"):
            return super().start_background_task(target, *args, **kwargs)
        if not hasattr(self, "messages"):
            self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
            threading.Thread(target=self._take_messages, args=(target,), daemon=True).start()
        self.messages.put(args)
        return None

    def _take_messages(self, target: Callable[..., Any]) -> None:
        while True:
            target(*self.messages.get())


class OrderedClient(socketio.Client):  # type: ignore[misc]
    """Whose events come in the order in which they were sent."""

    def _engineio_client_class(self) -> type:
        return InOrder


class SocketClient:
    """One connection; `events` are (name, data) in the order they came."""

    def __init__(
        self,
        server: Server,
        transport: str | tuple[str, ...] = "websocket",
        auth: Any = None,
        **headers: str,
    ) -> None:
        self.client = OrderedClient(reconnection=False)
        self.events: list[tuple[str, Any]] = []
        self._changed = threading.Condition()
        self.disconnected = threading.Event()
        for name in NAMES:
            self.client.on(name, self._keep(name))
        self.client.on("disconnect", lambda *reason: self.disconnected.set())
        transports = [transport] if isinstance(transport, str) else list(transport)
        self.client.connect(server.url, headers, auth, transports=transports, wait_timeout=30)

    def _keep(self, name: str) -> Callable[[Any], None]:
        def keep(data: Any) -> None:
            with self._changed:
                self.events.append((name, data))
                self._changed.notify_all()

        return keep

    def call(self, event: str, data: Any = None, timeout_s: float = 30) -> Any:
        """Emit and return the ack."""
        return self.client.call(event, data, timeout=timeout_s)

    def wait_for(
        self, enough: Callable[[list[tuple[str, Any]]], bool], timeout_s: float = 30
    ) -> Any:
        """Wait until the events satisfy a condition; return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.events), timeout_s), self.events[-3:]
            return list(self.events)

    def wait_for_end(self, timeout_s: float = 30) -> dict[str, Any]:
        """Wait for the end of the run that is followed; return its data."""
        events = self.wait_for(lambda seen: any(name in ENDS for name, _ in seen), timeout_s)
        return next(data for name, data in events if name in ENDS)

    def tokens(self) -> list[Any]:
        """Return the data of the chat_token events."""
        with self._changed:
            return [data for name, data in self.events if name == "chat_token"]

    def text(self) -> str:
        """Return the joined tokens."""
        return "".join(token["token"] for token in self.tokens())

    def _hang_up(self) -> None:
        with suppress(OSError):  # the other side may have been faster
            self.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, without the three seconds that a polite close may wait for its answer."""
        websocket = self.client.eio.ws
        if self.client.connected and self.client.transport() == "websocket":
            websocket.close = self._hang_up
        if self.client.connected and self.client.transport() == "polling":
            # Its poll may be out for as long as a ping: nobody waits for that.
            threading.Thread(target=self.client.disconnect, daemon=True).start()
            return
        self.client.disconnect()
        if websocket is not None:
            websocket.shutdown()
