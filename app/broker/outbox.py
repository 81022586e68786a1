"""What a process has to say in a turn, gathered: one message for each other process and turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.broker.bus import Bus
from app.runs.ports import Lock

SEPARATOR = b"\n"  # JSON as it is written here has none


class Outbox:
    """Thread-safe; sends soon after what runs now."""

    def __init__(self, bus: Bus, call_soon: Callable[[Callable[[], None]], None]) -> None:
        self._bus = bus
        self._call_soon = call_soon
        self._lock = Lock()
        self._waiting: dict[str | None, list[bytes]] = {}  # None: for all; guarded by _lock

    def post(self, worker_id: str | None, message: bytes) -> None:
        """Send a message to that worker, or to all."""
        with self._lock:
            first = not self._waiting
            self._waiting.setdefault(worker_id, []).append(message)
        if first:
            self._call_soon(self._flush)

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for worker_id, messages in waiting.items():
            for joined in _joined(messages, self._bus.most_bytes):
                if worker_id is None:
                    self._bus.send_all(joined)
                else:
                    self._bus.send(worker_id, joined)


def _joined(messages: list[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield the messages, as many in one as there is room for."""
    some: list[bytes] = []
    size = 0
    for message in messages:
        if some and size + len(message) + 1 > most_bytes:
            yield SEPARATOR.join(some)
            some, size = [], 0
        some.append(message)
        size += len(message) + 1
    yield SEPARATOR.join(some)
