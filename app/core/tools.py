"""Calls of tools, as a log tells them: what each has become, how calls that get no result are
closed; what a run that waits is waiting for, and what it is answered. Pure.

A pending action is JSON, as a store and the wire have it: {n, call_id, name, input, kind,
expires_at}, kind being `result` (the client runs the tool), `approval` or `question`; the latter
two have an approval_id, a question its `message` and the `schema` of its answer.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from app.core.entries import (
    APPROVAL,
    APPROVAL_ANSWER,
    STEP_END,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    TOOL_STARTED,
    Entry,
    is_pause,
    storable,
)
from app.core.messages import Message
from app.core.runs import RunRecord

CLIENT, SERVER = "client", "server"
TOOL_KINDS = frozenset(
    {
        TOOL_CALL,
        TOOL_ARGS,
        TOOL_READY,
        APPROVAL,
        APPROVAL_ANSWER,
        TOOL_STARTED,
        TOOL_RESULT,
        STEP_END,
    }
)
# Why a call has no result of its tool's; each is a field of the result that stands for it.
Why = Literal["denied", "stopped", "unknown"]
NOT_RUN = "It was not run: the reply ended before the call was whole."
SENTENCES: Mapping[str, str] = {
    "denied": "The user did not allow this call.",
    "stopped": "The call was stopped before it had a result.",
    "unknown": "The server went away while the tool was running: whether it did anything is not "
    "known.",
}
NO_RESULT = "There is no result of this call."


def new_call_id() -> str:
    """Return an id for a call whose model gave it none."""
    return f"call_{secrets.token_hex(12)}"


def bounded(output: Any, max_bytes: int) -> Any:
    """Return an output as it is stored; one that is too long is cut, and says so."""
    said = storable(output)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    raw = text.encode()
    if len(raw) <= max_bytes:
        return said
    return f"{raw[:max_bytes].decode('utf-8', 'ignore')}\n[cut: {len(raw) - max_bytes} more bytes]"


@dataclass(slots=True)
class Call:
    """One call, as far as the log has come."""

    n: int
    call_id: str
    name: str
    source: str = CLIENT
    args: list[str] = field(default_factory=list)  # as they come
    input: Mapping[str, Any] | None = None
    invalid: str | None = None
    approval: Mapping[str, Any] | None = None  # that was asked for
    answer: Mapping[str, Any] | None = None  # to it
    is_ready: bool = False
    started: bool = False
    result: Mapping[str, Any] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come, and can be read."""
        return self.is_ready and self.invalid is None

    @property
    def names(self) -> dict[str, Any]:
        """What every entry about the call says."""
        return {"n": self.n, "call_id": self.call_id, "name": self.name}


class Calls:
    """The calls of one run, by number, and what its ended steps have used."""

    def __init__(self) -> None:
        self.by_number: dict[int, Call] = {}
        self.steps: list[Mapping[str, Any]] = []  # the data of their ends

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Any]]) -> Calls:
        """Return the calls of the entries' kinds and data."""
        calls = cls()
        for kind, data in pieces:
            if kind in TOOL_KINDS:
                calls.add(kind, data)
        return calls

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take what an entry of a kind that is about tools says."""
        if kind == STEP_END:
            self.steps.append(data)
        elif kind == TOOL_CALL:
            self.by_number[data["n"]] = Call(
                data["n"], data["call_id"], data["name"], data["source"]
            )
        elif (call := self.by_number.get(data["n"])) is not None:
            _note(call, kind, data)

    def open(self) -> list[Call]:
        """Return the calls without a result."""
        return [call for call in self.by_number.values() if call.result is None]

    def __len__(self) -> int:
        return len(self.by_number)


def _note(call: Call, kind: str, data: Mapping[str, Any]) -> None:
    if kind == TOOL_ARGS:
        call.args.append(data["delta"])
    elif kind == TOOL_READY:
        call.is_ready = True
        call.input, call.invalid = data.get("input"), data.get("invalid")
    elif kind == APPROVAL:
        call.approval, call.answer = data, None
    elif kind == APPROVAL_ANSWER:
        call.answer = data
    elif kind == TOOL_STARTED:
        call.started = True
    elif not data.get("preliminary"):
        call.result = data


def invalid_call(call: Call) -> tuple[str, dict[str, Any]]:
    """Return the piece that closes the arguments of a call that never became whole."""
    return TOOL_READY, {**call.names, "source": call.source, "invalid": "".join(call.args)}


def closing_pieces(calls: Iterable[Call], why: Why) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pieces that give each of the calls a result: they have none, and get none.

    One that a crash or a stop came before is `unknown` only if its tool was started.
    """
    for call in calls:
        if not call.is_ready:
            yield invalid_call(call)
        if not call.is_whole:
            yield TOOL_RESULT, {**call.names, "error": NOT_RUN}
        else:
            reason = "stopped" if why == "unknown" and not call.started else why
            yield TOOL_RESULT, {**call.names, reason: True}


