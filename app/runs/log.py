"""The run log: numbered entries, ending in exactly one `end`. The only source of what was said.

An entry is in the log only once it is stored (the committer sees to that), so whatever a reader
gets survives the process. Readers are cursors: they own nothing, may be slow, and cost nothing
while away.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain

from app.core.entries import (
    APPROVAL_ANSWER,
    BY_CODE,
    END,
    KINDS,
    STEP_END,
    TOOL_RESULT,
    Entry,
    content_of,
    texts_of,
)
from app.core.errors import BadCursor, LogReset
from app.core.messages import Content, extended, text_parts
from app.core.tools import pause_at_end
from app.runs.ports import Lock, Waiter

PACK_AT = 256  # entries kept as objects for the readers that are up to date; older ones are packed
MAY_WAIT = frozenset({APPROVAL_ANSWER, STEP_END, TOOL_RESULT})  # after one of these a run may wait
READ_LIMIT = 1024  # entries a read returns at most: a reader far behind is served in bounded steps

MAX_MILLIS = 2**32 - 1
_CODES = {kind.name: kind.code for kind in KINDS.values()}
_OF_THE_REPLY = [kind.code for kind in KINDS.values() if kind.part == "text"]


class RunLog:
    """Append-only, thread-safe; every read returns copies."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._lock = Lock()
        self._packed: list[PackedEntries] = []  # guarded by _lock
        self._tail: list[Entry] = []  # guarded by _lock
        self._end: Entry | None = None  # guarded by _lock
        found = list(entries)
        # A folded log begins with one entry that stands for all before it.
        self._first_seq = found[0].seq if found else 1
        self._last_seq = self._first_seq - 1  # guarded by _lock
        self._readers: dict[LogReader, None] = {}  # guarded by _lock: those asleep, in order
        self.append(found)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add stored entries and wake the readers. Raises ValueError on a gap or after the end."""
        with self._lock:
            for entry in entries:
                if entry.seq != self._last_seq + 1 or self._end is not None:
                    raise ValueError(f"entry {entry.seq} does not follow {self._last_seq}")
                self._last_seq = entry.seq
                if entry.kind == END:
                    self._end = entry
                else:
                    self._tail.append(entry)
            self._pack()
            sleeping, self._readers = self._readers, {}
        for reader in sleeping:
            reader.wake()

    def _pack(self) -> None:
        keep = 0 if self._end else PACK_AT
        while len(self._tail) >= PACK_AT + keep:
            self._packed.append(PackedEntries(self._tail[:PACK_AT]))
            del self._tail[:PACK_AT]

    @property
    def last_seq(self) -> int:
        """The newest entry's number; 0 for an empty log."""
        with self._lock:
            return self._last_seq

    @property
    def last_kind(self) -> str:
        """The newest entry's kind; empty for an empty log."""
        with self._lock:
            if self._end is not None:
                return END
            return self._tail[-1].kind if self._tail else ""

    @property
    def end(self) -> Entry | None:
        """The `end` entry, or None while the run goes on."""
        with self._lock:
            return self._end

    @property
    def pause(self) -> Entry | None:
        """The entry that says what the run waits for, if it does; without what was answered."""
        with self._lock:
            return pause_at_end(self._tail) if self._end is None else None

    @property
    def is_folded(self) -> bool:
        """Whether its entries are not all of those that it had."""
        return self._first_seq > 1

    def is_over(self, after: int) -> bool:
        """Whether nothing comes after that entry: the run has ended, or waits."""
        return after >= self.last_seq and (self.end or self.pause) is not None

    def everything(self) -> list[Entry]:
        """Return all entries, in order."""
        with self._lock:
            packed, tail, end = list(self._packed), list(self._tail), self._end
        found = [entry for block in packed for entry in block.since(0)] + tail
        return [*found, end] if end is not None else found

    def check(self, after: int) -> None:
        """Raise BadCursor if `after` is ahead of the log, LogReset if what follows it was
        folded."""
        if after > self.last_seq:
            raise BadCursor()
        if self._first_seq > 1 and 0 < after < self._last_of_folded():
            raise LogReset()

    def _last_of_folded(self) -> int:
        """Return the entry before the end: what stands before it is not numbered as it was."""
        return max(self._first_seq, self._end.seq - 1) if self._end else self._first_seq

    def since(self, after: int) -> list[Entry]:
        """Return at most READ_LIMIT entries beyond `after`, in order."""
        with self._lock:
            return self._since(after)[:READ_LIMIT]

    def _since(self, after: int) -> list[Entry]:
        tail_first = self._tail[0].seq if self._tail else self._last_seq + 1
        if self._end is not None and not self._tail:
            tail_first = self._end.seq
        found: list[Entry] = []
        if after + 1 < tail_first:
            # Every block holds PACK_AT entries.
            block = max(0, after + 1 - self._first_seq) // PACK_AT
            while block < len(self._packed) and len(found) < READ_LIMIT:
                found += self._packed[block].since(after)
                block += 1
            if block < len(self._packed):
                return found
        found += self._tail[max(0, after + 1 - tail_first) :] if self._tail else []
        if self._end is not None and after < self._end.seq:
            found.append(self._end)
        return found

    def text(self, upto: int | None = None) -> str:
        """Return the joined text of the entries up to and with `upto` (all of them by default)."""
        with self._lock:
            packed, tail = list(self._packed), list(self._tail)
        parts = []
        for block in packed:
            if upto is None or block.last <= upto:
                parts.append(block.text())
            elif block.first <= upto:
                parts += _texts(block.since(0), upto)
        return "".join(parts + _texts(tail, upto))

    def content(self) -> Content:
        """Return what the reply's message has when the run ends here."""
        with self._lock:
            packed, tail = list(self._packed), list(self._tail)
        if all(block.is_plain for block in packed):
            text = "".join([block.text() for block in packed])
            head = text_parts(text) if text else ()
            return extended(head, content_of(tail))
        return content_of(chain(*(block.since(0) for block in packed), tail))

    def text_count(self, upto: int) -> int:
        """Return how many text entries there are up to and with `upto`."""
        with self._lock:
            packed, tail = list(self._packed), list(self._tail)
        count = len(_texts(tail, upto))
        for block in packed:
            if block.last <= upto:
                count += block.text_count
            elif block.first <= upto:
                count += len(_texts(block.since(0), upto))
        return count

    def take(self, reader: LogReader) -> list[Entry]:
        """Return what the reader has not read, like `since`; if that is nothing, note it as
        asleep."""
        with self._lock:
            if self._last_seq > reader.after:
                return self._since(reader.after)[:READ_LIMIT]
            if self._end is None:
                self._readers[reader] = None
            return []

    def forget(self, reader: LogReader) -> None:
        """Take a reader off the list of those asleep."""
        with self._lock:
            self._readers.pop(reader, None)

    def wake_due(self, now: float) -> None:
        """Wake the readers whose heartbeat is due at `now` (monotonic seconds)."""
        with self._lock:
            due = [reader for reader in self._readers if reader.deadline <= now]
        for reader in due:
            reader.wake()


