"""Entries that will not change any more, packed: their text once, and nine bytes for each.

A Python object for each piece would cost ten times the piece; a long reply is held by many logs at
once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate

from app.core.entries import BY_CODE, KINDS, Entry, texts_of

MAX_MILLIS = 2**32 - 1
_CODES = {kind.name: kind.code for kind in KINDS.values()}
_OF_THE_REPLY = [kind.code for kind in KINDS.values() if kind.part == "text"]


class PackedEntries:
    """A run of consecutive entries, none of them an `end`, in a few bytes more than their text."""

    __slots__ = ("first", "last", "text_count", "_at", "_data", "_ends", "_kinds", "_millis")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.first = entries[0].seq
        self.last = entries[-1].seq
        _, kinds, data, times = zip(*entries)  # by columns, not entry by entry: it is half the time
        self._at = times[0]
        self._kinds = bytes(map(_CODES.__getitem__, kinds))
        self.text_count = sum(self._kinds.count(code) for code in _OF_THE_REPLY)
        millis = [int((at - self._at) * 1000) for at in times]
        if min(millis) < 0 or max(millis) > MAX_MILLIS:
            # A wall clock may jump either way; what does not fit 32 bits is cut to what does.
            millis = [min(max(0, passed), MAX_MILLIS) for passed in millis]
        self._millis = array("I", millis)
        if self.is_plain and (text := "".join(data)).isascii():
            self._data = text.encode()
            sizes: Iterable[int] = map(len, data)
        else:
            packed = [KINDS[kind].pack(one) for kind, one in zip(kinds, data, strict=True)]
            self._data = b"".join(packed)
            sizes = map(len, packed)
        self._ends = array("I", accumulate(sizes))

    def since(self, after: int) -> list[Entry]:
        """Return the entries beyond `after`."""
        start = max(0, after + 1 - self.first)
        begin = self._ends[start - 1] if start else 0
        found = []
        for index in range(start, len(self._ends)):
            end = self._ends[index]
            kind = BY_CODE[self._kinds[index]]
            found.append(
                Entry(
                    self.first + index,
                    kind.name,
                    kind.unpack(self._data[begin:end]),
                    self._at + self._millis[index] / 1000,
                )
            )
            begin = end
        return found

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but text of the reply."""
        return self.text_count == len(self._kinds)

    def text(self) -> str:
        """Return all text of the reply, joined."""
        return self._data.decode() if self.is_plain else "".join(texts_of(self.since(0)))
