"""A bus over a service that all processes reach: channels, a connection to send and one to receive.

While the service is away nothing is sent and nothing waits: who follows a run reads the store. The
log says when it went and when it came back.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from app.broker.bus import Take
from app.runs.ports import Runtime, Task

log = logging.getLogger(__name__)
MOST_WAITING = 1000  # messages to be sent; the oldest go first where the service is slow
LOOK_S = 2.0  # a connection on which nothing comes is tried that often
TRY_AGAIN_S = 0.5  # a service that is away; doubled up to
MOST_TRY_AGAIN_S = 5.0
AT_ONCE = 50  # messages taken before others have their turn
ID_BYTES = 32  # what is for all begins with whose it is
Sent = tuple[str, bytes]  # a channel, a message


class Sender(Protocol):
    """A connection that sends; may wait. Raises any exception where it is broken."""

    def send(self, messages: Sequence[Sent]) -> None: ...

    def close(self) -> None: ...


class Receiver(Protocol):
    """A connection that receives. Raises any exception where it is broken."""

    def receive(self) -> Iterable[Sent]:
        """Return what comes next; waits for it, but no longer than LOOK_S. Where nothing comes the
        connection is tried."""

    def close(self) -> None: ...


class Service(Protocol):
    """What makes the connections; both may wait, and raise any exception."""

    name: str
    most_bytes: int

    def sender(self) -> Sender: ...

    def receiver(self, channels: Sequence[str]) -> Receiver: ...


L = TypeVar("L", Sender, Receiver)


class ServedBus:
    """Implements `Bus`. Channels are named by the group of processes and the worker."""

    def __init__(self, service: Service, group: str, runtime: Runtime) -> None:
        self.name = service.name
        self.most_bytes = service.most_bytes - ID_BYTES
        self._service = service
        self._group = group
        self._runtime = runtime
        self._take: Take | None = None
        self._id = self._heard_as = ""
        self._waiting: deque[Sent] = deque(maxlen=MOST_WAITING)
        self._waiter = runtime.new_waiter()
        self._tasks: list[Task] = []
        self._closed = False
        self._away: set[str] = set()  # what is broken: sending, receiving
        self.connected = threading.Event()  # once it receives

    def open(self, take: Take) -> None:
        self._take = take

    def be(self, worker_id: str) -> None:
        first, self._id = not self._id, worker_id  # who receives sees it within LOOK_S
        if first:
            spawn, service = self._runtime.spawn, self._service
            self._tasks = [
                spawn(self._keep, "sending", service.sender, self._send_by),
                spawn(self._keep, "receiving", self._receiver, self._receive_by),
            ]

    def send(self, worker_id: str, message: bytes) -> None:
        self._post(self._channel(worker_id), message)

    def send_all(self, message: bytes) -> None:
        self._post(self._channel("all"), self._id.encode() + message)

    def _channel(self, worker_id: str) -> str:
        return f"{self._group}_{worker_id}"

    def _post(self, channel: str, message: bytes) -> None:
        if "sending" not in self._away:
            self._waiting.append((channel, message))
            self._waiter.wake()

    def _keep(self, what: str, connect: Callable[[], L], use: Callable[[L], None]) -> None:
        """Use a connection, and another after it; after one that failed not at once."""
        pause_s = TRY_AGAIN_S
        while not self._closed:
            connection: L | None = None
            try:
                connection = connect()
                self._works(what)
                pause_s = TRY_AGAIN_S
                use(connection)
            except Exception as error:
                self._fails(what, error)
                self._runtime.sleep(pause_s)
                pause_s = min(2 * pause_s, MOST_TRY_AGAIN_S)
            finally:
                if connection is not None:
                    with suppress(Exception):
                        connection.close()

    def _send_by(self, sender: Sender) -> None:
        while not self._closed:
            while not self._waiting and not self._closed:
                self._waiter.wait()
            some = []
            while self._waiting:
                some.append(self._waiting.popleft())
            if some:
                sender.send(some)

    def _receiver(self) -> Receiver:
        self._heard_as = self._id
        return self._service.receiver([self._channel(self._heard_as), self._channel("all")])

    def _receive_by(self, receiver: Receiver) -> None:
        """Take what comes, as long as this is the same worker."""
        self.connected.set()
        ours, to_all = self._heard_as, self._channel("all")
        own, taken = ours.encode(), 0
        while not self._closed and ours == self._id:
            for channel, message in receiver.receive():
                if channel == to_all:
                    if message.startswith(own):
                        continue
                    message = message[ID_BYTES:]
                if self._take is not None:
                    self._take(message)
                taken += 1
                if taken % AT_ONCE == 0:
                    self._runtime.sleep(0)

    def _works(self, what: str) -> None:
        if what in self._away:
            self._away.discard(what)
            log.warning("the bus works again: %s", what)

    def _fails(self, what: str, error: Exception) -> None:
        if what == "sending":
            self._waiting.clear()
        if what not in self._away:
            self._away.add(what)
            log.warning("the bus fails (%s): %s: %s", self.name, what, type(error).__name__)

    def close(self) -> None:
        self._closed = True
        self._waiter.wake()
        for task in self._tasks:
            task.kill()
