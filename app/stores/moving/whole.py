"""What a session is with all that belongs to it, decided once for every store. Pure."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.attachments import Attachment
from app.core.entries import END, Entry, folded
from app.core.messages import Message, branch, extended, in_order
from app.core.run_errors import RunInterrupted
from app.core.runs import RunRecord
from app.core.sessions import ChatSession
from app.core.store import OwnerSums, StoredOtherwise, WholeRun, WholeSession
from app.core.usage import CostOf, UsedTokens
from app.stores.decisions import closed, interrupted_end


def whole_of(
    chat_session: ChatSession,
    messages: Iterable[Message],
    runs: Iterable[WholeRun],
    attachments: Iterable[Attachment],
) -> WholeSession:
    """Return the session in the one form that all stores give it."""
    by_time = sorted(messages, key=lambda message: (message.created_at, message.id))
    return WholeSession(
        replace(chat_session, active_run_id=None, message_count=0),
        [_plain_message(message) for message in in_order(by_time).values()],
        sorted(map(_plain_run, runs), key=lambda run: (run.record.created_at, run.record.id)),
        sorted(attachments, key=lambda one: (one.created_at, one.id)),
    )


def sums_of(number: int, used: Iterable[UsedTokens]) -> OwnerSums:
    """Return the sums in that form: by day, provider, model and currency."""
    return OwnerSums(number, sorted(used, key=key_of))


def key_of(used: UsedTokens) -> tuple[str, ...]:
    """Return what an owner has one sum of each."""
    return (used.day, used.provider, used.model, used.currency)


def raised(stored: UsedTokens | None, wanted: UsedTokens) -> UsedTokens:
    """Return the sum that is not below either: sums only grow, so who is ahead knows more."""
    if stored is None:
        return wanted
    names = ("runs", "input_tokens", "output_tokens", "estimated_runs", "cost")
    return replace(
        stored, **{name: max(getattr(stored, name), getattr(wanted, name)) for name in names}
    )


def _plain(value: Any) -> Any:
    """Return a JSON value made of dicts and lists, as one that was read is."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _plain_message(message: Message) -> Message:
    return replace(message, content=tuple(_plain(message.content)))


def _plain_run(run: WholeRun) -> WholeRun:
    names = ("error", "attempts", "asked", "pending", "options")
    plain = {name: _plain(getattr(run.record, name)) for name in names}
    record = replace(run.record, **{**plain, "attempts": plain["attempts"] or None})
    return WholeRun(record, [entry._replace(data=_plain(entry.data)) for entry in run.entries])


# --- Put: what is under way ends, what is there is compared --------------------------------------


def settled(
    whole: WholeSession, at: float, cost_of: CostOf
) -> tuple[WholeSession, list[RunRecord]]:
    """Return the session with the run that is under way ended as interrupted, at that time; and
    the run, which has not been counted. The same of equal ones, whenever it is asked."""
    runs, late = list[WholeRun](), list[RunRecord]()
    messages = {message.id: message for message in whole.messages}
    for run, entries in whole.runs:
        if run.ended_at is None and not run.waits:
            run, entries = _interrupted(messages, run, entries, at, cost_of)
            late.append(run)
        runs.append(WholeRun(run, entries))
    record = replace(whole.record, updated_at=at) if late else whole.record
    return whole_of(record, messages.values(), runs, whole.attachments), late


def _interrupted(
    messages: dict[str, Message],
    run: RunRecord,
    entries: Sequence[Entry],
    at: float,
    cost_of: CostOf,
) -> tuple[RunRecord, list[Entry]]:
    asked = branch(messages, run.message_id)
    end, kept = interrupted_end(run, asked, entries, _error(run, at), cost_of)
    log = [*entries, *closed(entries, "unknown", at)]
    log.append(Entry(log[-1].seq + 1 if log else 1, END, end.to_json(), at))
    message = messages[run.message_id]
    content = extended(message.content, kept)
    messages[message.id] = replace(message, content=content, status=end.status, usage=end.usage)
    return run.ended(end, log[-1].seq, at), log


def _error(run: RunRecord, at: float) -> dict[str, object]:
    """Return why it ended, with an id that is the same each time."""
    made = time.strftime("ERR_%Y%m%d_%H%M%S_", time.gmtime(at))
    which = hashlib.sha256(run.id.encode()).hexdigest()[:8]
    return {**RunInterrupted().end_data(), "error_id": made + which}


def check_same(stored: WholeSession, wanted: WholeSession) -> None:
    """Raise StoredOtherwise for two that differ in more than that one is folded."""
    if stored.record != wanted.record:
        raise StoredOtherwise("session", wanted.record.id)
    _check("message", {m.id: m for m in stored.messages}, {m.id: m for m in wanted.messages})
    mine = {run.record.id: run for run in stored.runs}
    others = {run.record.id: run for run in wanted.runs}
    for run_id in mine.keys() & others.keys():
        if mine[run_id].record.folded != others[run_id].record.folded:
            mine[run_id], others[run_id] = _as_folded(mine[run_id]), _as_folded(others[run_id])
    _check("run", mine, others)
    held, wanted_too = (
        {one.id: as_uploaded(one) for one in whole.attachments} for whole in (stored, wanted)
    )
    _check("attachment", held, wanted_too)


def as_uploaded(attachment: Attachment) -> Attachment:
    """Return what makes two of one id the same: a reused one has a later time."""
    return replace(attachment, created_at=0.0)


def _check(what: str, mine: Mapping[str, object], others: Mapping[str, object]) -> None:
    for one in sorted(mine.keys() | others.keys()):
        if mine.get(one) != others.get(one):
            raise StoredOtherwise(what, one)


def _as_folded(run: WholeRun) -> WholeRun:
    entries = run.entries if run.record.folded or not run.entries else folded(run.entries)
    return WholeRun(replace(run.record, folded=True), entries)
