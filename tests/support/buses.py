"""A bus in one process, that delivers, loses, doubles and delays as it is told."""

from __future__ import annotations

from collections.abc import Callable

from app.broker.bus import Take


class Wire:
    """What all buses of a test are ends of. `fate` says how often a message comes; those that are
    `held` come when they are let go, in the order given."""

    def __init__(self) -> None:
        self.ends: dict[str, Take] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.fate: Callable[[bytes], int] = lambda message: 1
        self.hold = False
        self.held: list[tuple[str, bytes]] = []

    def carry(self, worker_id: str, message: bytes) -> None:
        """Deliver a message as its fate is."""
        self.sent.append((worker_id, message))
        for _ in range(self.fate(message)):
            if self.hold:
                self.held.append((worker_id, message))
            else:
                self.deliver(worker_id, message)

    def deliver(self, worker_id: str, message: bytes) -> None:
        """Hand a message to its worker, if it is there."""
        take = self.ends.get(worker_id)
        if take is not None:
            take(message)

    def let_go(self) -> None:
        """Deliver what was held."""
        held, self.held = self.held, []
        for worker_id, message in held:
            self.deliver(worker_id, message)


class WireBus:
    """Implements `Bus`."""

    name = "wire"

    def __init__(self, wire: Wire, most_bytes: int = 10_000) -> None:
        self.most_bytes = most_bytes
        self._wire = wire
        self._take: Take | None = None
        self._id = ""

    def open(self, take: Take) -> None:
        self._take = take

    def be(self, worker_id: str) -> None:
        assert self._take is not None
        self._wire.ends.pop(self._id, None)
        self._id = worker_id
        self._wire.ends[worker_id] = self._take

    def send(self, worker_id: str, message: bytes) -> None:
        assert len(message) <= self.most_bytes
        self._wire.carry(worker_id, message)

    def send_all(self, message: bytes) -> None:
        for worker_id in list(self._wire.ends):
            if worker_id != self._id:
                self.send(worker_id, message)

    def close(self) -> None:
        self._wire.ends.pop(self._id, None)
