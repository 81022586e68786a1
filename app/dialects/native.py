"""The native dialect (seed 000): token events and a done event, the same on SSE and Socket.IO.

`NativeEvents` makes the payloads for both transports; `NativeEncoder` frames them as SSE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from app.chats.chat_request import ChatRequest
from app.dialects.base import (
    MERGE_ABOVE,
    Body,
    Dialect,
    Encoder,
    Id,
    Reply,
    Said,
    Spoken,
    joined,
    json_line,
    timestamp,
    validated,
)
from app.dialects.native_shapes import (
    DoneEvent,
    FailedEvent,
    Problem,
    StatusEvent,
    TokenEvent,
    WholeAnswer,
)
from app.runs.cursor import format_cursor
from app.runs.errors import ChatError
from app.runs.run_log import Entry

NO_PATH: Mapping[str, Any] = {}


class NativeBody(Body):
    """The body of `POST /api/chat/stream`, `POST /api/chat` and the event `chat_stream`."""

    message: Said
    session_id: Id | None = None
    provider: str | None = None
    model: str | None = None
    system: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    partial: bool = True
    on_disconnect: Literal["continue", "stop"] = "continue"
    when_busy: Literal["reject"] = "reject"
    idempotency_key: str | None = None


class Event(NamedTuple):
    """One event: its Socket.IO name, its place in the log (None for what is not of the log), its
    payload."""

    name: str
    seq: int | None
    payload: dict[str, Any]


class NativeEvents:
    """The events of one run for one viewer."""

    def __init__(self, reply: Reply, after: int, partial: bool) -> None:
        self._reply = reply
        self._run_id = reply.record.id
        self._count = reply.log.text_count(after) if after else 0
        self._so_far: str | None = (reply.log.text(after) if after else "") if partial else None

    def events(self, entries: Sequence[Entry], most: int = MERGE_ABOVE) -> list[Event]:
        """Return the events of these entries; of more than `most`, runs of text are joined."""
        shown = (self.event(entry, count) for entry, count in joined(entries, most))
        return [event for event in shown if event is not None]

    def event(self, entry: Entry, count: int) -> Event | None:
        """Return the event of an entry that stands for `count` of them; None for reasoning."""
        if entry.kind == "text":
            self._count += count
            return self._token(entry)
        if entry.kind == "end":
            return self._end(entry)
        if entry.kind == "status":
            payload = {**entry.data, "run_id": self._run_id, "seq": entry.seq}
            return Event("chat_status", entry.seq, payload)
        return None

    def _token(self, entry: Entry) -> Event:
        payload = {"token": entry.data, "count": self._count}
        if self._so_far is not None:
            self._so_far += entry.data
            payload["partial"] = self._so_far
        payload["run_id"] = self._run_id
        payload["seq"] = entry.seq
        return Event("chat_token", entry.seq, payload)

    def _end(self, entry: Entry) -> Event:
        end, record = entry.data, self._reply.record
        if end["error"]:
            return Event("chat_stream_error", entry.seq, failed_payload(record, entry))
        payload = {
            "done": True,
            **_figures(end),
            "full_response": self._reply.log.text(),
            "user": self._reply.user,
            "timestamp": timestamp(entry.at),
            "run_id": record.id,
            "session_id": record.session_id,
            "seq": entry.seq,
            "finish_reason": end["finish_reason"],
            "provider": record.provider,
            "model": record.model,
            "usage": end["usage"],
            "ttft_ms": None if end["ttft_s"] is None else round(end["ttft_s"] * 1000, 1),
        }
        return Event("chat_complete", entry.seq, payload)


class NativeEncoder(Encoder):
    """SSE frames of the native events."""

    # No empty line after it: httpx-sse, and the SDKs that took its decoder, make an event without
    # data of an empty line once they have seen an `id:`.
    heartbeat = b": ping\n"

    def __init__(self, events: NativeEvents, run_id: str) -> None:
        self._events = events
        self._run_id = run_id

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return an event, or nothing for what is not shown."""
        return self._frame(self._events.event(entry, count))

    def ending(self, entry: Entry) -> bytes:
        """Return the last event."""
        return self._frame(self._events.event(entry, 1))

    def _frame(self, event: Event | None) -> bytes:
        if event is None:
            return b""
        cursor = format_cursor(self._run_id, event.seq or 0).encode()
        return b"id: %s\ndata: %s\n\n" % (cursor, json_line(event.payload))


class Native(Dialect):
    """The dialect of seed 000."""

    name = "native"
    body = NativeBody
    event = TokenEvent | DoneEvent | FailedEvent | StatusEvent
    answer = WholeAnswer
    problem = Problem
    examples = ({"message": "Hello", "partial": False},)

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str] = NO_PATH) -> Spoken:
        """Return the request. Raises InvalidRequest."""
        said = validated(NativeBody, body)
        request = ChatRequest(
            message=said.message,
            session_id=said.session_id,
            provider=said.provider,
            model=said.model,
            system=said.system,
            temperature=said.temperature,
            max_tokens=said.max_tokens,
            idempotency_key=said.idempotency_key,
            stop_when_unwatched=said.on_disconnect == "stop",
        )
        return Spoken(self, request, {"partial": said.partial})

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> NativeEncoder:
        """Return an SSE encoder."""
        events = NativeEvents(reply, after, options.get("partial", True))
        return NativeEncoder(events, reply.record.id)

    def whole(self, reply: Reply, options: Mapping[str, Any] = NO_PATH) -> dict[str, Any]:
        """Return the answer of `POST /api/chat`."""
        entry = reply.log.end
        assert entry is not None
        record = reply.record
        return {
            "response": reply.log.text(),
            "session_id": record.session_id,
            "run_id": record.id,
            **_figures(entry.data),
            "user": reply.user,
            "timestamp": timestamp(entry.at),
            "finish_reason": entry.data["finish_reason"],
            "provider": record.provider,
            "model": record.model,
            "usage": entry.data["usage"],
        }

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the native error body."""
        return {"error": error.payload()}


def failed_payload(record: Any, entry: Entry) -> dict[str, Any]:
    """Return the event of a run that did not complete."""
    error = entry.data["error"]
    return {
        "error": error["message"],
        "code": error["code"],
        "error_id": error["error_id"],
        "run_id": record.id,
        "session_id": record.session_id,
        "seq": entry.seq,
        "finish_reason": entry.data["finish_reason"],
        "retryable": error["retryable"],
    }


def _figures(end: Mapping[str, Any]) -> dict[str, Any]:
    tokens, duration_s = end["usage"]["output_tokens"], end["duration_s"]
    return {
        "tokens": tokens,
        "duration": round(duration_s, 3),
        "tokens_per_second": round(tokens / duration_s, 1) if duration_s else 0.0,
    }
