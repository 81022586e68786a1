"""The AI SDK's stream with tools, byte by byte, for versions 5 and 6; what its messages answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.entries import Entry
from app.core.errors import RequestError
from app.core.tools import Reply
from app.dialects.ai_sdk.chat import AiSdk
from tests.dialects.speech import FAILED, STOPPED, reply_of, streamed
from tests.dialects.test_ai_sdk import AGAIN, ASKED, message
from tests.support.clock import START
from tests.support.samples import end_entry

DIALECT = AiSdk()
NAMES = {"n": 1, "call_id": "c1", "name": "send"}
USED = {"input_tokens": 3, "output_tokens": 4, "source": "reported"}
APPROVAL = {**NAMES, "approval_id": "ap-1", "expires_at": START + 60}
PENDING = [{**NAMES, "input": {}, "kind": "approval", "approval_id": "ap-1", "expires_at": 1}]
INPUT = {"to": "bob"}


def log_of(*said: tuple[str, Any], end: Any = None) -> list[Entry]:
    log = [Entry(seq, kind, data, START) for seq, (kind, data) in enumerate(said, 1)]
    return [*log, end_entry(len(log) + 1, end)]


def called(source: str = "client", n: int = 1, name: str = "send") -> list[tuple[str, Any]]:
    names = {"n": n, "call_id": f"c{n}", "name": name, "source": source}
    return [
        ("tool_call", names),
        ("tool_args", {"n": n, "delta": '{"to":'}),
        ("tool_args", {"n": n, "delta": '"bob"}'}),
        ("tool_ready", {**names, "input": INPUT}),
    ]


STEP_END = ("step_end", {"usage": USED, "finish_reason": "tool_calls"})
PAUSE = ("step_end", {**STEP_END[1], "requires_action": PENDING})


def parts(log: list[Entry], version: int, after: int = 0) -> list[Any]:
    frames = streamed(DIALECT, log, after, version=version).removeprefix(": open\n\n")
    lines = [line.removeprefix("data: ") for line in frames.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def types(log: list[Entry], version: int = 6, after: int = 0) -> list[str]:
    return [part["type"] for part in parts(log, version, after)]


INPUTS = [
    {"type": "tool-input-start", "toolCallId": "c1", "toolName": "send"},
    {"type": "tool-input-delta", "toolCallId": "c1", "inputTextDelta": '{"to":'},
    {"type": "tool-input-delta", "toolCallId": "c1", "inputTextDelta": '"bob"}'},
    {"type": "tool-input-available", "toolCallId": "c1", "toolName": "send", "input": INPUT},
]
each = pytest.mark.parametrize("version", [5, 6])


@each
def test_a_step_with_a_tool_is_followed_by_one_without(version: int) -> None:
    result = ("tool_result", {**NAMES, "output": {"sent": True}})
    log = log_of(("text", "Well."), *called("server"), ("tool_started", NAMES), result, STEP_END,
                 ("text", "Sent."))  # fmt: skip
    said = parts(log, version)

    text = {"id": "part-1"}, {"id": "part-2"}
    assert said[1:-1] == [
        {"type": "start-step"},
        {"type": "text-start", **text[0]},
        {"type": "text-delta", **text[0], "delta": "Well."},
        {"type": "text-end", **text[0]},
        *INPUTS,
        {"type": "tool-output-available", "toolCallId": "c1", "output": {"sent": True}},
        {"type": "finish-step"},
        {"type": "start-step"},
        {"type": "text-start", **text[1]},
        {"type": "text-delta", **text[1], "delta": "Sent."},
        {"type": "text-end", **text[1]},
        {"type": "finish-step"},
    ]
    reason = {"finishReason": "stop"} if version == 6 else {}
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    metadata = {"finishReason": "stop", "usage": usage}
    assert said[-1] == {"type": "finish", **reason, "messageMetadata": metadata}


@pytest.mark.parametrize(
    ("result", "older", "newer"),
    [
        ({"error": "no"}, {"type": "tool-output-error", "errorText": "no"}, None),
        (
            {"denied": True},
            {"type": "tool-output-error", "errorText": "The user did not allow this call."},
            {"type": "tool-output-denied"},
        ),
        (
            {"stopped": True},
            {
                "type": "tool-output-error",
                "errorText": "The call was stopped before it had a result.",
            },
            None,
        ),
        (
            {"output": 1, "preliminary": True},
            {},
            {"type": "tool-output-available", "output": 1, "preliminary": True},
        ),
        ({"output": None}, {"type": "tool-output-available", "output": None}, None),
    ],
)
@each
def test_result_is_one_that_the_version_knows(
    result: Any, older: Any, newer: Any, version: int
) -> None:
    log = log_of(*called("server"), ("tool_result", {**NAMES, **result}), STEP_END, ("text", "a"))
    said = parts(log, version)
    found = [part for part in said if part["type"].startswith("tool-output")]

    expected = newer or older if version == 6 else older
    assert found == ([{"toolCallId": "c1", **expected}] if expected else [])


@each
def test_sources_of_a_result_are_parts(version: int) -> None:
    sources = [{"url": "https://a.example/", "title": "A"}, {"url": "https://b.example/"}]
    result = {**NAMES, "output": "x", "sources": sources}
    early = {**result, "preliminary": True}
    log = log_of(*called("server"), ("tool_result", early), ("tool_result", result), STEP_END)

    assert [part for part in parts(log, version) if part["type"] == "source-url"] == [
        {"type": "source-url", "sourceId": "c1-0", "url": "https://a.example/", "title": "A"},
        {"type": "source-url", "sourceId": "c1-1", "url": "https://b.example/"},
    ]


@each
def test_arguments_that_are_none(version: int) -> None:
    names = {**NAMES, "source": "client"}
    error = "The arguments were no JSON object, or were cut off."
    log = log_of(
        ("tool_call", names),
        ("tool_ready", {**names, "invalid": '{"to'}),
        ("tool_result", {**NAMES, "error": error}),
        STEP_END,
    )
    invalid = {"toolCallId": "c1", "toolName": "send", "input": '{"to', "errorText": error}
    said = [part for part in parts(log, version) if part["type"].startswith("tool-")]

    assert said == [
        INPUTS[0],
        *([{"type": "tool-input-error", **invalid}] if version == 6 else []),
        {"type": "tool-output-error", "toolCallId": "c1", "errorText": error},
    ]


# --- waiting ------------------------------------------------------------------------------------


def waiting() -> list[Entry]:
    return log_of(*called("server"), ("approval", APPROVAL), PAUSE)[:-1]


@each
def test_reply_that_waits_ends_its_stream(version: int) -> None:
    said = parts(waiting(), version)

    request = {"type": "tool-approval-request", "approvalId": "ap-1", "toolCallId": "c1"}
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    metadata = {"finishReason": "tool-calls", "usage": usage, "requiresAction": PENDING}
    assert said[2:] == [
        *INPUTS,
        *([request] if version == 6 else []),
        {"type": "finish-step"},
        {
            "type": "finish",
            **({"finishReason": "tool-calls"} if version == 6 else {}),
            "messageMetadata": metadata,
        },
    ]


@each
def test_what_comes_after_the_answer_is_added_to_the_message(version: int) -> None:
    before = waiting()
    answer = ("approval_answer", {**NAMES, "approval_id": "ap-1", "approved": True, "by": "ann"})
    more = [answer, ("tool_started", NAMES), ("tool_result", {**NAMES, "output": 1})]
    said = [(one.kind, one.data) for one in before]
    log = log_of(*said, *more, ("text", "Sent."))
    after = parts(log, version, len(before))

    assert [part["type"] for part in after] == [
        "start",
        "tool-output-available",
        *("start-step", "text-start", "text-delta", "text-end", "finish-step"),
        "finish",
    ]
    assert after[0]["messageId"] == "run-1-reply"
    assert {part["id"] for part in after if "id" in part} == {f"part-{len(before)}-1"}
    assert after[-1]["messageMetadata"]["requiresAction"] == []
    # From its start the same, in one message.
    whole = [part["type"] for part in parts(log, version)]
    assert whole[-7:] == [part["type"] for part in after[1:]][-7:]
    assert whole.count("finish") == whole.count("start") == 1


def test_what_is_left_to_be_answered_is_told() -> None:
    two = [
        {**NAMES, "input": {}, "kind": "result", "expires_at": 1},
        {**PENDING[0], "call_id": "c2"},
    ]
    pause = ("step_end", {**STEP_END[1], "requires_action": two})
    log = log_of(*called(), pause, ("tool_result", {**NAMES, "output": 1}))[:-1]
    finish = parts(log, 6, len(log) - 1)[-1]

    assert finish["messageMetadata"]["requiresAction"] == two[1:]


@pytest.mark.parametrize(("end", "last"), [(FAILED, "error"), (STOPPED, "abort"), (None, "finish")])
def test_last_step_of_a_message_is_never_one_that_is_sent_again(end: Any, last: str) -> None:
    result = ("tool_result", {**NAMES, "output": 1})
    within = log_of(*called(), result, end=end)
    behind = log_of(*called(), result, STEP_END, end=end)
    paused = [(one.kind, one.data) for one in waiting()]
    since = log_of(*paused, result, end=end)

    finish = ["finish-step"] if last == "finish" else []
    for found in (types(within), types(behind), types(since, after=len(paused))):
        assert found[-2 - len(finish) :] == ["start-step", *finish, last]
    assert types(within).count("start-step") == 2


def test_text_after_a_call_belongs_to_its_step() -> None:
    log = log_of(*called(), ("text", "See above."), PAUSE)[:-1]

    assert types(log)[-5:] == ["text-start", "text-delta", "text-end", "finish-step", "finish"]


# --- requests -----------------------------------------------------------------------------------

TOOL = {"type": "function", "function": {"name": "weather"}}


def test_tools_are_the_servers_by_name_and_the_clients_by_definition() -> None:
    body = {"id": "chat-1", "messages": [ASKED], "tools": ["send", TOOL], "tool_choice": "required"}
    request = DIALECT.parse({**body, "version": "7"}, {}).request

    assert request.server_tools == ("send",)
    assert request.parameters == {"tools": [TOOL], "tool_choice": "required"}
    assert request.has_tools


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"version": "4"}, "version"),
        ({"version": "new"}, "version"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": "send"}, "tools"),
    ],
)
def test_wrong_option_is_named(fields: Any, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        DIALECT.parse({"id": "chat-1", "messages": [ASKED], **fields}, {})
    assert set(refused.value.fields) == {field}


def part(state: str, kind: str = "tool-weather", **more: Any) -> dict[str, Any]:
    return {"type": kind, "toolCallId": "c1", "state": state, "input": {}, **more}


def replied(*said: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a-9", "role": "assistant", "parts": list(said), **more}


def answers_of(*messages: dict[str, Any], **fields: Any) -> Any:
    return DIALECT.parse({"id": "chat-1", "messages": [ASKED, *messages], **fields}, {}).answers


def test_answers_are_in_the_parts_of_the_last_reply() -> None:
    approved = {"id": "ap-1", "approved": False, "reason": "no"}
    found = answers_of(
        replied(
            {"type": "step-start"},
            part("output-available", output={"n": 1}),
            part("output-available", "dynamic-tool", toolCallId="c2"),
            part("output-error", toolCallId="c3", errorText="no such"),
            part("output-error", toolCallId="c4"),
            part("approval-responded", toolCallId="c5", approval=approved),
            metadata={"runId": "run-1"},
        )
    )

    assert (found.session_id, found.run_id, found.message_id) == ("chat-1", "run-1", "a-9")
    assert found.replies(1000, "ann") == [
        Reply("c1", "tool_result", {"output": {"n": 1}}),
        Reply("c2", "tool_result", {"output": None}),
        Reply("c3", "tool_result", {"error": "no such"}),
        Reply("c4", "tool_result", {"error": "The tool failed."}),
        Reply("ap-1", "approval_answer", {"approved": False, "reason": "no", "by": "ann"}),
    ]
    cut, *_ = found.replies(3, "ann")
    assert cut.data["output"].endswith("more bytes]")


@pytest.mark.parametrize(
    "said",
    [
        [],
        [{"type": "text", "text": "hi"}],
        [part("input-available")],
        [part("input-streaming")],
        [part("approval-requested", approval={"id": "ap-1"})],
        [part("output-denied")],
        [part("output-available", preliminary=True)],
        [part("output-available", providerExecuted=True)],
        [part("output-available", toolCallId=5)],
        [{"type": "data-tool", "state": "output-available", "toolCallId": "c"}],
    ],
)
def test_reply_without_an_answer_answers_nothing(said: list[dict[str, Any]]) -> None:
    assert answers_of(replied(*said)) is None


def test_reply_is_the_one_that_is_named() -> None:
    answered = replied(part("output-available"))

    assert answers_of(answered, message("u-8", "user")) is None
    assert answers_of(answered, message("u-8", "user"), messageId="a-9").message_id == "a-9"
    assert answers_of(answered, trigger="regenerate-message") is None
    assert answers_of(answered, messageId="unknown").message_id == "a-9"
    assert DIALECT.parse({"id": "chat-1", "messages": AGAIN}, {}).answers is None


@pytest.mark.parametrize("metadata", [None, 5, {}, {"runId": 5}])
def test_run_need_not_be_named(metadata: Any) -> None:
    found = answers_of(replied(part("output-available"), metadata=metadata))

    assert (found.run_id, found.message_id) == (None, "a-9")


@pytest.mark.parametrize(
    ("approval", "field"),
    [
        (None, "id"),
        ({}, "id"),
        ({"id": 5, "approved": True}, "id"),
        ({"id": "ap-1"}, "approved"),
        ({"id": "ap-1", "approved": "yes"}, "approved"),
        ({"id": "ap-1", "approved": True, "reason": "x" * 2001}, "reason"),
        ({"id": "ap-1", "approved": True, "reason": 5}, "reason"),
    ],
)
def test_approval_that_is_none_is_named(approval: Any, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        answers_of(replied({"type": "text"}, part("approval-responded", approval=approval)))
    assert set(refused.value.fields) == {f"messages.1.parts.1.approval.{field}"}


def test_encoder_of_a_run_that_goes_on_says_nothing_at_a_pause() -> None:
    log = [*waiting(), Entry(7, "tool_started", NAMES, START)]
    encoder = DIALECT.encoder(reply_of(log), 0, {"version": 6})

    assert encoder.encode(log).endswith(b'data: {"type":"finish-step"}\n\n')
    assert encoder.close() == b""
