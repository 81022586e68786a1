"""Records and entries as tests need them: everything has a default, what matters is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from app.core.entries import Entry, content_of
from app.core.messages import Message, ProviderMessage, text_parts
from app.core.run_errors import RunError
from app.core.runs import ProviderRequest, RunEnd, RunRecord, Turn
from app.core.sessions import ChatSession
from app.core.store import Batch, EndedRun
from app.core.usage import Usage
from tests.support.clock import START

USAGE = Usage(5, 2)


def run_record(
    run_id: str = "run-1", owner: str = "ann", session_id: str = "s-1", **fields: Any
) -> RunRecord:
    """Return a run that is under way; `fields` are what is special about it."""
    made = RunRecord(
        id=run_id,
        owner=owner,
        session_id=session_id,
        message_id=f"{run_id}-reply",
        provider="scripted",
        model="scripted-1",
        worker_id="worker",
        created_at=START,
        status="running",
    )
    return replace(made, **fields)


def provider_request(text: str = "hi") -> ProviderRequest:
    """Return a request of one message."""
    return ProviderRequest((ProviderMessage("user", text_parts(text)),), "scripted-1")


def turn_of(
    run_id: str = "run-1",
    owner: str = "ann",
    session_id: str = "s-1",
    text: str = "hi",
    at: float = START,
    **fields: Any,
) -> Turn:
    """Return what a start stores; `fields` are of the run."""
    message = Message(f"{run_id}-message", "user", text_parts(text), at)
    reply = Message(f"{run_id}-reply", "assistant", (), at, message.id, "running", run_id)
    return Turn(
        ChatSession(owner, session_id, at, at, title=text),
        (message,),
        reply,
        run_record(run_id, owner, session_id, **fields),
    )


def continuing(run_id: str, message_id: str, at: float = START, **fields: Any) -> Turn:
    """Return the turn that carries on a reply of `turn_of`."""
    turn = turn_of(run_id, at=at, message_id=message_id, **fields)
    return replace(turn, messages=(), reply=replace(turn.reply, id=message_id))


def texts(*pieces: str, first: int = 1) -> list[Entry]:
    """Return text entries with consecutive numbers."""
    return [Entry(first + i, "text", piece, START) for i, piece in enumerate(pieces)]


def run_end(
    status: Any = "completed", reason: str = "stop", error: RunError | None = None
) -> RunEnd:
    """Return an end after two seconds."""
    return RunEnd(status, reason, USAGE, 2.0, 0.5, error.end_data() if error else None)


def end_entry(seq: int, end: RunEnd | None = None) -> Entry:
    """Return the end entry of that number."""
    return Entry(seq, "end", (end or run_end()).to_json(), START + 2)


def ended(record: RunRecord, entries: Iterable[Entry], end: RunEnd | None = None) -> Batch:
    """Return the batch that brings a run's entries and its end."""
    entries = list(entries)
    end = end or run_end()
    last = end_entry(entries[-1].seq + 1 if entries else 1, end)
    ends = [EndedRun(record, end, content_of(entries), last.at)]
    return Batch([(record.id, [*entries, last])], ends)
