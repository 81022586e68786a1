"""The bytes of Tandem's own dialect and of those of others' clients, for test_conformance.py."""

from __future__ import annotations

import json
from typing import Any

from app.core.errors import ChatError
from app.dialects.ai_sdk.chat import AiSdk
from app.dialects.native import Native
from app.dialects.native_tools import KINDS_SHOWN
from app.dialects.ollama import OllamaChat
from app.dialects.openai.chat import OpenAIChat
from app.dialects.prompts.ollama_generate import OllamaGenerate
from app.dialects.prompts.openai_completions import OpenAICompletions
from tests.dialects.anthropic_row import ANTHROPIC
from tests.dialects.golden import COUNTS, OPEN, USAGE, At, Golden, escaped
from tests.dialects.responses_row import RESPONSES
from tests.dialects.speech import TIMED_OUT

DONE = "data: [DONE]\n\n"


def native_end(at: At, reason: str) -> str:
    seq = at.count + 1
    return (
        f'id: run-1:{seq}\ndata: {{"done":true,"tokens":2,"duration":2.0,"tokens_per_second":1.0,'
        f'"full_response":"{escaped(at.so_far)}","user":"ann",'
        '"timestamp":"2023-11-14T22:13:22.000Z","run_id":"run-1","session_id":"s-1",'
        f'"seq":{seq},"finish_reason":"{reason}","provider":"scripted","model":"scripted-1",'
        '"usage":{"input_tokens":5,"output_tokens":2,"source":"reported"},"ttft_ms":500.0}\n\n'
    )


def native_failed(at: At) -> str:
    seq = at.count + 1
    return (
        f'id: run-1:{seq}\ndata: {{"error":"{TIMED_OUT.message}","code":"upstream_timeout",'
        f'"error_id":"{TIMED_OUT.error_id}","run_id":"run-1","session_id":"s-1","seq":{seq},'
        '"finish_reason":"error","retryable":true}\n\n'
    )


def native_problem(error: ChatError, sentence: str) -> Any:
    return {"error": error.payload()}


NATIVE = Golden(
    dialect=Native(),
    hello=(
        ": open\n\n"
        "id: run-1:1\n"
        'data: {"token":"Hello","count":1,"partial":"Hello","run_id":"run-1","seq":1}\n\n'
        "id: run-1:2\n"
        'data: {"token":" there","count":2,"partial":"Hello there","run_id":"run-1","seq":2}\n\n'
        "id: run-1:3\n"
        'data: {"done":true,"tokens":2,"duration":2.0,"tokens_per_second":1.0,'
        '"full_response":"Hello there","user":"ann","timestamp":"2023-11-14T22:13:22.000Z",'
        '"run_id":"run-1","session_id":"s-1","seq":3,"finish_reason":"stop",'
        '"provider":"scripted","model":"scripted-1",'
        '"usage":{"input_tokens":5,"output_tokens":2,"source":"reported"},"ttft_ms":500.0}\n\n'
    ),
    opening=OPEN,
    resumed=OPEN,
    piece=lambda at: (
        f'id: run-1:{at.count}\ndata: {{"token":"{escaped(at.text)}","count":{at.count},'
        f'"partial":"{escaped(at.so_far)}","run_id":"run-1","seq":{at.count}}}\n\n'
    ),
    completed=lambda at: native_end(at, "stop"),
    stopped=lambda at: native_end(at, "stopped"),
    failed=native_failed,
    whole={
        "response": "Hello",
        "session_id": "s-1",
        "run_id": "run-1",
        "tokens": 2,
        "duration": 2.0,
        "tokens_per_second": 1.0,
        "user": "ann",
        "timestamp": "2023-11-14T22:13:22.000Z",
        "finish_reason": "stop",
        "provider": "scripted",
        "model": "scripted-1",
        "usage": USAGE,
    },
    problem=native_problem,
    text_of=lambda event: event.get("token", ""),
    heartbeat=": ping\n",
    shows=frozenset({"status", "file"}) | KINDS_SHOWN - {"tool_args"},
)


