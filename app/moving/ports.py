"""What moving needs of the shelf that attachments' bytes are on."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Incoming(Protocol):
    """Bytes that are not on the shelf yet."""

    @property
    def sha256(self) -> str:
        """Of all that was written."""

    def write(self, data: bytes) -> None:
        """Take more. Raises OSError."""

    def finish(self) -> None:
        """Have all of it kept, whatever dies now. Raises OSError."""

    def set_aside(self) -> None:
        """Hold no open file until it is put."""

    def put(self) -> None:
        """Put it on the shelf. Raises OSError."""

    def close(self) -> None:
        """Let go of it; what was not put is gone."""


class Shelf(Protocol):
    """Bytes by their SHA-256."""

    def receive(self) -> Incoming:
        """Return a place for bytes that come. Raises OSError."""

    def open(self, sha256: str) -> BinaryIO:
        """Return the bytes as a file. Raises KeyError."""
