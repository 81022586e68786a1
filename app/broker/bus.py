"""What a bus must do: carry small messages between processes. The engines are in buses/.

A message may be lost, come twice, or come late: what stands on a bus stands in the store too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Take = Callable[[bytes], None]


class Bus(Protocol):
    """Thread-safe; nothing in it waits for anybody."""

    name: str
    most_bytes: int  # of a message; a larger one is lost

    def open(self, take: Take) -> None:
        """Hand on what comes, from now on."""

    def be(self, worker_id: str) -> None:
        """Receive what is sent to that worker, and no longer what is sent to another."""

    def send(self, worker_id: str, message: bytes) -> None:
        """Send to one worker."""

    def send_all(self, message: bytes) -> None:
        """Send to all workers but this one."""

    def close(self) -> None:
        """Receive and send nothing more."""
