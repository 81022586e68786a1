"""What a log waits for, at its end, whatever was answered of it."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import Entry
from app.core.tools import Reply, pause_at_end, pause_before
from app.runs.log import RunLog
from tests.support.clock import START

NAMES = {"n": 1, "call_id": "c1", "name": "look"}
RESULT = {**NAMES, "kind": "result", "input": {}, "expires_at": 1}
OTHER = {**RESULT, "call_id": "c2"}
ALLOW = {**RESULT, "call_id": "c3", "kind": "approval", "approval_id": "ap-1"}
USED = {"usage": {}, "finish_reason": "tool_calls"}
STEP = ("step_end", USED)
STARTED = ("tool_started", NAMES)


def pause(*actions: Any) -> tuple[str, Any]:
    return "step_end", {**USED, "requires_action": list(actions)}


def result(call_id: str, **more: Any) -> tuple[str, Any]:
    return "tool_result", {**NAMES, "call_id": call_id, "output": 1, **more}


def approved(approval_id: str = "ap-1") -> tuple[str, Any]:
    return "approval_answer", {**NAMES, "approval_id": approval_id, "approved": True, "by": "ann"}


def log_of(*said: tuple[str, Any]) -> list[Entry]:
    return [Entry(seq, kind, data, START) for seq, (kind, data) in enumerate(said, 1)]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ([], None),
        ([("text", "a")], None),
        ([STEP], None),
        ([pause(RESULT)], ["c1"]),
        ([pause(RESULT), result("c1")], None),
        ([pause(RESULT, OTHER), result("c2")], ["c1"]),
        ([pause(RESULT, ALLOW), result("c1")], ["c3"]),
        ([pause(RESULT, ALLOW), approved()], ["c1"]),
        ([pause(RESULT, ALLOW), approved(), result("c3", denied=True)], ["c1"]),
        ([pause(ALLOW), result("c3")], ["c3"]),  # a result is no approval
        ([pause(RESULT, ALLOW), approved(), result("c1")], None),
        ([pause(RESULT, OTHER), result("c1"), ("text", "a")], None),
        ([pause(RESULT, OTHER), STARTED, result("c1")], None),
        ([pause(RESULT), result("c1"), STARTED, result("c2"), STEP], None),
        ([pause(RESULT), result("c1"), pause(OTHER)], ["c2"]),
    ],
)
def test_what_is_left_is_what_it_waits_for(said: list[Any], left: list[str] | None) -> None:
    entries = log_of(*said)
    found = pause_at_end(entries)
    log = RunLog(entries)

    told = [one["call_id"] for one in found.data["requires_action"]] if found else None
    assert told == left
    assert log.pause == found
    assert log.is_over(len(entries)) is bool(left)
    assert not entries or not log.is_over(len(entries) - 1)


def test_pause_is_the_last_that_asked() -> None:
    entries = log_of(pause(RESULT, ALLOW), result("c1"), approved(), pause(OTHER), result("c2"))

    def before(*replies: Reply) -> int | None:
        found = pause_before(entries, replies)
        return found.seq if found else None

    assert before(Reply("c1", "tool_result", {})) == 1
    assert before(Reply("ap-1", "approval_answer", {})) == 1
    assert before(Reply("c1", "tool_result", {}), Reply("c2", "tool_result", {})) == 4
    assert before(Reply("c3", "tool_result", {}), Reply("c9", "tool_result", {})) is None
