"""Runs that wait: stored, answered once, taken by one worker, ended by what comes instead."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import (
    APPROVAL,
    APPROVAL_ANSWER,
    END,
    STEP_END,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    Entry,
    content_of,
)
from app.core.errors import NotFound, SessionBusy
from app.core.runs import RunPause
from app.core.store import Batch, PausedRun, WorkerLost
from app.core.tools import Reply
from app.core.usage import Usage
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.samples import ended, texts, turn_of

WORKER = "worker"
NAMES = {"n": 1, "call_id": "c1", "name": "look"}
SECOND = {"n": 2, "call_id": "c2", "name": "look"}
PENDING = [
    {**NAMES, "input": {}, "kind": "approval", "approval_id": "a1", "expires_at": START + 60},
    {**SECOND, "input": {}, "kind": "result", "expires_at": START + 90},
]
LOG = [
    (TOOL_CALL, {**NAMES, "source": "server"}),
    (TOOL_CALL, {**SECOND, "source": "client"}),
    (TOOL_READY, {**NAMES, "source": "server", "input": {}}),
    (TOOL_READY, {**SECOND, "source": "client", "input": {}}),
    (APPROVAL, {**NAMES, "approval_id": "a1", "expires_at": START + 60}),
    (STEP_END, {"usage": {}, "finish_reason": "tool_calls", "requires_action": PENDING}),
]
YES = Reply("a1", APPROVAL_ANSWER, {"approved": True, "by": "ann"})
NO = Reply("a1", APPROVAL_ANSWER, {"approved": False, "by": "ann"})
OUTPUT = Reply("c2", TOOL_RESULT, {"output": 4})


def waiting(store: Store, run_id: str = "run-1", **fields: Any) -> list[Entry]:
    """Store a run that waits; return its entries."""
    turn = turn_of(run_id, asked={"server_tools": ["look"]}, **fields)
    store.begin_turn(turn)
    entries = [Entry(seq, kind, data, START) for seq, (kind, data) in enumerate(LOG, 1)]
    record = turn.run
    pause = RunPause(PENDING, Usage(5, 2), 1.5, 0.5, "scripted", "scripted-1")
    paused = PausedRun(record, pause, content_of(entries), START)
    # A commit before it, as there mostly is.
    store.append(WORKER, Batch([(run_id, entries[:2])]))
    store.append(WORKER, Batch([(run_id, entries[2:])], pauses=[paused]))
    return entries


def record_of(store: Store, run_id: str = "run-1") -> Any:
    found = store.find_run("ann", run_id)
    assert found is not None
    return found


def test_a_run_that_waits_is_nobodys_and_keeps_all(store: Store) -> None:
    entries = waiting(store)
    record = record_of(store)

    assert (record.status, record.worker_id, record.last_seq) == ("requires_action", "", 6)
    assert record.pending == PENDING and record.waits_until == START + 60
    assert (record.usage, record.duration_s, record.ttft_s) == (Usage(5, 2), 1.5, 0.5)
    assert record.asked == {"server_tools": ["look"]}
    assert store.read_entries("run-1") == entries
    message = store.read_branch("ann", "s-1")[-1]
    assert (message.status, message.content) == ("requires_action", content_of(entries))
    # Another worker's death, and the end of the day, are nothing to it.
    assert store.take_over(WORKER, {}, START + 1, lambda *_: None) == []
    assert store.delete_old(START + 10**6, START + 10**6) == 0
    session = store.find_session("ann", "s-1")
    assert session is not None and session.active_run_id == "run-1"


def test_the_last_answer_lets_it_go_on(store: Store) -> None:
    entries = waiting(store)
    store.register_worker("other", START)
    first = store.answer("ann", "run-1", [YES], "other", START + 1)
    assert first.branch is None and [entry.seq for entry in first.entries] == [7]
    assert record_of(store).pending == PENDING[1:]
    assert record_of(store).waits_until == START + 90

    last = store.answer("ann", "run-1", [OUTPUT], "other", START + 2)
    assert last.branch is not None and [one.text for one in last.branch] == ["hi"]
    assert list(last.log) == [*entries, *first.entries, *last.entries]
    record = record_of(store)
    assert (record.status, record.worker_id, record.pending) == ("running", "other", None)
    assert record.waits_until is None and record == last.record
    assert store.read_branch("ann", "s-1")[-1].status == "running"

    more = texts("done", first=9)
    log = [*last.log, *more]
    batch = ended(record, more)
    batch.ends[0] = batch.ends[0]._replace(content=content_of(log))
    store.append("other", batch)
    assert [entry.seq for entry in store.read_entries("run-1")] == list(range(1, 11))
    assert store.read_branch("ann", "s-1")[-1].text == "done"
    assert record_of(store).status == "completed"


def test_an_answer_counts_once(store: Store) -> None:
    waiting(store)
    first = store.answer("ann", "run-1", [YES], WORKER, START + 1)
    second = store.answer("ann", "run-1", [NO], WORKER, START + 2)

    assert len(first.entries) == 1 and not second.entries and second.branch is None
    assert [entry.kind for entry in store.read_entries("run-1", 6)] == [APPROVAL_ANSWER]


def test_an_answer_to_all_at_once_lets_it_go_on(store: Store) -> None:
    waiting(store)
    done = store.answer("ann", "run-1", [NO, OUTPUT], WORKER, START + 1)

    assert done.branch is not None
    assert [entry.kind for entry in done.entries] == [APPROVAL_ANSWER, TOOL_RESULT, TOOL_RESULT]
    assert store.answer("ann", "run-1", [YES], WORKER, START + 2).entries == ()


@pytest.mark.parametrize("owner,run_id", [("bob", "run-1"), ("ann", "run-2")])
def test_what_is_not_there_cannot_be_answered(store: Store, owner: str, run_id: str) -> None:
    waiting(store)
    with pytest.raises(NotFound):
        store.answer(owner, run_id, [YES], WORKER, START + 1)


def test_a_worker_that_is_lost_takes_nothing(store: Store) -> None:
    waiting(store)
    store.take_over(WORKER, {}, START + 1, lambda *_: None)
    with pytest.raises(WorkerLost):
        store.answer("ann", "run-1", [YES, OUTPUT], WORKER, START + 2)

    assert record_of(store).pending == PENDING


@pytest.mark.parametrize("why", ["stopped", "denied"])
def test_one_that_is_ended_gives_each_open_call_a_result(store: Store, why: Any) -> None:
    entries = waiting(store)
    store.answer("ann", "run-1", [YES], WORKER, START + 1)
    late = store.end_waiting("ann", "run-1", why, START + 2)

    assert [entry.kind for entry in late] == [TOOL_RESULT, TOOL_RESULT, END]
    assert all(entry.data[why] for entry in late[:2])
    assert store.read_entries("run-1")[len(entries) + 1 :] == late
    record = record_of(store)
    assert (record.status, record.ended_at, record.usage) == ("stopped", START + 2, Usage(5, 2))
    message = store.read_branch("ann", "s-1")[-1]
    assert [part["type"] for part in message.content] == ["tool_call"] * 2 + ["tool_result"] * 2
    assert store.end_waiting("ann", "run-1", why, START + 3) == []
    assert [used.runs for used in store.used_by_day("ann", "0000")] == [1]


def test_only_a_run_that_waits_can_be_ended_so(store: Store) -> None:
    store.begin_turn(turn_of())

    assert store.end_waiting("ann", "run-1", "stopped", START) == []
    waiting(store, "run-2", session_id="s-2")
    assert store.end_waiting("bob", "run-2", "stopped", START) == []


@pytest.mark.parametrize("store", ["memory_store", "sql_store"], indirect=True)
def test_a_new_message_denies_what_is_open_and_starts(store: Store) -> None:
    waiting(store)
    branch = store.begin_turn(turn_of("run-2", text="never mind", at=START + 5))

    assert [message.role for message in branch] == ["user", "assistant", "user"]
    assert [part["type"] for part in branch[1].content][-2:] == ["tool_result"] * 2
    assert all(part["denied"] for part in branch[1].content[-2:])
    assert record_of(store).status == "stopped"
    session = store.find_session("ann", "s-1")
    assert session is not None and session.active_run_id == "run-2"


def test_a_run_under_way_is_not_ended_by_a_message(store: Store) -> None:
    store.begin_turn(turn_of())
    with pytest.raises(SessionBusy):
        store.begin_turn(turn_of("run-2"))


def test_what_has_expired_is_found(store: Store) -> None:
    waiting(store)
    store.begin_turn(turn_of("run-2", session_id="s-2"))

    assert store.expired(START + 60, 10) == []
    assert [run.id for run in store.expired(START + 61, 10)] == ["run-1"]
    assert store.expired(START + 61, 0) == []


def test_calls_of_a_run_whose_worker_died_are_unknown_or_not_run(store: Store) -> None:
    store.begin_turn(turn_of())
    said = [
        (TOOL_CALL, {**NAMES, "source": "server"}),
        (TOOL_READY, {**NAMES, "source": "server", "input": {}}),
        ("tool_started", NAMES),
        (TOOL_CALL, {**SECOND, "source": "server"}),
    ]
    entries = [Entry(seq, kind, data, START) for seq, (kind, data) in enumerate(said, 1)]
    store.append(WORKER, Batch([("run-1", entries)]))
    assert store.take_over(WORKER, {"code": "shutting_down"}, START + 1, lambda *_: None)
    late = store.read_entries("run-1", 4)

    assert [entry.kind for entry in late] == [TOOL_RESULT, TOOL_READY, TOOL_RESULT, END]
    assert late[0].data["unknown"] is True and "error" in late[2].data
    parts = store.read_branch("ann", "s-1")[-1].content
    assert [part["type"] for part in parts].count("tool_result") == 2
