"""The bytes of the documents' dialects, for test_conformance.py."""

from __future__ import annotations

from typing import Any

from app.core.errors import ChatError
from app.dialects.dialect import Dialect
from app.dialects.documents.completions import CompletionsStream
from app.dialects.documents.conversation import ConversationChat
from app.dialects.documents.prompt import PromptChat, PromptConversation
from app.dialects.documents.session_messages import SessionMessages
from tests.dialects.golden import COUNTS, OPEN, USAGE, At, Golden, escaped
from tests.dialects.speech import TIMED_OUT

FIGURES = '"total_chunks":%d,"total_characters":%d,"elapsed_time":%s,"words_per_second":%s'


# What the errors of all of them end with.
TIMED_OUT_IS = ',"code":"upstream_timeout","retryable":true'


def detail(error: ChatError, sentence: str) -> Any:
    return {"detail": sentence, "code": error.code, "retryable": error.retryable}


def problem(error: ChatError, sentence: str) -> Any:
    facts = {"code": error.code, "retryable": error.retryable}
    return {"error": sentence, "error_id": error.error_id, **facts}


def completions(content: str, done: str, more: str = "") -> str:
    of = '"model":"scripted-1","provider":"scripted"'
    return f'data: {{"content":"{content}","done":{done},{of}{more}}}\n\n'


COMPLETIONS = Golden(
    dialect=CompletionsStream(),
    hello=(
        ": open\n\n"
        'data: {"content":"Hello","done":false,"model":"scripted-1","provider":"scripted"}\n\n'
        'data: {"content":" there","done":false,"model":"scripted-1","provider":"scripted"}\n\n'
        'data: {"content":"","done":true,"model":"scripted-1","provider":"scripted"}\n\n'
    ),
    opening=OPEN,
    resumed=OPEN,
    piece=lambda at: completions(escaped(at.text), "false"),
    completed=lambda at: completions("", "true"),
    stopped=lambda at: completions("", "true"),
    failed=lambda at: completions("", "true", f',"error":"{TIMED_OUT.message}"{TIMED_OUT_IS}'),
    whole={
        "content": "Hello",
        "role": "assistant",
        "model": "scripted-1",
        "provider": "scripted",
        "usage": COUNTS,
        "finish_reason": "stop",
    },
    problem=detail,
    text_of=lambda event: event["content"],
)

MESSAGE_END = 'data: {"type":"end","messageId":"run-1-reply"}\n\n'
SESSION_MESSAGES = Golden(
    dialect=SessionMessages(),
    hello=(
        ": open\n\n"
        'data: {"type":"start","messageId":"run-1-reply"}\n\n'
        'data: {"type":"token","content":"Hello"}\n\n'
        'data: {"type":"token","content":" there"}\n\n'
        'data: {"type":"end","messageId":"run-1-reply"}\n\n'
    ),
    opening=OPEN + 'data: {"type":"start","messageId":"run-1-reply"}\n\n',
    resumed=OPEN,
    piece=lambda at: f'data: {{"type":"token","content":"{escaped(at.text)}"}}\n\n',
    completed=lambda at: MESSAGE_END,
    stopped=lambda at: MESSAGE_END,
    failed=lambda at: (f'data: {{"type":"error","error":"{TIMED_OUT.message}"{TIMED_OUT_IS}}}\n\n'),
    whole={
        "id": "run-1-reply",
        "session_id": "s-1",
        "content": "Hello",
        "role": "assistant",
        "timestamp": "2023-11-14T22:13:20.000Z",
    },
    problem=detail,
    text_of=lambda event: event.get("content", ""),
)


def prompt(dialect: Dialect) -> Golden:
    """Return the row of either dialect with a prompt's events."""
    return Golden(
        dialect=dialect,
        hello=(
            ": open\n\n"
            'data: {"chunk":"Hello","type":"content"}\n\n'
            'data: {"chunk":" there","type":"content"}\n\n'
            'data: {"type":"done"}\n\n'
        ),
        opening=OPEN,
        resumed=OPEN,
        piece=lambda at: f'data: {{"chunk":"{escaped(at.text)}","type":"content"}}\n\n',
        completed=lambda at: 'data: {"type":"done"}\n\n',
        stopped=lambda at: 'data: {"type":"done"}\n\n',
        failed=lambda at: (
            f'data: {{"type":"error","message":"{TIMED_OUT.message}"{TIMED_OUT_IS}}}\n\n'
        ),
        whole={
            "response": "Hello",
            "model": "scripted-1",
            "provider": "scripted",
            "metadata": {"finish_reason": "stop", "duration": 2.0, "usage": USAGE},
            "conversation_id": None,
        },
        problem=detail,
        text_of=lambda event: event.get("chunk", ""),
    )


def conversation(at: At, second: int, done: str, number: int, rate: float, more: str = "") -> str:
    figures = FIGURES % (at.count, len(at.so_far), f"{second}.0", rate)
    return (
        f'data: {{"content":"{escaped(at.text)}","full_content":"{escaped(at.so_far)}",'
        f'"chunk_id":{number},"timestamp":"2023-11-14T22:13:{20 + second}.000Z","done":{done},'
        f'"model":"scripted-1","streaming_stats":{{{figures}}}{more}}}\n\n'
    )


def conversation_end(at: At, more: str = "") -> str:
    return conversation(at, 2, "true", at.count + 1, len(at.so_far.split()) / 2, more)


CONVERSATION = Golden(
    dialect=ConversationChat(),
    hello=(
        ": open\n\n"
        'data: {"content":"Hello","full_content":"Hello","chunk_id":1,'
        '"timestamp":"2023-11-14T22:13:20.000Z","done":false,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":1,"total_characters":5,"elapsed_time":0.0,'
        '"words_per_second":0.0}}\n\n'
        'data: {"content":" there","full_content":"Hello there","chunk_id":2,'
        '"timestamp":"2023-11-14T22:13:20.000Z","done":false,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":2,"total_characters":11,"elapsed_time":0.0,'
        '"words_per_second":0.0}}\n\n'
        'data: {"content":"","full_content":"Hello there","chunk_id":3,'
        '"timestamp":"2023-11-14T22:13:22.000Z","done":true,"model":"scripted-1",'
        '"streaming_stats":{"total_chunks":2,"total_characters":11,"elapsed_time":2.0,'
        '"words_per_second":1.0}}\n\n'
    ),
    opening=OPEN,
    resumed=OPEN,
    piece=lambda at: conversation(at, 0, "false", at.count, 0.0),
    completed=conversation_end,
    stopped=conversation_end,
    failed=lambda at: conversation_end(
        at, f',"error":"{TIMED_OUT.message}","error_id":"{TIMED_OUT.error_id}"{TIMED_OUT_IS}'
    ),
    whole={
        "message": "Hello",
        "timestamp": "2023-11-14T22:13:22.000Z",
        "model": "scripted-1",
    },
    problem=problem,
    text_of=lambda event: event["content"],
)

ROWS = (
    COMPLETIONS,
    SESSION_MESSAGES,
    prompt(PromptChat()),
    prompt(PromptConversation()),
    CONVERSATION,
)
