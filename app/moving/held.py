"""Bytes of attachments between their line and the session that is put with them."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

from app.moving.lines import BytesLine, Refused
from app.moving.ports import Incoming, Shelf

STEP = 4 * 65536  # characters of base64 that are decoded at a time


class HeldBytes:
    """On their way to the shelf; on it they are once their session is stored."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[str, Incoming] = {}
        self._put: list[str] = []

    def take(self, number: int, line: BytesLine) -> None:
        """Take what that line has. Raises Refused where it is not what it says."""
        if line.sha256 in self._held or self._is_on_the_shelf(line.sha256):
            return
        incoming = self._shelf.receive()
        try:
            for start in range(0, len(line.data), STEP):
                incoming.write(base64.b64decode(line.data[start : start + STEP], validate=True))
            if incoming.sha256 != line.sha256:
                raise Refused(
                    f"line {number}: the bytes of {line.sha256} do not have that SHA-256."
                )
            incoming.finish()
            incoming.set_aside()
        except BaseException as error:
            incoming.close()
            if isinstance(error, binascii.Error):
                raise Refused(f"line {number}: its data is no base64.") from error
            raise
        self._held[line.sha256] = incoming

    def _is_on_the_shelf(self, sha256: str) -> bool:
        with suppress(KeyError):
            self._shelf.open(sha256).close()
            return True
        return False

    def put(self, sha256: str) -> None:
        """See to it that the bytes are on the shelf: within the transaction that stores what they
        belong to. Raises Refused for bytes that did not come."""
        if sha256 in self._put:
            return
        if sha256 in self._held:
            self._held[sha256].put()
            self._put.append(sha256)
        elif not self._is_on_the_shelf(sha256):
            raise Refused(f"the bytes of {sha256} are neither in the file nor there. Import again.")

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