def _texts(entries: Iterable[Entry], upto: int | None) -> list[str]:
    return texts_of(e for e in entries if upto is None or e.seq <= upto)


class LogReader:
    """A viewer's cursor into a log; used by one task. `after` moves as it reads."""

    def __init__(
        self,
        log: RunLog,
        after: int,
        waiter: Waiter,
        heartbeat_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        log.check(after)
        self.after = after
        self.deadline = 0.0
        self._log = log
        self._waiter = waiter
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self.done = log.is_over(after)  # the run has ended or waits, and all was read

    def wake(self) -> None:
        """Let a sleeping `read` look again."""
        self._waiter.wake()

    def poll(self) -> list[Entry]:
        """Return what is new without waiting for it. The waiter is woken when there is more, until
        `leave`."""
        if self.done:
            return []
        self.deadline = self._monotonic() + self._heartbeat_s
        return self._advanced(self._log.take(self))

    def leave(self) -> None:
        """Be woken no longer."""
        self._log.forget(self)

    def read(self) -> list[Entry]:
        """Return what is new, waiting for it; nothing means that a heartbeat is due, or `done`."""
        if self.done:
            return []
        self.deadline = self._monotonic() + self._heartbeat_s
        try:
            while not (entries := self._log.take(self)):
                if self._monotonic() >= self.deadline:
                    break
                self._waiter.wait()
        except BaseException:
            self._log.forget(self)
            raise
        if not entries:
            self._log.forget(self)
        return self._advanced(entries)

    def _advanced(self, entries: list[Entry]) -> list[Entry]:
        if entries:
            last = entries[-1]
            self.after, self.done = last.seq, last.kind == END
            if last.kind in MAY_WAIT:
                self.done = self._log.is_over(last.seq)
        return entries


class PackedEntries:
    """Consecutive entries that will not change any more, no `end` among them: their text once, and
    nine bytes for each.

    A Python object for each piece would cost ten times the piece; a long reply is held by many logs
    at once.
    """

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