def openai_chunk(delta: str, reason: str = "null") -> str:
    return (
        'data: {"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        f'"model":"scripted-1","choices":[{{"index":0,"delta":{delta},'
        f'"finish_reason":{reason}}}]}}\n\n'
    )


OPENAI = Golden(
    dialect=OpenAIChat(),
    hello=(
        ": open\n\n"
        'data: {"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"scripted-1","choices":[{"index":0,'
        '"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
        'data: {"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"scripted-1","choices":[{"index":0,'
        '"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
        'data: {"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"scripted-1","choices":[{"index":0,'
        '"delta":{"content":" there"},"finish_reason":null}]}\n\n'
        'data: {"id":"chatcmpl-run-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"scripted-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        "data: [DONE]\n\n"
    ),
    opening=OPEN + openai_chunk('{"role":"assistant","content":""}'),
    resumed=OPEN,
    piece=lambda at: openai_chunk(f'{{"content":"{escaped(at.text)}"}}'),
    completed=lambda at: openai_chunk("{}", '"stop"') + DONE,
    stopped=lambda at: openai_chunk("{}", '"stop"') + DONE,
    failed=lambda at: (
        f'data: {{"error":{{"message":"{TIMED_OUT.message}","type":"server_error","param":null,'
        '"code":"upstream_timeout"}}\n\n'
    ),
    whole={
        "id": "chatcmpl-run-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": COUNTS,
    },
    problem=lambda error, sentence: {
        "error": {
            "message": sentence,
            "type": {429: "rate_limit_error", 503: "server_error", 504: "server_error"}.get(
                error.http_status, "invalid_request_error"
            ),
            "param": next(iter(sorted(error.fields)), None),
            "code": error.code,
        }
    },
    text_of=lambda event: "".join(
        choice["delta"].get("content", "") for choice in event.get("choices", ())
    ),
    shows=frozenset({"reasoning", "refusal", "logprobs", "file"}),
)


def completion_chunk(text: str, reason: str = "null") -> str:
    return (
        'data: {"id":"cmpl-run-1","object":"text_completion","created":1700000000,'
        f'"model":"scripted-1","choices":[{{"text":"{text}","index":0,"logprobs":null,'
        f'"finish_reason":{reason}}}]}}\n\n'
    )


OPENAI_COMPLETIONS = Golden(
    dialect=OpenAICompletions(),
    hello=(
        ": open\n\n"
        'data: {"id":"cmpl-run-1","object":"text_completion","created":1700000000,'
        '"model":"scripted-1","choices":[{"text":"Hello","index":0,"logprobs":null,'
        '"finish_reason":null}]}\n\n'
        'data: {"id":"cmpl-run-1","object":"text_completion","created":1700000000,'
        '"model":"scripted-1","choices":[{"text":" there","index":0,"logprobs":null,'
        '"finish_reason":null}]}\n\n'
        'data: {"id":"cmpl-run-1","object":"text_completion","created":1700000000,'
        '"model":"scripted-1","choices":[{"text":"","index":0,"logprobs":null,'
        '"finish_reason":"stop"}]}\n\n'
        "data: [DONE]\n\n"
    ),
    opening=OPEN,
    resumed=OPEN,
    piece=lambda at: completion_chunk(escaped(at.text)),
    completed=lambda at: completion_chunk("", '"stop"') + DONE,
    stopped=lambda at: completion_chunk("", '"stop"') + DONE,
    failed=OPENAI.failed,
    whole={
        "id": "cmpl-run-1",
        "object": "text_completion",
        "created": 1700000000,
        "model": "scripted-1",
        "choices": [{"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": COUNTS,
    },
    problem=OPENAI.problem,
    text_of=lambda event: "".join(choice["text"] for choice in event.get("choices", ())),
)

UI_USAGE = '"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}'
UI_FINISH = (
    'data: {"type":"finish-step"}\n\n'
    'data: {"type":"finish","messageMetadata":{"finishReason":"stop",%s}}\n\n' % UI_USAGE + DONE
)


def ui_text_end(at: At) -> str:
    return "" if at.first else 'data: {"type":"text-end","id":"part-1"}\n\n'


UI_START = (
    OPEN
    + 'data: {"type":"start","messageId":"run-1-reply","messageMetadata":{"runId":"run-1"}}\n\n'
    + 'data: {"type":"start-step"}\n\n'
)
AI_SDK = Golden(
    dialect=AiSdk(),
    hello=(
        ": open\n\n"
        'data: {"type":"start","messageId":"run-1-reply","messageMetadata":{"runId":"run-1"}}\n\n'
        'data: {"type":"start-step"}\n\n'
        'data: {"type":"text-start","id":"part-1"}\n\n'
        'data: {"type":"text-delta","id":"part-1","delta":"Hello"}\n\n'
        'data: {"type":"text-delta","id":"part-1","delta":" there"}\n\n'
        'data: {"type":"text-end","id":"part-1"}\n\n'
        'data: {"type":"finish-step"}\n\n'
        'data: {"type":"finish","messageMetadata":{"finishReason":"stop",'
        '"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}}}\n\n'
        "data: [DONE]\n\n"
    ),
    opening=UI_START,
    resumed=UI_START,  # its client makes a message anew
    piece=lambda at: (
        ('data: {"type":"text-start","id":"part-1"}\n\n' if at.first else "")
        + f'data: {{"type":"text-delta","id":"part-1","delta":"{escaped(at.text)}"}}\n\n'
    ),
    completed=lambda at: ui_text_end(at) + UI_FINISH,
    stopped=lambda at: ui_text_end(at) + 'data: {"type":"abort"}\n\n' + DONE,
    failed=lambda at: f'data: {{"type":"error","errorText":"{TIMED_OUT.message}"}}\n\n' + DONE,
    whole={
        "id": "run-1-reply",
        "role": "assistant",
        "parts": [{"type": "text", "text": "Hello"}],
    },
    problem=lambda error, sentence: {"error": {**error.payload(), "message": sentence}},
    text_of=lambda event: event["delta"] if event["type"] == "text-delta" else "",
    shows=frozenset({"file", "reasoning", "step_end", "tool_call", "tool_ready", "tool_result"}),
)

OLLAMA_AT = '"model":"scripted-1","created_at":"2023-11-14T22:13:2%d.000Z"'
OLLAMA_FIGURES: dict[str, Any] = {
    "total_duration": 2000000000,
    "load_duration": 0,
    "prompt_eval_count": 5,
    "prompt_eval_duration": 500000000,
    "eval_count": 2,
    "eval_duration": 1500000000,
}


def ollama_line(content: str) -> str:
    message = f'"message":{{"role":"assistant","content":"{content}"}}'
    return f'{{{OLLAMA_AT % 0},{message},"done":false}}\n'


def ollama_last(at: At) -> str:
    figures = json.dumps(OLLAMA_FIGURES, separators=(",", ":"))[1:-1]
    message = '"message":{"role":"assistant","content":""}'
    return f'{{{OLLAMA_AT % 2},{message},"done":true,"done_reason":"stop",{figures}}}\n'


OLLAMA = Golden(
    dialect=OllamaChat(),
    hello=(
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"message":{"role":"assistant","content":""},"done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"message":{"role":"assistant","content":"Hello"},"done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"message":{"role":"assistant","content":" there"},"done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:22.000Z",'
        '"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
        '"total_duration":2000000000,"load_duration":0,"prompt_eval_count":5,'
        '"prompt_eval_duration":500000000,"eval_count":2,"eval_duration":1500000000}\n'
    ),
    opening=ollama_line(""),
    resumed=ollama_line(""),
    piece=lambda at: ollama_line(escaped(at.text)),
    completed=ollama_last,
    stopped=ollama_last,
    failed=lambda at: f'{{"error":"{TIMED_OUT.message}"}}\n',
    whole={
        "model": "scripted-1",
        "created_at": "2023-11-14T22:13:22.000Z",
        "message": {"role": "assistant", "content": "Hello"},
        "done": True,
        "done_reason": "stop",
        **OLLAMA_FIGURES,
    },
    problem=lambda error, sentence: {"error": sentence},
    text_of=lambda event: event.get("message", {}).get("content", ""),
    heartbeat=ollama_line(""),  # there are no comments
    shows=frozenset({"reasoning"}),
)


def generate_line(response: str) -> str:
    return f'{{{OLLAMA_AT % 0},"response":"{response}","done":false}}\n'


def generate_last(at: At) -> str:
    return ollama_last(at).replace('"message":{"role":"assistant","content":""}', '"response":""')


OLLAMA_GENERATE = Golden(
    dialect=OllamaGenerate(),
    hello=(
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"response":"","done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"response":"Hello","done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:20.000Z",'
        '"response":" there","done":false}\n'
        '{"model":"scripted-1","created_at":"2023-11-14T22:13:22.000Z",'
        '"response":"","done":true,"done_reason":"stop",'
        '"total_duration":2000000000,"load_duration":0,"prompt_eval_count":5,'
        '"prompt_eval_duration":500000000,"eval_count":2,"eval_duration":1500000000}\n'
    ),
    opening=generate_line(""),
    resumed=generate_line(""),
    piece=lambda at: generate_line(escaped(at.text)),
    completed=generate_last,
    stopped=generate_last,
    failed=OLLAMA.failed,
    whole={
        "model": "scripted-1",
        "created_at": "2023-11-14T22:13:22.000Z",
        "response": "Hello",
        "done": True,
        "done_reason": "stop",
        **OLLAMA_FIGURES,
    },
    problem=OLLAMA.problem,
    text_of=lambda event: event.get("response", ""),
    heartbeat=generate_line(""),
    shows=frozenset({"reasoning"}),
)

ROWS = (NATIVE, OPENAI, OPENAI_COMPLETIONS, ANTHROPIC, RESPONSES, AI_SDK, OLLAMA, OLLAMA_GENERATE)
