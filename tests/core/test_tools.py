"""Calls as a log tells them: what they have become, how they are closed, what is waited for."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.entries import (
    APPROVAL,
    APPROVAL_ANSWER,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    TOOL_RESULT,
    TOOL_STARTED,
    Entry,
    storable,
)
from app.core.tools import (
    NO_RESULT,
    NOT_RUN,
    Calls,
    Reply,
    answers_in,
    asked_in,
    bounded,
    closing_pieces,
    result_text,
    taken,
)

NAMES = {"n": 1, "call_id": "c1", "name": "look"}
CALL = (TOOL_CALL, {**NAMES, "source": "server"})
ARGS = (TOOL_ARGS, {"n": 1, "delta": '{"a"'})
READY = (TOOL_READY, {**NAMES, "source": "server", "input": {"a": 1}})
INVALID = (TOOL_READY, {**NAMES, "source": "server", "invalid": '{"a"'})
STARTED = (TOOL_STARTED, NAMES)
RESULT = (TOOL_RESULT, {**NAMES, "output": "x"})
EARLY = (TOOL_RESULT, {**NAMES, "output": "x", "preliminary": True})


@pytest.mark.parametrize(
    "pieces,why,closed",
    [
        ([CALL, ARGS], "stopped", [INVALID, (TOOL_RESULT, {**NAMES, "error": NOT_RUN})]),
        ([CALL, INVALID], "unknown", [(TOOL_RESULT, {**NAMES, "error": NOT_RUN})]),
        ([CALL, READY], "denied", [(TOOL_RESULT, {**NAMES, "denied": True})]),
        ([CALL, READY], "unknown", [(TOOL_RESULT, {**NAMES, "stopped": True})]),
        ([CALL, READY, STARTED], "unknown", [(TOOL_RESULT, {**NAMES, "unknown": True})]),
        ([CALL, READY, STARTED], "stopped", [(TOOL_RESULT, {**NAMES, "stopped": True})]),
        ([CALL, READY, STARTED, EARLY], "stopped", [(TOOL_RESULT, {**NAMES, "stopped": True})]),
        ([CALL, READY, STARTED, RESULT], "stopped", []),
        ([], "stopped", []),
    ],
)
def test_a_call_without_a_result_gets_one(pieces: list[Any], why: Any, closed: list[Any]) -> None:
    assert list(closing_pieces(Calls.of(pieces).open(), why)) == closed


@pytest.mark.parametrize(
    "result,text",
    [
        ({"output": "plain"}, "plain"),
        ({"output": {"é": [1, None]}}, '{"é": [1, null]}'),
        ({"output": None}, "null"),
        ({"error": "it broke"}, "Error: it broke"),
        ({"denied": True}, "The user did not allow this call."),
        (
            {"denied": True, "reason": "not now"},
            "The user did not allow this call. Their reason: not now",
        ),
        ({}, NO_RESULT),
    ],
)
def test_a_result_is_told_the_model_as_text(result: dict[str, Any], text: str) -> None:
    assert result_text(result) == text


# --- what a run waits for -----------------------------------------------------------------------

ABOUT = {**NAMES, "input": {}, "expires_at": 9.0}
FOR_RESULT = {**ABOUT, "kind": "result"}
FOR_APPROVAL = {**ABOUT, "n": 2, "call_id": "c2", "kind": "approval", "approval_id": "a2"}
OUTPUT = Reply("c1", TOOL_RESULT, {"output": 4})
YES = Reply("a2", APPROVAL_ANSWER, {"approved": True, "by": "ann"})
NO = Reply("a2", APPROVAL_ANSWER, {"approved": False, "by": "ann", "reason": "no"})


def test_answers_are_taken_once_and_in_order() -> None:
    left, entries = taken([FOR_RESULT, FOR_APPROVAL], [YES, OUTPUT, OUTPUT, NO], 7, 1.0)

    assert left == []
    assert [(entry.seq, entry.kind) for entry in entries] == [
        (8, APPROVAL_ANSWER),
        (9, TOOL_RESULT),
    ]
    assert entries[0].data["approval_id"] == "a2" and entries[1].data["output"] == 4


def test_a_denied_call_has_its_result_with_the_answer() -> None:
    left, entries = taken([FOR_RESULT, FOR_APPROVAL], [NO], 7, 1.0)

    assert left == [FOR_RESULT]
    assert entries[1].data == {
        "n": 2,
        "call_id": "c2",
        "name": "look",
        "denied": True,
        "reason": "no",
    }


@pytest.mark.parametrize(
    "reply",
    [
        Reply("c2", TOOL_RESULT, {"output": 4}),  # the server runs that one
        Reply("c1", APPROVAL_ANSWER, {"approved": True}),
        Reply("", TOOL_RESULT, {"output": 4}),
    ],
)
def test_what_is_not_waited_for_changes_nothing(reply: Reply) -> None:
    assert taken([FOR_RESULT, FOR_APPROVAL], [reply], 7, 1.0) == ([FOR_RESULT, FOR_APPROVAL], [])


def test_the_first_answer_counts() -> None:
    said = [
        (APPROVAL, {**NAMES, "approval_id": "a"}),
        (APPROVAL_ANSWER, {**NAMES, "approval_id": "a", "approved": True}),
        (APPROVAL_ANSWER, {**NAMES, "approval_id": "a", "approved": False}),
        (TOOL_RESULT, {**NAMES, "output": 1, "preliminary": True}),
        (TOOL_RESULT, {**NAMES, "output": 2}),
    ]
    log = [Entry(seq, kind, data, 0.0) for seq, (kind, data) in enumerate(said, 1)]
    replies = [Reply("a", APPROVAL_ANSWER, {}), Reply("c1", TOOL_RESULT, {})]

    approval, result = answers_in(log, replies)
    assert approval["approved"] is True and result["output"] == 2
    assert asked_in(log) == {(APPROVAL_ANSWER, "a")}


# --- what can be stored -------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_whatever_a_tool_gives_can_be_stored_and_read_again(value: Any) -> None:
    kept = storable(value)

    assert orjson.loads(orjson.dumps(kept)) == kept
    assert "\x00" not in json.dumps(kept, ensure_ascii=False)


@pytest.mark.parametrize(
    "value,kept",
    [
        ({1: "a"}, {"1": "a"}),
        ((1, 2), [1, 2]),
        ({1, }, "{1}"),
        (b"x", "b'x'"),
        (2**70, float(2**70)),
        (2**5000, None),
        (float("nan"), None),
        ("\ud83d", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("a\x00b", "a\ufffdb"),
    ],
)  # fmt: skip
def test_what_no_store_keeps_is_told_in_another_way(value: Any, kept: Any) -> None:
    assert storable(value) == kept


def test_what_is_too_deep_ends_in_nothing() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]

    kept = storable(deep)
    assert orjson.loads(orjson.dumps(kept)) == kept


@given(st.text(max_size=60), st.integers(4, 40))
def test_a_long_output_is_cut_and_says_so(text: str, most: int) -> None:
    text = storable(text)
    kept = bounded(text, most)

    if len(text.encode()) <= most:
        assert kept == text
    else:
        before, _, said = kept.rpartition("\n[cut: ")
        assert text.startswith(before) and said == f"{len(text.encode()) - most} more bytes]"
