"""Bare text, for `Accept: text/plain`: `curl` shows a reply and nothing else."""

from __future__ import annotations

from app.core.entries import TEXT, Entry
from app.dialects.dialect import Encoder, ReplyCut


class PlainTextEncoder(Encoder):
    """The text as it comes. A run that did not complete breaks off, so that curl exits non-zero."""

    content_type = "text/plain; charset=utf-8"
    opening = b""
    heartbeat = b""

    def __init__(self) -> None:
        self._cut = False

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return a text as it is."""
        text: str = entry.data if entry.kind == TEXT else ""
        return text.encode()

    def ending(self, entry: Entry) -> bytes:
        """Return nothing, but remember whether the reply is whole."""
        self._cut = entry.data["status"] != "completed"
        return b""

    def close(self) -> bytes:
        """Raise ReplyCut if what was encoded is not the whole reply."""
        if self._cut:
            raise ReplyCut()
        return b""
