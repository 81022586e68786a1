"""Read `data:` payloads out of the bytes of an event stream, whatever they are cut at.

WHATWG HTML, "Interpreting an event stream": lines end with CRLF, LF or CR; a leading BOM goes; an
event ends with a blank line, and one without data is none. Model servers use `data`, and `event`
for errors: the data of such an event comes as `{"error": ..}`. Deviations: an event that the
connection's end cuts off is not dropped in silence, `pending` says that there is one; lines that
are no fields are kept, since what a server says of its failure may be among them.
"""

from __future__ import annotations

import json

MAX_STRAY_BYTES = 16384
_NAMES = (b"data", b"event", b"id", b"retry")
_FIELDS = (b":", *_NAMES[1:])
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """An event of more bytes than are allowed; `events` are those that were complete before it."""

    def __init__(self, events: list[bytes]) -> None:
        super().__init__("event too large")
        self.events = events


class SseReader:
    """Feed it bytes; it returns the data of each event that is complete. Sizes are in bytes."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._parts: list[bytes] = []  # of a line that has not come whole
        self._parts_bytes = 0
        self._held_cr = False  # the last of them ends with half a line end, maybe
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._at_start = True
        self._is_error = False  # the event under way
        self.stray: list[bytes] = []  # lines that are no fields
        self._stray_bytes = 0

    @property
    def pending(self) -> bool:
        """Whether an event has begun that is not complete."""
        return bool(b"".join(self._parts).strip(b"\r\n") or self._data)

    def feed(self, received: bytes) -> list[bytes]:
        """Return the data of the events these bytes complete. Raises EventTooLarge."""
        if self._parts and not (self._at_start or self._held_cr):
            if b"\n" not in received and b"\r" not in received:
                # A line that comes in many reads is joined once, at its end.
                self._parts.append(received)
                self._parts_bytes += len(received)
                if self._parts_bytes + self._data_bytes > self._max_event_bytes:
                    raise EventTooLarge([])
                return []
        buffer = b"".join((*self._parts, received)) if self._parts else received
        if self._at_start:
            if _BOM.startswith(buffer) and len(buffer) < len(_BOM):
                self._parts = [buffer]
                return []
            buffer = buffer.removeprefix(_BOM)
            self._at_start = False
        if b"\r" in buffer:
            # A CR at the very end may be the first half of a CRLF: wait for what follows.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            held = b""
        events, buffer = self._ordinary(buffer)
        *lines, rest = buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if self._data and (data := self._take()):
                    events.append(data)
                self._is_error = False
            else:
                self._other(line)
        self._parts = [rest + held] if rest or held else []
        self._parts_bytes = len(rest) + len(held)
        self._held_cr = bool(held)
        if self._parts_bytes + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge(events)
        return events

    def _ordinary(self, buffer: bytes) -> tuple[list[bytes], bytes]:
        """Return the data of the events that the buffer begins with, and the rest of it: if each of
        them is one line `data: ..`, as a rule, they are split at once, else they are the rest."""
        end = buffer.rfind(b"\n\n")
        if end > 0 and buffer.startswith(b"data: ") and not (self._data or self._is_error):
            events = buffer[6:end].split(b"\n\ndata: ")
            if buffer.count(b"\n", 0, end) == 2 * (len(events) - 1) and b"" not in events:
                return events, buffer[end + 2 :]
        return [], buffer

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._data_bytes += len(data) + 1

    def _other(self, line: bytes) -> None:
        if line == b"data":  # a field without a colon has an empty value
            self._add(b"")
        elif line.startswith(b"event:"):
            self._is_error = line[6:].strip() == b"error"
        elif any(name.startswith(line) for name in _NAMES):  # cut in its name
            return
        elif not line.startswith(_FIELDS) and self._stray_bytes < MAX_STRAY_BYTES:
            self.stray.append(line[:MAX_STRAY_BYTES])
            self._stray_bytes += len(self.stray[-1])

    def _take(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        self._data_bytes = 0
        return _as_error(data) if self._is_error and data else data

    def close(self) -> list[bytes]:
        """Return the data of an event whose last line came but not its blank line."""
        lines = self.feed(b"\n\n") if self._parts or self._data else []
        return lines


def _as_error(data: bytes) -> bytes:
    """Return the data of an `event: error` as an object that says that it is one."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = data.decode("utf-8", "replace")
    return json.dumps({"error": said or True}).encode()
