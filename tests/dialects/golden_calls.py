"""What calls look like in each dialect that has a place for them, as bytes go over the wire: told a
second time, for test_golden_calls.py.

`CALLED` is of a tool of the client's, whose request ends there; `RAN` of one that the server ran.
"""

from __future__ import annotations

from typing import NamedTuple

from app.core.entries import Entry
from tests.dialects import anthropic_row, responses_row
from tests.dialects.golden import OPEN
from tests.support.clock import START
from tests.support.samples import end_entry, run_end, texts

NAMES = {"n": 1, "call_id": "call_1", "name": "weather"}
USED = {"input_tokens": 3, "output_tokens": 4, "source": "reported"}


def call(first: int, source: str) -> list[Entry]:
    """Return the entries of a call."""
    names = {**NAMES, "source": source}
    return [
        Entry(first, "tool_call", names, START),
        Entry(first + 1, "tool_args", {"n": 1, "delta": '{"city":'}, START),
        Entry(first + 2, "tool_args", {"n": 1, "delta": '"Rom"}'}, START),
        Entry(first + 3, "tool_ready", {**names, "input": {"city": "Rom"}}, START),
    ]


CALLED = [*texts("Well."), *call(2, "client"), end_entry(6, run_end("completed", "tool_calls"))]
RESULT = {**NAMES, "output": {"degrees": 20}, "sources": [{"url": "https://w.example/"}]}
RAN = [
    *call(1, "server"),
    Entry(5, "tool_started", NAMES, START),
    Entry(6, "tool_result", RESULT, START),
    Entry(7, "step_end", {"usage": USED, "finish_reason": "tool_calls"}, START),
    *texts("Warm.", first=8),
    end_entry(9),
]


class Calls(NamedTuple):
    """The streams of both logs."""

    called: str
    ran: str


def events(*data: str) -> str:
    """Return events of these."""
    return OPEN + "".join(f"data: {one}\n\n" for one in data)


def native(seq: int, data: str) -> str:
    """Return an event of the native dialect."""
    return f'id: run-1:{seq}\ndata: {data},"run_id":"run-1","seq":{seq}}}\n\n'


def native_call(seq: int, state: str) -> str:
    """Return the event of what has become of the call."""
    names = '"n":1,"call_id":"call_1","name":"weather"'
    return native(seq, f'{{"tool":{{{names},"state":{state}}}')


def native_end(seq: int, text: str, reason: str) -> str:
    """Return the last event."""
    return (
        f'id: run-1:{seq}\ndata: {{"done":true,"tokens":2,"duration":2.0,"tokens_per_second":1.0,'
        f'"full_response":"{text}","user":"ann","timestamp":"2023-11-14T22:13:22.000Z",'
        f'"run_id":"run-1","session_id":"s-1","seq":{seq},"finish_reason":"{reason}",'
        '"provider":"scripted","model":"scripted-1","usage":{"input_tokens":5,"output_tokens":2,'
        '"source":"reported"},"ttft_ms":500.0}\n\n'
    )


NATIVE = Calls(
    called=OPEN
    + native(1, '{"token":"Well.","count":1,"partial":"Well."')
    + native_call(2, '"calling","source":"client"')
    + native_call(5, '"ready","input":{"city":"Rom"}')
    + native_end(6, "Well.", "tool_calls"),
    ran=OPEN
    + native_call(1, '"calling","source":"server"')
    + native_call(4, '"ready","input":{"city":"Rom"}')
    + native_call(5, '"running"')
    + native_call(6, '"done","output":{"degrees":20},"sources":[{"url":"https://w.example/"}]')
    + native(8, '{"token":"Warm.","count":1,"partial":"Warm."')
    + native_end(9, "Warm.", "stop"),
)


def chunk(delta: str, reason: str = "null") -> str:
    """Return a chunk of OpenAI's."""
    return (
        '{"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        f'"model":"scripted-1","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}'
    )


