"""An SSE client that reads as it comes; and a parser by the WHATWG's grammar."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.support.server import Asked


@dataclass
class SseEvent:
    """One event as it was received; `data` is parsed JSON, or `[DONE]`."""

    id: str
    data: Any


def _value(data: str) -> Any:
    """Return what an event says: JSON, or the mark of the end of some dialects."""
    return data if data == "[DONE]" else json.loads(data)


class SseParser:
    """The event-stream grammar, for text; comments are kept aside."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._id = ""
        self.comments: list[str] = []

    def feed(self, received: bytes) -> list[SseEvent]:
        """Return the events these bytes complete."""
        self._rest += received
        events = []
        while b"\n" in self._rest:
            line, self._rest = self._rest.split(b"\n", 1)
            text = line.decode()
            if not text:
                if self._data:
                    events.append(SseEvent(self._id, _value("\n".join(self._data))))
                self._data = []
            elif text.startswith(":"):
                self.comments.append(text[1:].strip())
            else:
                field, _, value = text.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if field == "data":
                    self._data.append(value)
                elif field == "id":
                    self._id = value
        return events


class SseStream:
    """An open event stream."""

    opened: ClassVar[list[SseStream]] = []  # for the fixture that closes what a test left open

    def __init__(
        self,
        server: Asked,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        data = json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json"} if data else {}
        self._answer = server.open(method, path, data, {**sent, **(headers or {})})
        self.status = self._answer.status
        self.headers = {name.lower(): value for name, value in self._answer.headers.items()}
        self.parser = SseParser()
        self._events: list[SseEvent] = []
        self.received = 0
        self.opened.append(self)

    @property
    def run_id(self) -> str:
        """The run that is followed."""
        return self.headers["x-run-id"]

    def next(self) -> SseEvent | None:
        """Return the next event, waiting for it; None at the end of the stream."""
        while not self._events:
            data = self._answer.read1(65536)
            if not data:
                return None
            self.received += len(data)
            self._events = self.parser.feed(data)
        return self._events.pop(0)

    def read_some(self) -> None:
        """Wait for whatever comes next: an event, which is kept, or a heartbeat."""
        self._events += self.parser.feed(self._answer.read1(65536))

    def take(self, count: int) -> list[SseEvent]:
        """Return that many events."""
        found = [self.next() for _ in range(count)]
        assert None not in found
        return found  # type: ignore[return-value]

    def rest(self) -> list[SseEvent]:
        """Return all events until the stream ends."""
        found = []
        while (event := self.next()) is not None:
            found.append(event)
        return found

    def close(self) -> None:
        """Hang up, at once."""
        self._answer.close()


def stream_chat(server: Asked, message: str, **fields: Any) -> SseStream:
    """Start a run over SSE."""
    headers = fields.pop("headers", None)
    return SseStream(server, "POST", "/api/chat/stream", {"message": message, **fields}, headers)


def follow_run(server: Asked, run_id: str, after: int = 0, **headers: str) -> SseStream:
    """Follow a run over SSE."""
    path = f"/api/runs/{run_id}/events?after={after}"
    return SseStream(server, "GET", path, headers=headers)


def text_of(events: list[SseEvent]) -> str:
    """Return the joined tokens."""
    return "".join(event.data.get("token", "") for event in events)
