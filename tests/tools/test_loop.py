"""A model and its tools: steps, bounds, what waits, what a tool does wrong."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import pytest

from app.core.entries import (
    APPROVAL,
    APPROVAL_ANSWER,
    STEP_END,
    TEXT,
    TOOL_READY,
    TOOL_RESULT,
    TOOL_STARTED,
)
from app.core.run_errors import UpstreamError
from app.core.tools import Calls
from app.core.usage import Usage
from app.runs.ports import FINISH, USAGE
from app.tools.loop import INVALID, NOBODY_TO_ASK, NOT_HERE
from app.tools.tool import Caller, Result, ToolError, tool
from tests.support.called import CALLED, ToolOptions, call, looped, of_kind
from tests.support.scripted import STOP


def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


@tool(approval="always")
def send(to: str) -> str:
    """Send it."""
    return f"sent to {to}"


@tool(approval=lambda given: given["number"] > 10)
def spend(number: int) -> str:
    """Spend money."""
    return f"spent {number}"


def test_a_reply_without_calls_is_as_it_was() -> None:
    made = looped(double)
    made.scripted.enqueue("Hi", [(TEXT, " you"), (USAGE, Usage(1, 2))], STOP)

    assert made.run() == [(TEXT, "Hi"), (TEXT, " you"), (USAGE, Usage(1, 2)), STOP]


def test_a_call_is_run_and_the_model_asked_again() -> None:
    made = looped(double)
    made.scripted.enqueue("Let me see.", call(1, "double", {"number": 21}), CALLED)
    made.scripted.enqueue("42.", STOP)
    pieces = made.run()

    kinds = [kind for kind, _ in pieces]
    assert kinds == [TEXT, "tool_call", "tool_args", TOOL_READY, TOOL_STARTED, TOOL_RESULT,
                     STEP_END, USAGE, TEXT, USAGE, FINISH]  # fmt: skip
    (result,) = of_kind(pieces, TOOL_RESULT)
    assert result.pop("duration_s") >= 0
    assert result == {"n": 1, "call_id": "c1", "name": "double", "output": 42}
    assert of_kind(pieces, TOOL_READY)[0]["source"] == "server"
    assert made.stored == [5]  # that it has started was stored before it was run
    first, second = made.scripted.requests
    assert second.messages[:-1] == first.messages and second.first_call == 2
    parts = [part["type"] for part in second.messages[-1].content]
    assert parts == ["text", "tool_call", "tool_result"]


def test_calls_run_beside_one_another_and_keep_their_results_apart() -> None:
    together = threading.Barrier(3, timeout=20)

    def wait(number: int) -> int:
        together.wait()
        return number

    made = looped(wait)
    batch = [piece for n in (1, 2, 3) for piece in call(n, "wait", {"number": n})]
    made.scripted.enqueue(batch, CALLED)
    results = of_kind(made.run(), TOOL_RESULT)

    assert sorted((one["n"], one["output"]) for one in results) == [(1, 1), (2, 2), (3, 3)]


def test_no_more_run_at_once_than_may() -> None:
    in_pairs, lock, counts = threading.Barrier(2, timeout=20), threading.Lock(), [0, 0]

    def count(number: int) -> int:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        in_pairs.wait()
        with lock:
            counts[0] -= 1
        return number

    made = looped(count, options=ToolOptions(max_tools_at_once=2))
    made.scripted.enqueue([p for n in range(1, 9) for p in call(n, "count", {"number": n})], CALLED)

    assert len(of_kind(made.run(), TOOL_RESULT)) == 8
    assert counts == [0, 2]


@pytest.mark.parametrize(
    "name,given,raw,error",
    [
        ("double", {"number": "many"}, "", "The arguments are wrong. number: "),
        ("double", {}, "", "The arguments are wrong. number: Field required"),
        ("double", {"number": 1, "more": 2}, "", "The arguments are wrong. more: "),
        ("double", None, '{"numb', INVALID),
        ("nothing", {}, "", NOT_HERE),
    ],
)
def test_a_wrong_call_is_told_the_model_which_goes_on(
    name: str, given: Any, raw: str, error: str
) -> None:
    made = looped(double)
    made.scripted.enqueue(call(1, name, given, raw), CALLED)
    made.scripted.enqueue("I see.", STOP)
    pieces = made.run()

    (result,) = of_kind(pieces, TOOL_RESULT)
    assert result["error"].startswith(error)
    assert not of_kind(pieces, TOOL_STARTED) and pieces[-1] == STOP


def test_what_a_tool_raises_is_told_in_its_words_or_in_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse() -> None:
        raise ToolError("No such thing.")

    def break_down() -> None:
        raise RuntimeError("secret")

    made = looped(refuse, break_down)
    made.scripted.enqueue([*call(1, "refuse"), *call(2, "break_down")], CALLED)
    results = {one["n"]: one for one in of_kind(made.run(), TOOL_RESULT)}

    assert results[1]["error"] == "No such thing."
    assert results[2]["error"] == "The tool failed."
    assert results[2]["error_id"] in {vars(record).get("error_id") for record in caplog.records}
    assert "secret" not in str(results)


def test_a_tool_that_takes_too_long_is_left(caplog: pytest.LogCaptureFixture) -> None:
    late = threading.Event()

    def hang() -> None:
        late.wait(30)

    made = looped(hang, options=ToolOptions(tool_timeout_s=0.05))
    made.scripted.enqueue(call(1, "hang"), CALLED)
    made.scripted.enqueue("Well.", STOP)
    pieces = made.run()
    late.set()

    assert of_kind(pieces, TOOL_RESULT)[0]["error"] == "It took longer than 0.05 s and was ended."
    assert of_kind(pieces, TEXT) == ["Well."]


def test_what_a_tool_yields_is_shown_as_it_goes() -> None:
    def report() -> Generator[Any, None, Result]:
        yield "a"
        yield "ab"
        return Result("abc", [{"url": "https://a.example", "title": "A"}])

    made = looped(report)
    made.scripted.enqueue(call(1, "report"), CALLED)
    results = of_kind(made.run(), TOOL_RESULT)

    assert [one["output"] for one in results] == ["a", "ab", "abc"]
    assert [one.get("preliminary", False) for one in results] == [True, True, False]
    last = results[-1]
    assert last["sources"] == [{"url": "https://a.example", "title": "A"}]


def test_a_long_result_is_cut_and_says_so() -> None:
    made = looped(lambda: "x" * 5000)
    made.tools = {"long": next(iter(made.tools.values()))}
    made.scripted.enqueue(call(1, "long"), CALLED)

    output = of_kind(made.run(), TOOL_RESULT)[0]["output"]
    assert output == "x" * 1000 + "\n[cut: 4000 more bytes]"


def test_a_tool_knows_who_it_is_called_for() -> None:
    def who(caller: Caller, greeting: str = "hi") -> str:
        return f"{greeting} {caller.owner} {caller.run_id} {caller.call_id}"

    made = looped(who)
    made.scripted.enqueue(call(1, "who"), CALLED)

    assert of_kind(made.run(), TOOL_RESULT)[0]["output"] == "hi ann run-1 c1"
    assert "caller" not in made.tools["who"].schema["properties"]


def test_steps_have_a_bound_after_which_the_model_has_to_answer() -> None:
    made = looped(double, options=ToolOptions(max_tool_steps=2))
    for n in (1, 2):
        made.scripted.enqueue(call(n, "double", {"number": n}), CALLED)
    made.scripted.enqueue("Enough.", STOP)
    pieces = made.run()

    asked = [request.parameters.get("tool_choice") for request in made.scripted.requests]
    assert asked == [None, None, "none"]
    assert pieces[-1] == STOP and len(of_kind(pieces, TOOL_RESULT)) == 2


def test_a_model_that_had_to_call_is_not_told_so_again() -> None:
    made = looped(double)
    made.scripted.enqueue(call(1, "double", {"number": 1}), CALLED)
    made.run(tool_choice="required")

    asked = [request.parameters["tool_choice"] for request in made.scripted.requests]
    assert asked == ["required", "auto"]


def test_usage_is_the_sum_of_the_steps() -> None:
    made = looped(double)
    made.scripted.enqueue([*call(1, "double", {"number": 1}), (USAGE, Usage(10, 3))], CALLED)
    made.scripted.enqueue("2", [(USAGE, Usage(20, 1))], STOP)
    pieces = made.run()

    assert of_kind(pieces, USAGE) == [Usage(10, 3), Usage(30, 4)]
    assert of_kind(pieces, STEP_END)[0]["usage"] == Usage(10, 3).to_json()


def test_usage_that_one_step_does_not_report_is_estimated() -> None:
    made = looped(double)
    made.scripted.enqueue([*call(1, "double", {"number": 1}), (USAGE, Usage(10, 3))], CALLED)
    made.scripted.enqueue("It is two.", STOP)

    last = of_kind(made.run(), USAGE)[-1]
    assert last.source == "estimated" and last.input_tokens > 10 and last.output_tokens > 3


def test_a_failure_of_a_later_step_is_the_run_s() -> None:
    made = looped(double)
    made.scripted.enqueue(call(1, "double", {"number": 1}), CALLED)
    made.scripted.enqueue(UpstreamError())
    with pytest.raises(UpstreamError):
        made.run()


# --- what waits ---------------------------------------------------------------------------------


def test_a_call_of_the_client_s_ends_the_step() -> None:
    made = looped(double)
    made.scripted.enqueue(
        [*call(1, "double", {"number": 1}), *call(2, "look", {"at": "it"})], CALLED
    )
    pieces = made.run("look")

    assert [one["source"] for one in of_kind(pieces, TOOL_READY)] == ["server", "client"]
    (pending,) = of_kind(pieces, STEP_END)[0]["requires_action"]
    assert (pending["kind"], pending["call_id"], pending["input"]) == ("result", "c2", {"at": "it"})
    assert of_kind(pieces, TOOL_RESULT)[0]["output"] == 2  # what could be done, was
    assert not of_kind(pieces, FINISH) and pieces[-2][0] == STEP_END
    assert len(made.scripted.requests) == 1


def test_a_call_that_must_be_allowed_waits_and_is_not_run() -> None:
    made = looped(send, spend)
    made.scripted.enqueue(
        [
            *call(1, "send", {"to": "bob"}),
            *call(2, "spend", {"number": 9}),
            *call(3, "spend", {"number": 11}),
        ],
        CALLED,
    )
    pieces = made.run()

    asked = of_kind(pieces, APPROVAL)
    assert [one["n"] for one in asked] == [1, 3]
    assert len({one["approval_id"] for one in asked}) == 2
    assert [one["n"] for one in of_kind(pieces, TOOL_RESULT)] == [2]
    pending = of_kind(pieces, STEP_END)[0]["requires_action"]
    assert [(one["kind"], one["approval_id"]) for one in pending] == [
        ("approval", one["approval_id"]) for one in asked
    ]


def test_where_nobody_can_be_asked_the_model_is_told() -> None:
    made = looped(send, may_wait=False)
    made.scripted.enqueue(call(1, "send", {"to": "bob"}), CALLED)
    made.scripted.enqueue("I cannot.", STOP)
    pieces = made.run()

    assert of_kind(pieces, TOOL_RESULT)[0]["error"] == NOBODY_TO_ASK
    assert not of_kind(pieces, APPROVAL) and pieces[-1] == STOP


def test_a_client_that_comes_again_by_itself_gets_its_calls_as_the_end() -> None:
    made = looped(double, may_wait=False)
    made.scripted.enqueue(call(1, "look"), CALLED)
    pieces = made.run("look")

    assert pieces[-1] == CALLED
    assert "requires_action" not in of_kind(pieces, STEP_END)[0]


@pytest.mark.parametrize("approved", [True, False])
def test_an_answer_lets_the_loop_go_on_where_it_was(approved: bool) -> None:
    made = looped(send)
    made.scripted.enqueue(call(1, "send", {"to": "bob"}), CALLED)
    before = made.run()
    names = {"n": 1, "call_id": "c1", "name": "send"}
    answers: list[Any] = [(APPROVAL_ANSWER, {**names, "approved": approved})]
    if not approved:
        answers.append((TOOL_RESULT, {**names, "denied": True}))
    made.calls = Calls.of([*before, *answers])
    made.scripted.enqueue(*call(2, "send", {"to": "eve"}), CALLED)
    pieces = made.run()

    results = of_kind(pieces, TOOL_RESULT)
    assert [one.get("output") for one in results] == (["sent to bob"] if approved else [])
    assert of_kind(pieces, APPROVAL)[0]["n"] == 2  # numbers go on
    assert made.scripted.requests[-1].first_call == 2


def test_a_tool_that_has_gone_meanwhile_is_told_the_model() -> None:
    made = looped(send)
    made.scripted.enqueue(call(1, "send", {"to": "bob"}), CALLED)
    names = {"n": 1, "call_id": "c1", "name": "send"}
    made.calls = Calls.of([*made.run(), (APPROVAL_ANSWER, {**names, "approved": True})])
    made.tools = {}
    made.scripted.enqueue("Gone.", STOP)

    assert of_kind(made.run(), TOOL_RESULT)[0]["error"] == NOT_HERE
