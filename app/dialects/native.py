"""The native dialect: token events and a done event, the same on SSE and Socket.IO.

`NativeEvents` makes the payloads for both transports; `NativeEncoder` frames them as SSE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from app.chats.placing import AT_LEAF, Place
from app.chats.request import ChatRequest
from app.core.attachments import NAMED
from app.core.entries import (
    END,
    FILE,
    REASONING,
    STATUS,
    STEP_END,
    TEXT,
    TOOL_ARGS,
    Entry,
    format_cursor,
    is_pause,
)
from app.core.errors import ChatError, InvalidRequest
from app.core.messages import Content, text_parts
from app.core.usage import Cost
from app.dialects.attached import figures_of
from app.dialects.calls import checked_tools
from app.dialects.dialect import MERGE_ABOVE, Dialect, Encoder, Reply, Spoken, joined
from app.dialects.frames import (
    event_frame,
    json_line,
    timestamp,
    validated,
)
from app.dialects.native_shapes import (
    ActionEvent,
    DetachedAnswer,
    DoneEvent,
    FailedEvent,
    FileEvent,
    NativeBody,
    Problem,
    StatusEvent,
    TokenEvent,
    ToolEvent,
    WaitingAnswer,
    WholeAnswer,
)
from app.dialects.native_tools import KINDS_SHOWN, ToolEvents

NO_PATH: Mapping[str, Any] = {}


class Wanted(NamedTuple):
    """What a viewer wants its events to have."""

    partial: bool = True
    reasoning: bool = False
    stats: bool = False
    full_response: bool = True
    tool_deltas: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Wanted:
        """Return what the options say; the others have their defaults."""
        return cls(**{name: options[name] for name in cls._fields if name in options})


class Event(NamedTuple):
    """One event: its Socket.IO name, its place in the log (None for what is not of the log), its
    payload."""

    name: str
    seq: int | None
    payload: dict[str, Any]


class NativeEvents:
    """The events of one run for one viewer."""

    def __init__(self, reply: Reply, after: int, wanted: Wanted = Wanted()) -> None:
        self._reply = reply
        self._shown: dict[str, Callable[[Entry], Event | None]] = {
            STATUS: self._status,
            END: self._end,
        }
        self._shown[STEP_END] = self._step_end
        self._shown[FILE] = self._file
        self._shown.update({kind: self._tool for kind in KINDS_SHOWN if kind != TOOL_ARGS})
        if wanted.tool_deltas:
            self._shown[TOOL_ARGS] = self._tool
        if wanted.reasoning:
            self._shown[REASONING] = self._thought
        self._tools: ToolEvents | None = None
        self._after = after
        self._stats = wanted.stats
        self._full_response = wanted.full_response
        self._run_id = reply.record.id
        self._count = reply.log.text_count(after) if after else 0
        self._so_far: str | None = None
        if wanted.partial:
            self._so_far = reply.log.text(after) if after else ""

    def events(self, entries: Sequence[Entry], most: int = MERGE_ABOVE) -> list[Event]:
        """Return the events of these entries; of more than `most`, runs of text are joined."""
        shown = (self.event(entry, count) for entry, count in joined(entries, most))
        return [event for event in shown if event is not None]

    def event(self, entry: Entry, count: int) -> Event | None:
        """Return the event of an entry that stands for `count` of them; None for what has none."""
        if entry.kind == TEXT:  # by far the most often
            self._count += count
            return self._token(entry)
        show = self._shown.get(entry.kind)
        return show(entry) if show else None

    def _status(self, entry: Entry) -> Event:
        age_s = round(max(0.0, entry.at - self._reply.record.created_at), 1)
        payload = {"age_s": age_s, **entry.data, "run_id": self._run_id, "seq": entry.seq}
        return Event("chat_status", entry.seq, payload)

    def _thought(self, entry: Entry) -> Event:
        thought = {"status": "thinking", "reasoning": entry.data}
        return Event(
            "chat_status", entry.seq, {**thought, "run_id": self._run_id, "seq": entry.seq}
        )

    def _tool(self, entry: Entry) -> Event:
        if self._tools is None:
            before = self._reply.log.everything() if self._after else []
            self._tools = ToolEvents(one for one in before if one.seq < entry.seq)
        payload = {"tool": self._tools.payload(entry), "run_id": self._run_id, "seq": entry.seq}
        return Event("chat_tool", entry.seq, payload)

    def _file(self, entry: Entry) -> Event:
        payload = {"file": figures_of(entry.data), "run_id": self._run_id, "seq": entry.seq}
        return Event("chat_file", entry.seq, payload)

    def _step_end(self, entry: Entry) -> Event | None:
        """Return what the run waits for, if it still does: a stream that goes on beyond a pause
        says nothing there, since its client would take that for the end."""
        pause = self._reply.log.pause if is_pause(entry) else None
        if pause is None or pause.seq != entry.seq:
            return None
        record = self._reply.record
        waits = {"requires_action": pause.data["requires_action"]}
        names = {"run_id": record.id, "session_id": record.session_id, "seq": entry.seq}
        return Event("chat_requires_action", entry.seq, {**waits, **names})

    def silence(self, age_s: float) -> dict[str, Any]:
        """Return what is said after silence: that the run waits, or thinks, and how old it is."""
        thinks = self._reply.log.last_kind == REASONING
        status = "thinking" if thinks else "waiting"
        return {"status": status, "age_s": age_s, "run_id": self._run_id}

    def _token(self, entry: Entry) -> Event:
        payload = {"token": entry.data, "count": self._count}
        if self._so_far is not None:
            self._so_far += entry.data
            payload["partial"] = self._so_far
        if self._stats:
            payload["tokens_per_second"] = self._rate(entry.at)
        payload["run_id"] = self._run_id
        payload["seq"] = entry.seq
        return Event("chat_token", entry.seq, payload)

    def _rate(self, at: float) -> float:
        """Return how many pieces have come in a second so far."""
        elapsed_s = at - self._reply.record.created_at
        return round(self._count / elapsed_s, 1) if elapsed_s > 0 else 0.0

    def _end(self, entry: Entry) -> Event:
        end, record = entry.data, self._reply.record
        if end["error"]:
            return Event("chat_stream_error", entry.seq, failed_payload(record, entry))
        payload = {
            "done": True,
            **_figures(end),
            **({"full_response": self._reply.log.text()} if self._full_response else {}),
            "user": self._reply.user,
            "timestamp": timestamp(entry.at),
            "run_id": record.id,
            "session_id": record.session_id,
            "seq": entry.seq,
            "finish_reason": end["finish_reason"],
            "provider": end.get("provider") or record.provider,
            "model": end.get("model") or record.model,
            "usage": end["usage"],
            "ttft_ms": None if end["ttft_s"] is None else round(end["ttft_s"] * 1000, 1),
            **end_details(end),
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

    def silence(self, age_s: float) -> bytes:
        """Return the comment that keeps the connection, and an event that says what is awaited."""
        return self.heartbeat + event_frame(self._events.silence(age_s))

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
    """Tandem's own dialect: events with a `token` each, the last with `done`."""

    name = "native"
    body = NativeBody
    event = TokenEvent | DoneEvent | FailedEvent | StatusEvent | ToolEvent | FileEvent | ActionEvent
    answer = WholeAnswer | WaitingAnswer
    problem = Problem
    detached = DetachedAnswer
    examples = ({"message": "Hello", "partial": False},)

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str] = NO_PATH) -> Spoken:
        """Return the request. Raises InvalidRequest."""
        said = validated(NativeBody, body)
        check_detach(said.detach, said.on_disconnect == "stop")
        place = _place(said)
        request = ChatRequest(
            content=_content(said),
            session_id=said.session_id,
            provider=said.provider,
            model=said.model,
            system=said.system,
            temperature=said.temperature,
            max_tokens=said.max_tokens,
            idempotency_key=said.idempotency_key,
            stop_when_unwatched=said.on_disconnect == "stop",
            place=place,
            must_exist=said.session_must_exist or place.target is not None,
            parameters=said.passed_on(_definitions(said)),
            server_tools=tuple(one for one in said.tools or () if isinstance(one, str)),
            waits=True,
        )
        wanted = Wanted(
            said.partial, said.reasoning, said.stats, said.full_response, said.tool_deltas
        )
        return Spoken(self, request, wanted._asdict(), detached=said.detach)

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> NativeEncoder:
        """Return an SSE encoder."""
        events = NativeEvents(reply, after, Wanted.of(options))
        return NativeEncoder(events, reply.record.id)

    def whole(self, reply: Reply, options: Mapping[str, Any] = NO_PATH) -> dict[str, Any]:
        """Return the answer of `POST /api/chat`."""
        entry = reply.log.end
        record = reply.record
        said = {
            "response": reply.log.text(),
            "session_id": record.session_id,
            "run_id": record.id,
        }
        if entry is None:  # it waits
            pause = reply.log.pause
            return {**said, "requires_action": pause.data["requires_action"] if pause else []}
        return {
            **said,
            **_figures(entry.data),
            "user": reply.user,
            "timestamp": timestamp(entry.at),
            "finish_reason": entry.data["finish_reason"],
            "provider": entry.data.get("provider") or record.provider,
            "model": entry.data.get("model") or record.model,
            "usage": entry.data["usage"],
            **end_details(entry.data),
        }

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the native error body."""
        return {"error": error.payload()}


def check_detach(detach: bool, stops: bool) -> None:
    """Raise InvalidRequest for a reply that is to stop unwatched, and is watched by nobody."""
    if detach and stops:
        raise InvalidRequest({"detach": 'not with `"on_disconnect": "stop"`: nobody watches'})


def failed_payload(record: Any, entry: Entry) -> dict[str, Any]:
    """Return the event of a run that did not complete."""
    error = entry.data["error"]
    failed = {
        "error": error["message"],
        "code": error["code"],
        "error_id": error["error_id"],
        "run_id": record.id,
        "session_id": record.session_id,
        "seq": entry.seq,
        "finish_reason": entry.data["finish_reason"],
        "retryable": error["retryable"],
    }
    if "details" in error:
        failed["details"] = error["details"]
    return failed


def _definitions(said: NativeBody) -> list[dict[str, Any]]:
    """Return the tools that the client runs. Raises InvalidRequest."""
    return checked_tools([one for one in said.tools or () if not isinstance(one, str)])


def _content(said: NativeBody) -> Content:
    """Return the message: its text, then what comes with it."""
    named: Content = tuple(
        {"type": NAMED, "attachment_id": one, "field": f"attachments.{n}"}
        for n, one in enumerate(said.attachments or ())
    )
    return named if named and not said.message else (*text_parts(said.message or ""), *named)


def _place(said: NativeBody) -> Place:
    """Return where in the tree the message goes. Raises InvalidRequest."""
    named = {"edit": said.edit, "regenerate": said.regenerate, "parent_id": said.parent_id}
    given = [name for name, target in named.items() if target is not None]
    if said.session_id is None and (given or said.session_must_exist):
        for_what = given[0] if given else "session_must_exist"
        raise InvalidRequest({"session_id": f"is needed with `{for_what}`"})
    at_root = "parent_id" in said.model_fields_set and said.parent_id is None
    if len(given) + at_root > 1:
        raise InvalidRequest({given[0]: "only one of `edit`, `regenerate` and `parent_id`"})
    if said.regenerate is not None:
        if said.message:
            raise InvalidRequest({"message": "none goes with `regenerate`"})
        if said.attachments:
            raise InvalidRequest({"attachments": "none go with `regenerate`"})
        return Place("regenerate", said.regenerate)
    if said.edit is not None:
        return Place("edit", said.edit)
    return Place("under", said.parent_id) if given or at_root else AT_LEAF


def end_details(end: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only some ends have: a cost, how many messages found no room, who failed."""
    details: dict[str, Any] = {}
    if end.get("cost"):
        details["cost"] = Cost(**end["cost"]).to_json()
    if end.get("trimmed"):
        details["trimmed"] = end["trimmed"]
    if end.get("left_out"):
        details["left_out"] = list(end["left_out"])
    if end.get("attempts"):
        details["attempts"] = end["attempts"]
    return details


def _figures(end: Mapping[str, Any]) -> dict[str, Any]:
    tokens, duration_s = end["usage"]["output_tokens"], end["duration_s"]
    return {
        "tokens": tokens,
        "duration": round(duration_s, 3),
        "tokens_per_second": round(tokens / duration_s, 1) if duration_s else 0.0,
    }
