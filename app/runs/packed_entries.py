"""Entries that will not change any more, packed: their text once, and nine bytes for each.

A Python object for each piece would cost ten times the piece; a long reply is held by many logs at
once.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence

from app.core.entries import Entry

MAX_MILLIS = 2**32 - 1
_CODES = {"text": 116, "reasoning": 114, "status": 115}  # t r s
_KINDS = {code: kind for kind, code in _CODES.items()}


class SealedEntries:
    """A run of consecutive entries, none of them an `end`, in a few bytes more than their text."""

    __slots__ = ("first", "last", "text_count", "_at", "_data", "_ends", "_kinds", "_millis")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.first = entries[0].seq
        self.last = entries[-1].seq
        self._at = entries[0].at
        self._kinds = bytes(_CODES[entry.kind] for entry in entries)
        self.text_count = self._kinds.count(_CODES["text"])
        # A wall clock may jump either way; what does not fit 32 bits is cut to what does.
        millis = (int((entry.at - self._at) * 1000) for entry in entries)
        self._millis = array("I", [min(max(0, passed), MAX_MILLIS) for passed in millis])
        data = [_to_bytes(entry) for entry in entries]
        self._data = b"".join(data)
        end = 0
        self._ends = array("I", [end := end + len(piece) for piece in data])

    def since(self, after: int) -> list[Entry]:
        """Return the entries beyond `after`."""
        start = max(0, after + 1 - self.first)
        begin = self._ends[start - 1] if start else 0
        found = []
        for index in range(start, len(self._ends)):
            end = self._ends[index]
            kind = _KINDS[self._kinds[index]]
            data = self._data[begin:end].decode()
            found.append(
                Entry(
                    self.first + index,
                    kind,
                    json.loads(data) if kind == "status" else data,
                    self._at + self._millis[index] / 1000,
                )
            )
            begin = end
        return found

    def text(self) -> str:
        """Return all text entries, joined."""
        if self.text_count == len(self._kinds):
            return self._data.decode()
        return "".join(entry.data for entry in self.since(0) if entry.kind == "text")


def _to_bytes(entry: Entry) -> bytes:
    data = json.dumps(entry.data) if entry.kind == "status" else entry.data
    return str(data).encode()