def result_text(result: Mapping[str, Any]) -> str:
    """Return what the model is told of a result."""
    if "output" in result:
        output = result["output"]
        return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    for why, sentence in SENTENCES.items():
        if result.get(why):
            reason = result.get("reason")
            return f"{sentence} Their reason: {reason}" if reason else sentence
    return f"Error: {result['error']}" if "error" in result else NO_RESULT


class OfferedTool(NamedTuple):
    """A tool that the server has. `approval`: whether a person must allow its calls."""

    name: str
    description: str
    schema: Mapping[str, Any]
    approval: Literal["never", "always", "sometimes"]
    source: str


Pending = Mapping[str, Any]
Answer = Mapping[str, Any]  # the fields of an entry, but for those that name the call


def new_approval_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one pending action: `key` is its approval_id, or for a result the call_id."""

    key: str
    kind: str  # of the entry that it becomes: TOOL_RESULT or APPROVAL_ANSWER
    data: Answer

    def is_for(self, action: Pending) -> bool:
        """Whether it answers that."""
        if self.kind == APPROVAL_ANSWER:
            return bool(action.get("approval_id") == self.key)
        return bool(action["kind"] == "result" and action["call_id"] == self.key)

    def pieces(self, action: Pending) -> list[tuple[str, dict[str, Any]]]:
        """Return what the log gets."""
        names = {name: action[name] for name in ("n", "call_id", "name")}
        found = [(self.kind, {**names, **self._marked(action), **self.data})]
        is_question = action["kind"] == "question"  # which a tool is told a no to, too
        if self.kind == APPROVAL_ANSWER and not self.data["approved"] and not is_question:
            denied = {**names, "denied": True}
            if reason := self.data.get("reason"):
                denied["reason"] = reason
            found.append((TOOL_RESULT, denied))
        return found

    def _marked(self, action: Pending) -> dict[str, Any]:
        if self.kind != APPROVAL_ANSWER:
            return {}
        kind = {"kind": "question"} if action["kind"] == "question" else {}
        return {"approval_id": self.key, **kind}


class Answered(NamedTuple):
    """What answers have done: `entries` are those that were stored by it, none for what was
    answered before. With `branch` the run goes on, as the caller's: its messages up to the reply,
    after the session's prompt, and all of its entries."""

    record: RunRecord
    entries: Sequence[Entry] = ()
    branch: Sequence[Message] | None = None
    log: Sequence[Entry] = ()


def taken(
    pending: Sequence[Pending], replies: Sequence[Reply], seq: int, at: float
) -> tuple[list[Pending], list[Entry]]:
    """Return what is still pending after these replies, and the entries that they make after
    `seq`. A reply to what is not pending (any more) makes none."""
    left = list(pending)
    entries: list[Entry] = []
    for reply in replies:
        for action in left:
            if reply.is_for(action):
                left.remove(action)
                for kind, data in reply.pieces(action):
                    entries.append(Entry(seq + len(entries) + 1, kind, data, at))
                break
    return left, entries


def asked_in(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Return what the log has ever asked for: the kind and key of the reply to each."""
    asked = set()
    for entry in entries:
        if entry.kind == APPROVAL:
            asked.add((APPROVAL_ANSWER, entry.data["approval_id"]))
        elif entry.kind == TOOL_READY and entry.data["source"] == CLIENT:
            asked.add((TOOL_RESULT, entry.data["call_id"]))
    return asked


def _key_of(action: Pending) -> str:
    """Return the key of the reply to it."""
    return str(action.get("approval_id") or action["call_id"])


def pause_at_end(entries: Sequence[Entry]) -> Entry | None:
    """Return the entry that says what the run waits for, if it waits after these: of what it says
    only what the answers that came since have left."""
    answered: set[str] = set()
    for entry in reversed(entries):
        if is_pause(entry):
            pending = entry.data["requires_action"]
            left = [one for one in pending if _key_of(one) not in answered]
            return entry._replace(data={**entry.data, "requires_action": left}) if left else None
        if entry.kind == APPROVAL_ANSWER:
            answered.add(entry.data["approval_id"])
        elif entry.kind == TOOL_RESULT:
            answered.add(entry.data["call_id"])
        else:
            return None
    return None


def pause_before(entries: Sequence[Entry], replies: Sequence[Reply]) -> Entry | None:
    """Return the entry that has asked last for what one of these answers."""
    asked = [
        entry
        for entry in entries
        if is_pause(entry)
        and any(one.is_for(action) for one in replies for action in entry.data["requires_action"])
    ]
    return asked[-1] if asked else None


def answers_in(entries: Iterable[Entry], replies: Iterable[Reply]) -> list[dict[str, Any]]:
    """Return what the log has as the answer to each: the first that came."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        if entry.kind == APPROVAL_ANSWER:
            found.setdefault((entry.kind, entry.data["approval_id"]), dict(entry.data))
        elif entry.kind == TOOL_RESULT and not entry.data.get("preliminary"):
            found.setdefault((entry.kind, entry.data["call_id"]), dict(entry.data))
    keys = ((reply.kind, reply.key) for reply in replies)
    return [found[key] for key in keys if key in found]
