"""The wires that providers speak: how a model server says each thing, and who understands it.

The shapes are those of the servers' own references, written down here a second time so that a
provider is not tested against itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from app.providers.anthropic.provider import AnthropicProvider
from app.providers.google.provider import GoogleProvider
from app.providers.http.streams import Bounds
from app.providers.openai.provider import OpenAICompatible
from app.runs.ports import Provider
from tests.support.upstream import Exchange, Reply, event_bytes

KEY = "sk-planted-0123456789abcdef"
MODEL = "model-1"
BOUNDS = Bounds(connect_timeout_s=30, read_timeout_s=30, max_reply_bytes=4_000_000)
BOUND_NAMES = {field.name for field in fields(Bounds)}


@dataclass(frozen=True)
class Wire:
    """One wire. Its functions return bytes of an event stream, one or more whole events."""

    name: str
    path: str  # of the base URL
    make: Callable[..., Provider]
    text: Callable[[str], bytes]
    thinking: Callable[[str], bytes]
    end: Callable[[str | None, int, int], bytes]  # reason, tokens in and out
    reasons: Sequence[tuple[str, str]]  # upstream's, ours
    malformed: Sequence[bytes]  # JSON of chunks with wrong types
    request: dict[str, Any] = field(default_factory=dict)  # what its request always has

    def provider(self, origin: str, **options: Any) -> Provider:
        """Return a provider of the server at that origin."""
        bounds = {name: options.pop(name) for name in BOUND_NAMES & options.keys()}
        made = replace(BOUNDS, **bounds)
        return self.make(self.name, KEY, origin + self.path, MODEL, made, **options)


def send(*parts: bytes, content_type: str = "text/event-stream") -> Reply:
    """Return a reply of these bytes; each part is one read, as it is one HTTP chunk."""
    start = head(content_type=content_type)
    whole = start + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part)

    def reply(exchange: Exchange) -> None:
        exchange.raw(whole + b"0\r\n\r\n")

    return reply


def head(
    framing: str = "Transfer-Encoding: chunked", content_type: str = "text/event-stream"
) -> bytes:
    """Return the head of an answer."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {content_type}", framing, "", "")
    return "\r\n".join(lines).encode()


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event_bytes({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})


def _openai_end(reason: str | None, tokens_in: int, tokens_out: int) -> bytes:
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    finish = _chunk({}, reason) if reason else b""
    return finish + event_bytes({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"


def _part(part: dict[str, Any]) -> bytes:
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1, "totalTokenCount": 1}  # so far: not the whole reply's
    return event_bytes({"candidates": [{"content": content}], "usageMetadata": usage})


def _gemini_end(reason: str | None, tokens_in: int, tokens_out: int) -> bytes:
    # One of the tokens was a thought's.
    written = {"candidatesTokenCount": tokens_out - 1, "thoughtsTokenCount": 1}
    usage = {"promptTokenCount": tokens_in, **written}
    candidate = {"finishReason": reason, "index": 0} if reason else {"index": 0}
    return event_bytes({"candidates": [candidate], "usageMetadata": usage}).replace(b"\n", b"\r\n")


_OPENAI_MALFORMED = (
    b'{"choices": 5}',
    b'{"choices": [5]}',
    b'{"choices": [{"delta": 5}]}',
    b'{"choices": [{"delta": {"content": "a"}}',
)

OPENAI_REASONS = (
    ("stop", "stop"),
    ("length", "length"),
    ("content_filter", "content_filter"),
    ("tool_calls", "tool_calls"),
    ("never heard of", "stop"),
)

OPENAI = Wire(
    name="openai",
    path="/v1",
    make=OpenAICompatible,
    text=lambda text: _chunk({"content": text}),
    thinking=lambda text: _chunk({"reasoning_content": text}),
    end=_openai_end,
    reasons=OPENAI_REASONS,
    malformed=_OPENAI_MALFORMED,
    request={"stream": True, "stream_options": {"include_usage": True}, "model": MODEL},
)

# Ollama's endpoint for OpenAI's clients: it writes the same chunks, thinks in `reasoning`, and
# sends an empty content beside it.
LOCAL = Wire(
    name="local",
    path="/v1",
    make=OpenAICompatible,
    text=lambda text: _chunk({"role": "assistant", "content": text}),
    thinking=lambda text: _chunk({"role": "assistant", "content": "", "reasoning": text}),
    end=_openai_end,
    reasons=(("stop", "stop"), ("length", "length"), ("load", "stop")),
    malformed=_OPENAI_MALFORMED,
    request=OPENAI.request,
)

GOOGLE = Wire(
    name="google",
    path="/v1beta",
    make=GoogleProvider,
    text=lambda text: _part({"text": text}),
    thinking=lambda text: _part({"text": text, "thought": True}),
    end=_gemini_end,
    reasons=(
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((blocked, "content_filter") for blocked in ("SAFETY", "RECITATION", "BLOCKLIST")),
        *((blocked, "content_filter") for blocked in ("PROHIBITED_CONTENT", "SPII")),
        ("NEVER_HEARD_OF", "stop"),
    ),
    malformed=(
        b'{"candidates": 5}',
        b'{"candidates": [5]}',
        b'{"candidates": [{"content": 5}]}',
        b'{"candidates": [{"content": {"parts": 5}}]}',
        b'{"promptFeedback": 5}',
    ),
    request={"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
)


def _delta(index: int, kind: str, **said: str) -> bytes:
    delta = {"type": f"{kind}_delta", **said}
    return _named({"type": "content_block_delta", "index": index, "delta": delta})


def _named(event: dict[str, Any]) -> bytes:
    """Return an event of Claude's wire, which has its type twice."""
    return f"event: {event['type']}\n".encode() + event_bytes(event)


def _anthropic_end(reason: str | None, tokens_in: int, tokens_out: int) -> bytes:
    # All but one of the tokens that were read came out of the cache.
    read = {"input_tokens": 1, "cache_read_input_tokens": tokens_in - 1}
    delta = {"stop_reason": reason, "stop_sequence": None}
    return b"".join(
        _named(event)
        for event in (
            {"type": "ping"},
            {"type": "content_block_stop", "index": 1},
            {
                "type": "message_delta",
                "delta": delta,
                "usage": {**read, "output_tokens": tokens_out},
            },
            {"type": "message_stop"},
        )
    )


ANTHROPIC = Wire(
    name="anthropic",
    path="/v1",
    make=AnthropicProvider,
    text=lambda text: _delta(1, "text", text=text),
    thinking=lambda text: _delta(0, "thinking", thinking=text),
    end=_anthropic_end,
    reasons=(
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
    ),
    malformed=(
        b'{"type": "content_block_delta"}',
        b'{"type": "content_block_delta", "index": 0, "delta": 5}',
        b'{"type": "content_block_start", "index": 0, "content_block": 5}',
        b'{"type": "message_start", "message": 5}',
        b'{"type": "message_delta", "delta": 5}',
    ),
    request={"stream": True, "model": MODEL, "max_tokens": 32_000},
)

WIRES = {wire.name: wire for wire in (OPENAI, GOOGLE, ANTHROPIC, LOCAL)}