def piece(call: str) -> str:
    """Return a chunk that is a piece of a call."""
    return chunk('{"tool_calls":[{"index":0,%s}]}' % call)


FIRST = chunk('{"role":"assistant","content":""}')
OPENAI = Calls(
    called=events(
        FIRST,
        chunk('{"content":"Well."}'),
        piece('"id":"call_1","type":"function","function":{"name":"weather","arguments":""}'),
        piece(r'"function":{"arguments":"{\"city\":"}'),
        piece(r'"function":{"arguments":"\"Rom\"}"}'),
        chunk("{}", '"tool_calls"'),
        "[DONE]",
    ),
    ran=events(FIRST, chunk('{"content":"Warm."}'), chunk("{}", '"stop"'), "[DONE]"),
)

UI_START = (
    '{"type":"start","messageId":"run-1-reply","messageMetadata":{"runId":"run-1"}}',
    '{"type":"start-step"}',
)
UI_CALL = (
    '{"type":"tool-input-start","toolCallId":"call_1","toolName":"weather"}',
    r'{"type":"tool-input-delta","toolCallId":"call_1","inputTextDelta":"{\"city\":"}',
    r'{"type":"tool-input-delta","toolCallId":"call_1","inputTextDelta":"\"Rom\"}"}',
    '{"type":"tool-input-available","toolCallId":"call_1","toolName":"weather",'
    '"input":{"city":"Rom"}}',
)


def ui_text(text: str) -> tuple[str, ...]:
    """Return the parts of a text."""
    return (
        '{"type":"text-start","id":"part-1"}',
        '{"type":"text-delta","id":"part-1","delta":"%s"}' % text,
        '{"type":"text-end","id":"part-1"}',
    )


def ui_finish(reason: str) -> tuple[str, ...]:
    """Return the last parts."""
    usage = '"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}'
    metadata = '{"finishReason":"%s",%s}' % (reason, usage)
    finish = '{"type":"finish","messageMetadata":%s}' % metadata
    return '{"type":"finish-step"}', finish, "[DONE]"


UI_NEXT = ('{"type":"finish-step"}', '{"type":"start-step"}')
AI_SDK = Calls(
    called=events(*UI_START, *ui_text("Well."), *UI_CALL, *UI_NEXT, *ui_finish("tool-calls")),
    ran=events(
        *UI_START,
        *UI_CALL,
        '{"type":"tool-output-available","toolCallId":"call_1","output":{"degrees":20}}',
        '{"type":"source-url","sourceId":"call_1-0","url":"https://w.example/"}',
        *UI_NEXT,
        *ui_text("Warm."),
        *ui_finish("stop"),
    ),
)


def line(message: str, at: int = 0, more: str = '"done":false') -> str:
    """Return a line of Ollama's."""
    return (
        f'{{"model":"scripted-1","created_at":"2023-11-14T22:13:2{at}.000Z",'
        f'"message":{{"role":"assistant","content":{message}}},{more}}}\n'
    )


OLLAMA_END = line(
    '""',
    2,
    '"done":true,"done_reason":"stop","total_duration":2000000000,"load_duration":0,'
    '"prompt_eval_count":5,"prompt_eval_duration":500000000,"eval_count":2,'
    '"eval_duration":1500000000',
)
OLLAMA = Calls(
    called=line('""')
    + line('"Well."')
    + line('"","tool_calls":[{"function":{"index":0,"name":"weather","arguments":{"city":"Rom"}}}]')
    + OLLAMA_END,
    ran=line('""') + line('"Warm."') + OLLAMA_END,
)

ANTHROPIC = Calls("".join(anthropic_row.CALLED), "".join(anthropic_row.RAN))
RESPONSES = Calls("".join(responses_row.CALLED), "".join(responses_row.RAN))
CALLS = {
    "native": NATIVE,
    "openai_chat": OPENAI,
    "anthropic_messages": ANTHROPIC,
    "openai_responses": RESPONSES,
    "ai_sdk": AI_SDK,
    "ollama_chat": OLLAMA,
}
