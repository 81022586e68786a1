"""What the native dialect shows of calls: an event for each change of a call, and one that ends the
stream of a run which waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.core.entries import (
    APPROVAL,
    APPROVAL_ANSWER,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    TOOL_STARTED,
    Entry,
)

# What an event has of its entry, by kind.
_SHOWN = {
    TOOL_CALL: ("source",),
    TOOL_ARGS: ("delta",),
    TOOL_READY: ("input", "invalid"),
    APPROVAL: ("approval_id", "expires_at", "message", "schema"),
    APPROVAL_ANSWER: ("approval_id", "approved", "reason", "answer"),
    TOOL_STARTED: (),
    TOOL_RESULT: ("output", "error", "reason", "sources", "preliminary", "duration_s"),
}
KINDS_SHOWN = frozenset(_SHOWN)


class ToolEvents:
    """Payloads of one run for one viewer, who may have come late."""

    def __init__(self, before: Iterable[Entry]) -> None:
        self._names: dict[int, Mapping[str, Any]] = {}
        for entry in before:
            if entry.kind == TOOL_CALL:
                self._note(entry)

    def _note(self, entry: Entry) -> None:
        self._names[entry.data["n"]] = {n: entry.data[n] for n in ("n", "call_id", "name")}

    def payload(self, entry: Entry) -> dict[str, Any]:
        """Return what the event says of the call."""
        if entry.kind == TOOL_CALL:
            self._note(entry)
        data = entry.data
        names = self._names.get(data["n"], {"n": data["n"]})
        shown = {name: data[name] for name in _SHOWN[entry.kind] if name in data}
        return {**names, "state": state_of(entry), **shown}


def state_of(entry: Entry) -> str:
    """Return what has become of the call with this entry."""
    kind, data = entry.kind, entry.data
    if kind in (TOOL_CALL, TOOL_ARGS):
        return "calling"
    if kind == TOOL_READY:
        return "ready" if "input" in data else "invalid"
    if kind == APPROVAL:
        return "awaiting_approval"
    if kind == APPROVAL_ANSWER:
        # After a question the tool goes on, whatever the answer is.
        return "ready" if data["approved"] or data.get("kind") == "question" else "denied"
    if kind == TOOL_STARTED:
        return "running"
    return _state_of_result(data)


def _state_of_result(result: Mapping[str, Any]) -> str:
    if result.get("preliminary"):
        return "running"
    if "output" in result:
        return "done"
    return next((state for state in ("denied", "stopped", "unknown") if state in result), "failed")
