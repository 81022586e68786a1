"""The AI SDK's dialect: each situation's frames, byte by byte, and no other field or type."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.placing import AT_LEAF, Place
from app.chats.request import ChatRequest
from app.core.entries import Entry
from app.core.errors import InvalidRequest
from app.core.messages import text_parts
from app.dialects.ai_sdk.chat import AiSdk
from tests.dialects.speech import STOPPED, TIMED_OUT, refusal, reply_of, said, streamed, thought
from tests.support.clock import START
from tests.support.samples import end_entry, run_end, texts

DIALECT = AiSdk()
BEGIN = (
    ": open\n\n"
    'data: {"type":"start","messageId":"run-1-reply","messageMetadata":{"runId":"run-1"}}\n\n'
    'data: {"type":"start-step"}\n\n'
)
USAGE = '{"inputTokens":5,"outputTokens":2,"totalTokens":7}'
ERROR = 'data: {"type":"error","errorText":"%s"}\n\n' % TIMED_OUT.message
ABORT = 'data: {"type":"abort"}\n\n'
DONE = "data: [DONE]\n\n"


def finish(reason: str = "stop") -> str:
    metadata = '{"finishReason":"%s","usage":%s}' % (reason, USAGE)
    return (
        'data: {"type":"finish-step"}\n\n'
        'data: {"type":"finish","messageMetadata":%s}\n\n' % metadata + DONE
    )


def part(kind: str, number: int, *deltas: str, ends: bool = True) -> str:
    """Return a part of the message, with its end."""
    of = f'"id":"part-{number}"'
    frames = ['{"type":"%s-start",%s}' % (kind, of)]
    frames += ['{"type":"%s-delta",%s,"delta":"%s"}' % (kind, of, delta) for delta in deltas]
    frames += ['{"type":"%s-end",%s}' % (kind, of)] if ends else []
    return "".join(f"data: {frame}\n\n" for frame in frames)


def test_reasoning_then_text() -> None:
    assert streamed(DIALECT, thought("hm", "Yes")) == (
        BEGIN
        + 'data: {"type":"reasoning-start","id":"part-1"}\n\n'
        + 'data: {"type":"reasoning-delta","id":"part-1","delta":"hm"}\n\n'
        + 'data: {"type":"reasoning-end","id":"part-1"}\n\n'
        + 'data: {"type":"text-start","id":"part-2"}\n\n'
        + 'data: {"type":"text-delta","id":"part-2","delta":"Yes"}\n\n'
        + 'data: {"type":"text-end","id":"part-2"}\n\n'
        + finish()
    )


def test_reasoning_between_texts_is_a_part_of_its_own() -> None:
    entries = [*texts("a"), Entry(2, "reasoning", "hm", START), *texts("b", first=3), end_entry(4)]

    parts = part("text", 1, "a") + part("reasoning", 2, "hm") + part("text", 3, "b")
    assert streamed(DIALECT, entries) == BEGIN + parts + finish()


def test_status_ends_no_part() -> None:
    entries = [*texts("a"), Entry(2, "status", {"age_s": 1}, START), *texts("b", first=3)]

    assert streamed(DIALECT, entries) == BEGIN + part("text", 1, "a", "b", ends=False)


def test_stopped_while_reasoning() -> None:
    entries = [Entry(1, "reasoning", "hm", START), end_entry(2, STOPPED)]

    assert streamed(DIALECT, entries) == BEGIN + part("reasoning", 1, "hm") + ABORT + DONE


@pytest.mark.parametrize(
    "ours,theirs",
    [("length", "length"), ("content_filter", "content-filter"), ("tool_calls", "tool-calls")],
)
def test_finish_reason_is_spelled_as_the_sdk_does(ours: str, theirs: str) -> None:
    encoded = streamed(DIALECT, said("a", end=run_end("completed", ours)))

    assert encoded == BEGIN + part("text", 1, "a") + finish(theirs)


def test_header_names_the_protocol() -> None:
    assert DIALECT.headers(reply_of([]), {}) == {"x-vercel-ai-ui-message-stream": "v1"}


# --- requests -----------------------------------------------------------------------------------


def message(message_id: str, role: str, text: str = "hi") -> dict[str, Any]:
    return {"id": message_id, "role": role, "parts": [{"type": "text", "text": text}]}


ASKED = message("u-1", "user")
AGAIN = [ASKED, message("a-1", "assistant", "Hello"), message("u-2", "user", "and?")]


def parsed(messages: list[dict[str, Any]], **fields: Any) -> ChatRequest:
    return DIALECT.parse({"id": "chat-1", "messages": messages, **fields}, {}).request


def test_body_with_all_fields_is_read() -> None:
    fields = {"model": "m", "provider": "p", "system": "Be brief.", "temperature": 1}
    spoken = DIALECT.parse({"id": "chat-1", "messages": AGAIN, **fields, "colour": 1}, {})

    assert spoken.request == ChatRequest(
        text_parts("and?"),
        session_id="chat-1",
        model="m",
        provider="p",
        system="Be brief.",
        temperature=1,
        waits=True,
        names={"message": "messages.2.parts", "session_id": "id"},
    )
    assert (spoken.dialect, spoken.options, spoken.streams) == (DIALECT, {"version": 5}, None)


def test_text_parts_are_joined_and_others_passed_over() -> None:
    parts = [
        {"type": "step-start"},
        {"type": "text", "text": "one "},
        {"type": "data-x", "data": 1},
        {"type": "text", "text": "two"},
        {"type": "text", "text": 3},
    ]

    assert parsed([{"id": "u", "role": "user", "parts": parts}]).content == text_parts("one two")


def test_system_messages_are_the_prompt_unless_one_is_given() -> None:
    messages = [message("s", "system", "A"), message("t", "system", "B"), ASKED]

    assert parsed(messages).system == "A\n\nB"
    assert parsed(messages, system="C").system == "C"
    assert parsed([ASKED]).system is None


@pytest.mark.parametrize(
    "messages,fields,place",
    [
        ([ASKED], {}, AT_LEAF),
        (AGAIN, {"trigger": "submit-message"}, AT_LEAF),
        (AGAIN, {"messageId": None}, AT_LEAF),
        ([ASKED], {"messageId": "u-1"}, Place("after", None)),
        (AGAIN, {"messageId": "u-2"}, Place("after", "a-1")),
        ([ASKED], {"trigger": "regenerate-message"}, Place("again", None)),
        (AGAIN, {"trigger": "regenerate-message"}, Place("again", "a-1")),
        (AGAIN, {"trigger": "regenerate-message", "messageId": "a-2"}, Place("again", "a-1")),
        (
            [*AGAIN, message("a-2", "assistant"), message("u-3", "user")],
            {"messageId": "u-3"},
            Place("after", "a-2"),
        ),
        (
            [*AGAIN, message("a-2", "assistant")],
            {"trigger": "regenerate-message"},
            Place("again", "a-1"),
        ),
    ],
)
def test_turn_goes_after_the_reply_before_its_message(
    messages: list[dict[str, Any]], fields: dict[str, Any], place: Place
) -> None:
    assert parsed(messages, **fields).place == place


@pytest.mark.parametrize(
    "change,field",
    [
        ({"id": None}, "id"),
        ({"id": "../x"}, "id"),
        ({"id": ""}, "id"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [message("a", "assistant")]}, "messages"),
        ({"messages": [message("r", "robot")]}, "messages.0.role"),
        ({"messages": [{"id": "u", "role": "user"}]}, "messages.0.parts"),
        ({"messages": [{"id": 1, "role": "user"}]}, "messages.0.id"),
        ({"messages": [*AGAIN, message("u", "user", " \n")]}, "messages.3.parts"),
        ({"messages": [message("u", "user", "\x00")]}, "messages.0.parts"),
        ({"messages": [message("u", "user", "x" * 101)]}, "messages.0.parts"),
        ({"messages": [{"id": "u", "role": "user", "parts": ["hi"]}]}, "messages.0.parts.0"),
        ({"trigger": "resume-stream"}, "trigger"),
        ({"messageId": 1}, "messageId"),
        ({"model": 1}, "model"),
        ({"provider": 1}, "provider"),
        ({"system": "\x00"}, "system"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_wrong_field_is_named_as_the_client_does(change: dict[str, Any], field: str) -> None:
    body = {"id": "chat-1", "messages": [ASKED], **change}

    assert set(refusal(DIALECT, body).fields) == {field}


def test_error_body_names_the_fields_in_its_message() -> None:
    error = InvalidRequest({"id": "too long"})

    assert DIALECT.error(error) == {
        "error": {
            "code": "invalid_request",
            "message": "The request is not valid: check id. id: too long",
            "error_id": error.error_id,
            "retryable": False,
            "fields": {"id": "too long"},
        }
    }
