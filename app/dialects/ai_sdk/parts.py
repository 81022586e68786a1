"""The parts of one message of the AI SDK's: steps, with reasoning, texts and tools; then finish,
abort or error.

Source: AI SDK, "Stream Protocols", data stream protocol, and the schema of its chunks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.entries import (
    APPROVAL,
    FILE,
    REASONING,
    STEP_END,
    TEXT,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    Entry,
    is_pause,
)
from app.core.messages import Part
from app.core.tools import Calls, result_text
from app.core.usage import Usage
from app.dialects.ai_sdk.shapes import NEWER
from app.dialects.attached import url_of
from app.dialects.dialect import OPEN, Encoder, Reply
from app.dialects.frames import event_frame

LAST_DATA = "[DONE]"
DONE = b"data: %s\n\n" % LAST_DATA.encode()
STREAMED_PARTS = frozenset({TEXT, REASONING})  # kinds that are parts of their own name
BEGINNING = STREAMED_PARTS | {TOOL_CALL, FILE}  # kinds that begin a step
FINISH_REASONS = {"content_filter": "content-filter", "tool_calls": "tool-calls"}
INVALID = "The arguments were no JSON object, or were cut off."


class UiEncoder(Encoder):
    """A stream is a message from its start; after a pause it is what the client's message gets
    more. Calls of the server's tools look like all others: a client that takes them for done before
    somebody has allowed them sends the message again and again."""

    def __init__(self, reply: Reply, after: int, version: int = 5) -> None:
        record = reply.record
        self._reply = reply
        self._knows_newer = version >= NEWER
        self._open: str | None = None  # the kind of part that has begun
        self._parts = 0
        before = [one for one in reply.log.everything() if one.seq <= after] if after else []
        self._ids = {one.data["n"]: one.data["call_id"] for one in before if one.kind == TOOL_CALL}
        ended = [one.seq for one in before if one.kind == STEP_END]
        said = [one.seq for one in before if one.kind in BEGINNING]
        self._in_step = not ended or (bool(said) and said[-1] > ended[-1])
        self._has_tools = False  # the step that was begun last
        self._prefix = "part-" if self._in_step else f"part-{after}-"  # parts of one message differ
        self._has_waited = any(map(is_pause, before))
        self._is_over = False
        start = {
            "type": "start",
            "messageId": record.message_id,
            "messageMetadata": {"runId": record.id},
        }
        self.opening = OPEN + event_frame(start)
        if self._in_step:
            self.opening += event_frame({"type": "start-step"})
        else:
            self._has_tools = True

    def piece(self, entry: Entry, count: int) -> bytes:
        """Return what the entry becomes, after what begins and ends around it."""
        kind = entry.kind
        if kind in STREAMED_PARTS:
            begun = self._begin(kind)
            delta = {"type": f"{kind}-delta", "id": self._part_id(), "delta": entry.data}
            return begun + event_frame(delta)
        if kind == TOOL_CALL:
            return self._called(entry)
        if kind == TOOL_ARGS and (call_id := self._ids.get(entry.data["n"])):
            delta = {"toolCallId": call_id, "inputTextDelta": entry.data["delta"]}
            return event_frame({"type": "tool-input-delta", **delta})
        if kind == TOOL_READY:
            return self._ready(entry.data)
        if kind == APPROVAL and self._knows_newer:
            ids = {"approvalId": entry.data["approval_id"], "toolCallId": entry.data["call_id"]}
            return event_frame({"type": "tool-approval-request", **ids})
        if kind == TOOL_RESULT:
            return self._result(entry.data)
        if kind == FILE:
            return self._begin_step() + self._finish_part() + event_frame(file_of(entry.data))
        if kind == STEP_END:
            self._has_waited = self._has_waited or is_pause(entry)
            return self._finish_step()
        return b""

    def _called(self, entry: Entry) -> bytes:
        call_id = self._ids[entry.data["n"]] = entry.data["call_id"]
        begun = self._begin_step() + self._finish_part()
        self._has_tools = True
        names = {"toolCallId": call_id, "toolName": entry.data["name"]}
        return begun + event_frame({"type": "tool-input-start", **names})

    def _ready(self, data: Mapping[str, Any]) -> bytes:
        names = {"toolCallId": data["call_id"], "toolName": data["name"]}
        if "input" in data:
            return event_frame({"type": "tool-input-available", **names, "input": data["input"]})
        if not self._knows_newer:
            return b""  # its result tells
        error = {"input": data["invalid"], "errorText": INVALID}
        return event_frame({"type": "tool-input-error", **names, **error})

    def _result(self, data: Mapping[str, Any]) -> bytes:
        of: dict[str, Any] = {"toolCallId": data["call_id"]}
        if data.get("preliminary"):
            if not self._knows_newer:
                return b""
            of["preliminary"] = True
        if "output" in data:
            said = {"type": "tool-output-available", **of, "output": data["output"]}
            return event_frame(said) + self._sources(data)
        if data.get("denied") and self._knows_newer:
            return event_frame({"type": "tool-output-denied", **of})
        text = data["error"] if "error" in data else result_text(data)
        return event_frame({"type": "tool-output-error", **of, "errorText": text})

    @staticmethod
    def _sources(data: Mapping[str, Any]) -> bytes:
        if data.get("preliminary"):
            return b""
        frames = []
        for index, source in enumerate(data.get("sources", ())):
            said = {"sourceId": f"{data['call_id']}-{index}", "url": source["url"]}
            if source.get("title"):
                said["title"] = source["title"]
            frames.append(event_frame({"type": "source-url", **said}))
        return b"".join(frames)

    def ending(self, entry: Entry) -> bytes:
        """Return the last frames."""
        self._is_over = True
        end = entry.data
        if end["error"]:
            failed = event_frame({"type": "error", "errorText": end["error"]["message"]})
            return (self._after_tools() if self._has_tools else b"") + failed + DONE
        closed = self._after_tools()
        if end["status"] == "stopped":
            return closed + event_frame({"type": "abort"}) + DONE
        metadata: dict[str, Any] = {"usage": _usage(Usage.from_json(end["usage"]))}
        if self._has_waited:
            metadata["requiresAction"] = []  # any more
        return closed + self._finish_step() + self._finish(end["finish_reason"], metadata)

    def close(self) -> bytes:
        """Return what ends the stream of a run that waits."""
        pause = None if self._is_over else self._reply.log.pause
        if pause is None:
            return b""
        calls = Calls.of((one.kind, one.data) for one in self._reply.log.everything())
        used = [Usage.from_json(step["usage"]) for step in calls.steps]
        usage = Usage(sum(u.input_tokens for u in used), sum(u.output_tokens for u in used))
        metadata = {"usage": _usage(usage), "requiresAction": pause.data["requires_action"]}
        return self._finish_step() + self._finish("tool_calls", metadata)

    def _finish(self, reason: str, metadata: Mapping[str, Any]) -> bytes:
        reason = FINISH_REASONS.get(reason, reason)
        finish: dict[str, Any] = {"type": "finish"}
        if self._knows_newer:
            finish["finishReason"] = reason
        finish["messageMetadata"] = {"finishReason": reason, **metadata}
        return event_frame(finish) + DONE

    def _begin(self, kind: str) -> bytes:
        if self._open == kind:
            return b""
        closed = self._begin_step() + self._finish_part()
        self._open, self._parts = kind, self._parts + 1
        return closed + event_frame({"type": f"{kind}-start", "id": self._part_id()})

    def _begin_step(self) -> bytes:
        if self._in_step:
            return b""
        self._in_step, self._has_tools = True, False
        return event_frame({"type": "start-step"})

    def _finish_step(self) -> bytes:
        closed = self._finish_part()
        if not self._in_step:
            return closed
        self._in_step = False
        return closed + event_frame({"type": "finish-step"})

    def _after_tools(self) -> bytes:
        """Return what ends a step that has tools, and begins one without: a client sends a message
        again by itself whose last step is nothing but tools that have answered."""
        closed = self._finish_part()
        if not self._has_tools:
            return closed
        return closed + self._finish_step() + self._begin_step()

    def _finish_part(self) -> bytes:
        kind, self._open = self._open, None
        return event_frame({"type": f"{kind}-end", "id": self._part_id()}) if kind else b""

    def _part_id(self) -> str:
        return f"{self._prefix}{self._parts}"


def file_of(made: Part) -> dict[str, Any]:
    """Return the part that a file is which the model made."""
    return {"type": "file", "mediaType": made["media_type"], "url": url_of(made)}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }
