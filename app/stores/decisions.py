"""What begins, continues and folds a run, decided once for every store. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.core.attachments import Attachment
from app.core.entries import END, Entry, content_of, output_beside_reply, texts_of
from app.core.errors import (
    ALL_TAKEN,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    OverCapacity,
    SessionBusy,
    TooLarge,
)
from app.core.messages import SESSION_PROMPT, Content, Message, text_parts
from app.core.runs import AlreadyStarted, RunEnd, RunRecord, Turn
from app.core.sessions import ChatSession
from app.core.tools import Calls, Pending, Why, closing_pieces
from app.core.usage import CostOf, Usage


def with_prompt(branch: list[Message], system: str | None) -> list[Message]:
    """Return the branch, after the session's own system prompt if it has one."""
    if not system:
        return branch
    return [Message(SESSION_PROMPT, "system", text_parts(system), 0.0), *branch]


def check_key(run_id: str, request_hash: str | None, turn: Turn) -> None:
    """Of the run that the turn's key has started: raise AlreadyStarted for the same request,
    IdempotencyConflict for another."""
    if request_hash != turn.run.request_hash:
        raise IdempotencyConflict(run_id=run_id)
    raise AlreadyStarted(run_id)


def check_places(most: int, running: Callable[[], int]) -> None:
    """Raise OverCapacity if a caller has as many runs under way as that, of all processes; with 0
    nobody is asked."""
    if most and running() >= most:
        raise OverCapacity(ALL_TAKEN)


def chain(turn: Turn, leaf_id: str | None) -> list[Message]:
    """Return the turn's new messages, each with its parent. Raises InvalidRequest.

    A turn that continues carries on the reply that the session's leaf is.
    """
    if turn.continues:
        if leaf_id != turn.reply.id:
            raise InvalidRequest({"run_id": "only the last reply of a session can be continued"})
        return []
    leaf_id = leaf_id if turn.at_leaf else turn.parent_id
    reply = replace(turn.reply, status="running", run_id=turn.run.id)
    linked = []
    for message in (*turn.messages, reply):
        linked.append(replace(message, parent_id=leaf_id))
        leaf_id = message.id
    return linked


def check_parent(turn: Turn, leaf_id: str | None, has: Callable[[str], bool]) -> None:
    """Raise InvalidRequest for a turn that is to hang on a message which its session has not;
    `has` is asked only where the answer is not plain."""
    parent_id = turn.parent_id
    if turn.parent_must_exist and parent_id not in {None, leaf_id} and not has(parent_id or ""):
        raise InvalidRequest({"parent_id": "must be a message of this session"})


def branch_for_model(turn: Turn, branch: list[Message]) -> list[Message]:
    """Return what the model is to answer: all but the empty reply, or with it what it carries
    on."""
    return branch if turn.continues else branch[:-1]


def free(found: ChatSession | None) -> ChatSession:
    """Return the session if no run is under way in it. Raises NotFound, SessionBusy."""
    if found is None:
        raise NotFound()
    if found.active_run_id is not None:
        raise SessionBusy(run_id=found.active_run_id)
    return found


def closed(entries: Sequence[Entry], why: Why, at: float) -> list[Entry]:
    """Return what gives each call that has no result one which says why, after these entries."""
    calls = Calls.of((entry.kind, entry.data) for entry in entries)
    seq = entries[-1].seq if entries else 0
    pieces = enumerate(closing_pieces(calls.open(), why), seq + 1)
    return [Entry(number, kind, data, at) for number, (kind, data) in pieces]


def answered(
    record: RunRecord,
    left: Sequence[Pending],
    entries: Sequence[Entry],
    worker_id: str,
    caller: str,
) -> RunRecord:
    """Return the record of a waiting run that got these entries; with nothing left to wait for it
    is the worker's and the caller's, and goes on."""
    if left:
        until = min(action["expires_at"] for action in left)
        return replace(record, pending=list(left), waits_until=until, last_seq=entries[-1].seq)
    return replace(
        record,
        status="running",
        worker_id=worker_id,
        caller=caller,
        pending=None,
        waits_until=None,
        last_seq=entries[-1].seq,
    )


def ended_waiting(
    record: RunRecord, log: Sequence[Entry], why: Why, now: float
) -> tuple[list[Entry], RunEnd, Content]:
    """Return what ends a run that waits: the last entries of its log, its end, and what its reply's
    message has then."""
    end = RunEnd(
        status="stopped",
        finish_reason="stopped",
        usage=record.usage or Usage(0, 0, "estimated"),
        cost=record.cost,
        provider=record.provider,
        model=record.model,
        duration_s=record.duration_s or 0.0,
        ttft_s=record.ttft_s,
    )
    results = closed(log, why, now)
    last = Entry(log[-1].seq + len(results) + 1, END, end.to_json(), now)
    return [*results, last], end, content_of([*log, *results])


def interrupted_end(
    run: RunRecord,
    branch: Sequence[Message],
    entries: Sequence[Entry],
    error: dict[str, object],
    cost_of: CostOf,
) -> tuple[RunEnd, Content]:
    """Return the end of a run whose worker is gone, and what of the reply was kept.

    `branch` ends with the reply; what is before it was the prompt.
    """
    prompt = "".join(message.text for message in branch[:-1])
    output = output_beside_reply(entries) + "".join(texts_of(entries))
    usage = Usage.estimated(prompt, output)
    ttft_s = max(0.0, entries[0].at - run.created_at) if entries else None
    end = RunEnd(
        status="interrupted",
        finish_reason="interrupted",
        usage=usage,
        cost=cost_of(run.provider, run.model, usage),
        provider=run.provider,
        model=run.model,
        # To its last sign of life: how long the server was down is not the run's time.
        duration_s=round(max(0.0, entries[-1].at - run.created_at), 6) if entries else 0.0,
        ttft_s=ttft_s,
        error=error,
    )
    return end, content_of([*entries, *closed(entries, "unknown", 0.0)])


LEAST_COUNTED = 4096  # bytes that the smallest attachment counts for: what it takes on a disk


def check_upload_key(known: Attachment, wanted: Attachment) -> None:
    """Raise IdempotencyConflict where the upload's key has stored other bytes before."""
    if known.sha256 != wanted.sha256:
        raise IdempotencyConflict()


def check_upload_room(held: int, wanted: Attachment, most_bytes: int) -> None:
    """Raise TooLarge where an owner who has `held` bytes has no room for the attachment."""
    if held + max(wanted.size, LEAST_COUNTED) > most_bytes:
        raise TooLarge(
            f"Your files take {held} of the {most_bytes} bytes that you may keep here. Delete "
            "conversations that have some.",
            fields={"file": f"at most {most_bytes} bytes of all your files"},
        )
