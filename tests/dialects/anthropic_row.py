"""The bytes of Claude's messages, for test_conformance.py and test_golden_calls.py."""

from __future__ import annotations

from app.core.errors import ChatError
from app.dialects.anthropic.chat import ClaudeMessages
from tests.dialects.golden import OPEN, At, Golden, escaped
from tests.dialects.speech import TIMED_OUT

PING = 'event: ping\ndata: {"type":"ping"}\n\n'
HEAD = '"id":"msg_run-1","type":"message","role":"assistant","model":"scripted-1"'
START = (
    "event: message_start\n"
    f'data: {{"type":"message_start","message":{{{HEAD},"content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}\n\n'
)
STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
KINDS = {
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def begin(block: str, index: int = 0) -> str:
    return (
        f'event: content_block_start\ndata: {{"type":"content_block_start","index":{index},'
        f'"content_block":{block}}}\n\n'
    )


def delta(said: str, index: int = 0) -> str:
    return (
        f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{index},'
        f'"delta":{said}}}\n\n'
    )


def close(index: int = 0) -> str:
    return f'event: content_block_stop\ndata: {{"type":"content_block_stop","index":{index}}}\n\n'


def end(reason: str) -> str:
    return (
        f'event: message_delta\ndata: {{"type":"message_delta","delta":{{"stop_reason":"{reason}",'
        '"stop_sequence":null},"usage":{"input_tokens":5,"output_tokens":2}}\n\n'
    ) + STOP


def text(said: str, index: int = 0) -> str:
    return delta(f'{{"type":"text_delta","text":"{escaped(said)}"}}', index)


EMPTY = begin('{"type":"text","text":""}')


def ended(at: At) -> str:
    return ("" if at.first else close()) + end("end_turn")


def problem(error: ChatError, sentence: str) -> object:
    kind = KINDS.get(error.http_status, "invalid_request_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": sentence},
        "code": error.code,
        "retryable": error.retryable,
    }


ANTHROPIC = Golden(
    dialect=ClaudeMessages(),
    hello=OPEN + START + PING + EMPTY + text("Hello") + text(" there") + close() + end("end_turn"),
    opening=OPEN + START + PING,
    resumed=OPEN,
    piece=lambda at: (EMPTY if at.first else "") + text(at.text),
    completed=ended,
    stopped=ended,
    failed=lambda at: (
        'event: error\ndata: {"type":"error","error":{"type":"timeout_error",'
        f'"message":"{TIMED_OUT.message}"}},"code":"upstream_timeout","retryable":true}}\n\n'
    ),
    whole={
        "id": "msg_run-1",
        "type": "message",
        "role": "assistant",
        "model": "scripted-1",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    },
    problem=problem,
    text_of=lambda event: event.get("delta", {}).get("text", ""),
    heartbeat=PING,
)

USE = begin('{"type":"tool_use","id":"call_1","name":"weather","input":{}}', 1)
CALLED = (
    *(OPEN, START, PING, EMPTY, text("Well."), close(), USE),
    delta('{"type":"input_json_delta","partial_json":"{\\"city\\":"}', 1),
    delta('{"type":"input_json_delta","partial_json":"\\"Rom\\"}"}', 1),
    *(close(1), end("tool_use")),
)
RAN = (OPEN, START, PING, EMPTY, text("Warm."), close(), end("end_turn"))
