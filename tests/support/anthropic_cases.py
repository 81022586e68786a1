"""What Claude's servers and their gateways send, texts and calls: rows of both tables of cases.

Source: Claude API reference, "Streaming messages", "Errors", "Handling stop reasons"; the gateways
are those that took the wire over: DeepSeek's, Kimi's, Ollama's, LiteLLM's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.support.call_cases import CITY, ROME, TEXT, CallCase, Called
from tests.support.cases import DONE, JSON, KITE, Case

WIRE = "anthropic"
Row = partial(Case, wire=WIRE)
CallRow = partial(CallCase, wire=WIRE)
SIGNATURE = "c2lnbmF0dXJl"
IN, OUT = {"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 2}


def said(kind: str, **fields: Any) -> bytes:
    """Return an event, its name before it."""
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def start(**usage: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    more = {"model": "claude", "stop_reason": None, "stop_sequence": None}
    return said("message_start", message={**message, **more, "usage": usage or IN})


def block(kind: str, index: int = 0, **fields: Any) -> bytes:
    return said("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(kind: str, index: int = 0, **fields: Any) -> bytes:
    return said("content_block_delta", index=index, delta={"type": f"{kind}_delta", **fields})


def stop(index: int = 0) -> bytes:
    return said("content_block_stop", index=index)


def text(*texts: str, index: int = 0) -> bytes:
    return (
        block("text", index, text="")
        + b"".join(delta("text", index, text=one) for one in texts)
        + stop(index)
    )


def end(reason: str | None = "end_turn", **usage: Any) -> bytes:
    why = {"stop_reason": reason, "stop_sequence": None}
    return said("message_delta", delta=why, usage=usage or OUT) + said("message_stop")


def thought(signature: str = SIGNATURE, index: int = 0) -> bytes:
    return (
        block("thinking", index, thinking="", signature="")
        + delta("thinking", index, thinking="Hm")
        + delta("thinking", index, thinking=".")
        + (delta("signature", index, signature=signature) if signature else b"")
        + stop(index)
    )


def tool(*parts: str, index: int = 0, name: str = "weather", id: str = "call_1") -> bytes:
    return (
        block("tool_use", index, id=id, name=name, input={})
        + b"".join(delta("input_json", index, partial_json=part) for part in parts)
        + stop(index)
    )


def message(*content: dict[str, Any], reason: str = "end_turn", **usage: Any) -> bytes:
    counts = usage or {"input_tokens": 5, "output_tokens": 2}
    common = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    return json.dumps(
        {**common, "content": list(content), "stop_reason": reason, "usage": counts}
    ).encode()


PING = said("ping")
PLAIN = start() + PING + text("Red", " kite")
BOTH = (5, 2)
OVERLOADED = {"type": "overloaded_error", "message": "Overloaded"}


def texts() -> Iterator[Case]:
    """Replies, and failures in their place."""
    yield Row("anthropic plain", PLAIN + end(), usage=BOTH)
    yield Row("anthropic without event names", _unnamed(PLAIN + end()), usage=BOTH)
    yield Row("anthropic without pings and stops", _bare(), usage=BOTH)
    yield Row("anthropic text in its start", start() + block("text", text=KITE) + stop() + end(),
              usage=BOTH)  # fmt: skip
    two = start() + text("Red", index=0) + text(" kite", index=1) + end()
    yield Row("anthropic two blocks", two, usage=BOTH)
    cached = {"input_tokens": 1, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 3}
    yield Row("anthropic cache", start(**cached, output_tokens=1) + text(KITE) + end(), usage=BOTH)
    late = start(input_tokens=0, output_tokens=0) + text(KITE)
    yield Row("anthropic all counts late", late + end(input_tokens=5, output_tokens=2), usage=BOTH)
    nulls = {"cache_creation_input_tokens": None, "cache_read_input_tokens": None, **IN}
    yield Row("anthropic null counts", start(**nulls) + text(KITE) + end(), usage=BOTH)
    yield Row("anthropic odd counts", start(input_tokens="many") + text(KITE) + end())
    for reason, ours in {
        "max_tokens": "length",
        "stop_sequence": "stop",
        "model_context_window_exceeded": "length",
        "refusal": "content_filter",
        "pause_turn": "stop",
    }.items():
        yield Row(f"anthropic {reason}", PLAIN + end(reason), end=ours, usage=BOTH)
    unsaid = start() + end("refusal")
    yield Row("anthropic refused at once", unsaid, text="", end="content_filter", usage=BOTH)
    silent = start() + end()
    yield Row("anthropic nothing said", silent, text="", usage=BOTH)
    yield Row("anthropic thoughts", start() + thought() + text(KITE, index=1) + end(),
              thoughts="Hm.", usage=BOTH)  # fmt: skip
    hidden = block("redacted_thinking", data="c2VjcmV0") + stop()
    yield Row("anthropic hidden thoughts", start() + hidden + text(KITE, index=1) + end(),
              usage=BOTH)  # fmt: skip
    unknown = said("content_block_delta", index=0, delta={"type": "citations_delta", "citation": 1})
    yield Row("anthropic unknown delta", start() + block("text", text="") + unknown
              + delta("text", text=KITE) + stop() + end(), usage=BOTH)  # fmt: skip
    unknown = said("message_note", note="x") + block("container_upload", 7, file_id="f") + stop(7)
    yield Row("anthropic unknown events", start() + unknown + text(KITE) + end(), usage=BOTH)
    yield Row("anthropic a gateway's mark", PLAIN + end() + DONE, usage=BOTH)
    no_stop = PLAIN + said("message_delta", delta={"stop_reason": "end_turn"}, usage=OUT)
    yield Row("anthropic without message_stop", no_stop, usage=BOTH)
    yield Row("anthropic stop alone", PLAIN + said("message_stop"), usage=(5, 1))
    yield Row("anthropic whole", message({"type": "text", "text": KITE}), content_type=JSON,
              usage=BOTH)  # fmt: skip
    thinks = {"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}
    yield Row("anthropic whole with thoughts", message(thinks, {"type": "text", "text": KITE}),
              content_type=JSON, thoughts="Hm.", usage=BOTH)  # fmt: skip
    yield from failures()


def failures() -> Iterator[Case]:
    error = partial(said, "error")
    begun = start() + block("text", text="") + delta("text", text=KITE)
    overloaded = error(error=OVERLOADED)
    yield Row("anthropic overloaded in mid-stream", begun + overloaded, end="upstream_error")
    yield Row("anthropic overloaded at once", overloaded, text="", end="upstream_error")
    limited = error(error={"type": "rate_limit_error", "message": "slow down"})
    yield Row("anthropic limited in mid-stream", begun + limited, end="upstream_rate_limited")
    yield Row("anthropic cut", PLAIN, end="upstream_incomplete")
    for status, kind, words, ours in (
        ("529 Overloaded", "overloaded_error", "Overloaded", "upstream_error"),
        ("500 Error", "api_error", "Internal server error", "upstream_error"),
        ("429 Limited", "rate_limit_error", "Too many tokens", "upstream_rate_limited"),
        ("413 Large", "request_too_large", "Request exceeds the size", "upstream_context"),
        ("404 Absent", "not_found_error", "model: claude-9", "upstream_not_found"),
        ("403 Forbidden", "permission_error", "Not yours", "upstream_auth"),
        ("402 Payment", "billing_error", "No credit", "upstream_credit"),
        ("401 Unknown", "authentication_error", "invalid x-api-key", "upstream_auth"),
        ("400 Bad", "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum",
         "upstream_context"),
        ("400 Bad", "invalid_request_error",
         "Your credit balance is too low to access the Anthropic API.", "upstream_credit"),
        ("400 Bad", "invalid_request_error", "messages.0: no such role", "upstream_rejected"),
    ):  # fmt: skip
        body = json.dumps({"type": "error", "error": {"type": kind, "message": words}}).encode()
        name = f"anthropic {status[:3]} {kind} {ours}"
        yield Row(name, body, text="", end=ours, status=status, content_type=JSON)


def _unnamed(body: bytes) -> bytes:
    return b"".join(line for line in body.splitlines(True) if not line.startswith(b"event:"))


def _bare() -> bytes:
    return start() + delta("text", text="Red") + delta("text", text=" kite") + end()


def calls() -> Iterator[CallCase]:
    """Calls of tools."""
    tail = end("tool_use")
    split = ('{"ci', 'ty":"', 'Rom"}')
    yield CallRow("anthropic: plain", start() + tool("", *split) + tail, (ROME,))
    yield CallRow("anthropic: in one piece", start() + tool(TEXT) + tail, (ROME,))
    after = start() + text(KITE) + tool(*split, index=1) + tail
    yield CallRow("anthropic: after text", after, (ROME,), text=KITE)
    two = tool(*split) + tool("{}", index=1, name="time", id="call_2")
    both = (ROME, Called("time", {}, "call_2"))
    yield CallRow("anthropic: two", start() + two + tail, both)
    empty = start() + tool(name="time") + tail
    yield CallRow("anthropic: no arguments", empty, (Called("time", {}, "call_1"),))
    filled = block("tool_use", id="call_1", name="weather", input=CITY) + stop()
    yield CallRow("anthropic: all of it in its start", start() + filled + tail, (ROME,))
    unended = start() + tool(*split).removesuffix(stop()) + tail
    yield CallRow("anthropic: no stop of its block", unended, (ROME,))
    yield CallRow("anthropic: end_turn", start() + tool(*split) + end(), (ROME,))
    cut = start() + tool('{"ci') + end("max_tokens")
    invalid = Called("weather", '{"ci', "call_1")
    yield CallRow("anthropic: cut by max_tokens", cut, (invalid,), "length")
    never = (Called("weather", None, "call_1"),)
    gone = start() + tool(*split)
    yield CallRow("anthropic: cut", gone, never, "upstream_incomplete")
    failed = gone + said("error", error=OVERLOADED)
    yield CallRow("anthropic: overloaded", failed, never, "upstream_error")
    kept = {"block": {"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}}
    thinks = start() + thought() + tool(*split, index=1) + tail
    yield CallRow("anthropic: after a thought", thinks, (ROME,), thoughts="Hm.", back=(kept,))
    hidden = block("redacted_thinking", data="c2VjcmV0") + stop()
    secret = {"block": {"type": "redacted_thinking", "data": "c2VjcmV0"}}
    yield CallRow("anthropic: after a hidden thought",
                  start() + hidden + thought(index=1) + tool(*split, index=2) + tail, (ROME,),
                  thoughts="Hm.", back=(secret, kept))  # fmt: skip
    unsigned = start() + thought("") + tool(*split, index=1) + tail
    yield CallRow("anthropic: an unsigned thought", unsigned, (ROME,), thoughts="Hm.")
    use = {"type": "tool_use", "id": "call_1", "name": "weather", "input": CITY}
    once = message({"type": "text", "text": KITE}, use, reason="tool_use")
    yield CallRow("anthropic: whole", once, (ROME,), text=KITE, content_type=JSON)
