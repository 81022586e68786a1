"""Bare text, for `Accept: text/plain`: `curl` shows a reply and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from app.dialects.base import ReplyCut
from app.runs.run_log import Entry


class PlainTextEncoder:
    """The text as it comes. A run that did not complete breaks off, so that curl exits non-zero."""

    content_type = "text/plain; charset=utf-8"
    opening = b""
    heartbeat = b""

    def __init__(self) -> None:
        self._cut = False

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """Return the text of these entries."""
        for entry in entries:
            if entry.kind == "end" and entry.data["status"] != "completed":
                self._cut = True
        return "".join(entry.data for entry in entries if entry.kind == "text").encode()

    def close(self) -> None:
        """Raise ReplyCut if what was encoded is not the whole reply."""
        if self._cut:
            raise ReplyCut()
