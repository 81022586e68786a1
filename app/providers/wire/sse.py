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
_FIELDS = (b":", b"event", b"id", b"retry")
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
        self._rest = b""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._at_start = True
        self._is_error = False  # the event under way
        self.stray: list[bytes] = []  # lines that are no fields
        self._stray_bytes = 0

    @property
    def pending(self) -> bool:
        """Whether an event has begun that is not complete."""
        return bool(self._rest.strip(b"\r\n") or self._data)

    def feed(self, received: bytes) -> list[bytes]:
        """Return the data of the events these bytes complete. Raises EventTooLarge."""
        buffer = self._rest + received if self._rest else received
        if self._at_start:
            if _BOM.startswith(buffer) and len(buffer) < len(_BOM):
                self._rest = buffer
                return []
            buffer = buffer.removeprefix(_BOM)
            self._at_start = False
        if b"\r" in buffer:
            # A CR at the very end may be the first half of a CRLF: wait for what follows.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            held = b""
        *lines, rest = buffer.split(b"\n")
        self._rest = rest + held
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if self._data and (data := self._take()):
                    events.append(data)
                self._is_error = False
            else:
                self._other(line)
        if len(self._rest) + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge(events)
        return events

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._data_bytes += len(data)

    def _other(self, line: bytes) -> None:
        if line == b"data":  # a field without a colon has an empty value
            self._add(b"")
        elif line.startswith(b"event:"):
            self._is_error = line[6:].strip() == b"error"
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
        lines = self.feed(b"\n\n") if self._rest or self._data else []
        return lines


def _as_error(data: bytes) -> bytes:
    """Return the data of an `event: error` as an object that says that it is one."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = data.decode("utf-8", "replace")
    return json.dumps({"error": said or True}).encode()
