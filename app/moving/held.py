"""Bytes of attachments between their line and the session that is put with them."""

from __future__ import annotations

from contextlib import suppress

from app.moving.lines import BytesLine, Refused, decoded
from app.moving.ports import Incoming, Shelf


class HeldBytes:
    """On their way to the shelf; on it they are once their session is stored."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[str, Incoming] = {}
        self._put: list[str] = []

    def take(self, line: BytesLine) -> None:
        """Take what that line has, unless it is here. Raises OSError."""
        if line.sha256 in self._held or self._is_on_the_shelf(line.sha256):
            return
        incoming = self._shelf.receive()
        try:
            for piece in decoded(line.data):
                incoming.write(piece)
            incoming.finish()
            incoming.set_aside()
        except BaseException:
            incoming.close()
            raise
        self._held[line.sha256] = incoming

    def _is_on_the_shelf(self, sha256: str) -> bool:
        with suppress(KeyError):
            self._shelf.open(sha256).close()
            return True
        return False

    def put(self, sha256: str) -> None:
        """See to it that the bytes are on the shelf: within the transaction that stores what they
        belong to. Raises Refused, OSError."""
        if sha256 in self._put:
            return
        if sha256 in self._held:
            self._held[sha256].put()
            self._put.append(sha256)
        elif not self._is_on_the_shelf(sha256):
            raise Refused(f"the bytes of {sha256} were deleted meanwhile: import again.")

    def forget_put(self) -> None:
        """Note that the transaction is done."""
        for sha256 in self._put:
            self._held.pop(sha256).close()
        self._put.clear()

    def close(self) -> None:
        """Let go of what was not put."""
        for incoming in self._held.values():
            incoming.close()
        self._held.clear()
