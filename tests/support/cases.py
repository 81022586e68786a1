"""What real model servers send, and what is right: a table of cases.

A case is one answer to a request, on one wire. The right values are those that a person would
expect who sees the bytes; where that can be argued, docs/upstream.md has the decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.upstream import Exchange

KITE = "Red kite"
EVENTS = "text/event-stream"
JSON = "application/json"
PAIR = {"prompt_tokens": 5, "completion_tokens": 2}
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Case:
    """`end` is a finish reason, or the code of an error; `usage` is None where we have to guess."""

    name: str
    body: bytes
    text: str = KITE
    thoughts: str = ""
    end: str = "stop"
    usage: tuple[int, int] | None = None
    wire: str = "openai"
    status: str = "200 OK"
    content_type: str = EVENTS
    headers: tuple[str, ...] = ()
    cut: bool = False  # the connection is closed in the middle of the answer

    @property
    def fails(self) -> bool:
        """Whether the end is an error."""
        return self.end.startswith("upstream_")

    @property
    def answer(self) -> bytes:
        """All bytes of the answer."""
        length = len(self.body) + (50 if self.cut else 0)
        lines = (
            f"HTTP/1.1 {self.status}",
            f"Content-Type: {self.content_type}",
            *self.headers,
            f"Content-Length: {length}",
        )
        return "\r\n".join((*lines, "", "")).encode() + self.body

    def reply(self, exchange: Exchange) -> None:
        """Answer so."""
        exchange.raw(self.answer)
        if self.cut:
            exchange.cut()


def event(value: Any) -> bytes:
    """Return an event of JSON, or of text as it is."""
    said = value if isinstance(value, str) else json.dumps(value)
    return b"data: " + said.encode() + b"\n\n"


def choice(reason: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk of one choice."""
    return {"id": "c", "choices": [{"index": 0, "finish_reason": reason, **fields}]}


def d(content: Any, reason: Any = None, **delta: Any) -> bytes:
    """Return the event of a delta."""
    return event(choice(reason, delta={"content": content, **delta}))


def f(reason: Any, **fields: Any) -> bytes:
    """Return the event of a finish reason."""
    return event(choice(reason, delta={}, **fields))


def usage(**counts: Any) -> bytes:
    """Return the event of a usage."""
    return event({"choices": [], "usage": counts})


def raw_usage(written: str) -> bytes:
    """Return the event of a usage with JSON as it is written."""
    return event('{"choices":[],"usage":%s}' % written)


def whole(message: Any, reason: Any = "stop", **fields: Any) -> bytes:
    """Return a completion in one object."""
    one = {"index": 0, "message": message, "finish_reason": reason}
    return json.dumps({"object": "chat.completion", "choices": [one], **fields}).encode()


def g(text: str | None = None, reason: str | None = None, **fields: Any) -> bytes:
    """Return an event of Gemini's."""
    candidate: dict[str, Any] = {"index": 0}
    if text is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if reason is not None:
        candidate["finishReason"] = reason
    return event({"candidates": [candidate], **fields})


RED, REST = d("Red"), d(" kite")
SAID = RED + REST
PLAIN = SAID + f("stop") + DONE
HEDGE = {"type": "text", "text": KITE}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
G_SAID = g("Red") + g(" kite")


def after_the_last_word() -> Iterator[Case]:
    """What comes after the finish reason, or what nobody reads."""
    yield Case("plain", PLAIN)
    yield Case("with usage", SAID + f("stop") + usage(**PAIR) + DONE, usage=(5, 2))
    for mark in ("[DONE] ", " [DONE]", "  [DONE]  ", "DONE", "[done]"):
        yield Case(f"mark {mark!r}", SAID + f("stop") + b"data: " + mark.encode() + b"\n\n")
    yield Case("no mark", SAID + f("stop"))
    yield Case("events after the mark", PLAIN + d(" again"))
    odd = (
        ('{"prompt_tokens":5,"completion_tokens":-1}', None),
        ('{"prompt_tokens":5,"completion_tokens":2,"tokens_per_second":NaN}', (5, 2)),
        ('{"prompt_tokens":5,"completion_tokens":2,"timings":{"x":-Infinity}}', (5, 2)),
        ('{"prompt_tokens":"many","completion_tokens":2}', None),
        ('{"prompt_tokens":[5],"completion_tokens":2}', None),
        ('{"prompt_tokens":5.5,"completion_tokens":2}', None),
        ('{"prompt_tokens":1e999,"completion_tokens":2}', None),
        ('{"prompt_tokens":true,"completion_tokens":2}', None),
        ('{"prompt_tokens":null,"completion_tokens":null}', None),
        ('{"prompt_tokens":"5","completion_tokens":"2"}', (5, 2)),
        ('{"prompt_tokens":5.0,"completion_tokens":2}', (5, 2)),
        ("5", None),
        ("[]", None),
        ('"none"', None),
        ("{}", None),
    )
    for written, counted in odd:
        body = SAID + f("stop") + raw_usage(written) + DONE
        yield Case(f"usage {written}", body, usage=counted)
    early = RED + event({**choice(delta={"content": " kite"}), "usage": "soon"}) + f("stop") + DONE
    yield Case("usage that is a word, in the middle", early)
    yield Case("usage in the choice", SAID + f("stop", usage=PAIR) + DONE, usage=(5, 2))
    groq = event({**choice("stop", delta={}), "x_groq": {"id": "r", "usage": PAIR}})
    yield Case("usage in x_groq", SAID + groq + DONE, usage=(5, 2))
    each = b"".join(
        event({**choice(delta={"content": text}), "usage": {**PAIR, "completion_tokens": n}})
        for n, text in enumerate(("Red", " kite"), 1)
    )
    yield Case("usage in each chunk", each + f("stop") + DONE, usage=(5, 2))
    nan = event('{"choices":[{"delta":{"content":"Red kite"},"logprobs":{"x":NaN}}],"t":Infinity}')
    yield Case("NaN where nobody reads", nan + f("stop") + DONE)
    yield Case("malformed after the reason", SAID + f("stop") + event('{"choices": oops'))
    yield Case("error after the reason", SAID + f("stop") + event({"error": {"message": "x"}}))
    yield Case("cut after the reason", SAID + f("stop"), cut=True)
    yield Case("heartbeats after the reason", SAID + f("stop") + b": hb\n\n" * 3 + DONE)
    yield Case("gemini plain", G_SAID + g(None, "STOP"), wire="google")
    yield Case("gemini with a mark", g(KITE, "STOP") + DONE, wire="google")
    yield Case("gemini odd usage", g(KITE, "STOP", usageMetadata=5), wire="google")
    counts = {"promptTokenCount": 5, "candidatesTokenCount": -1}
    yield Case("gemini usage below 0", g(KITE, "STOP", usageMetadata=counts), wire="google")
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 1}
    good = g(KITE, "STOP", usageMetadata=counts)
    yield Case("gemini usage", good, usage=(5, 2), wire="google")
    yield Case("gemini junk after STOP", g(KITE, "STOP") + event('{"cand'), wire="google")
    yield Case("gemini repeats STOP", g("Red", "STOP") + g(" kite", "STOP"), wire="google")


def between_chunks() -> Iterator[Case]:
    """Keep-alives and noise between chunks."""
    noise = {
        "null": b"data: null\n\n",
        "empty": b"data:\n\n",
        "empty, a space": b"data: \n\n",
        "no colon": b"data\n\n",
        "white space": b"data:    \n\n",
        "ping": b"data: ping\n\n",
        "a number": b"data: 5\n\n",
        "a string": b'data: "ping"\n\n',
        "true": b"data: true\n\n",
        "an empty list": b"data: []\n\n",
        "an empty object": b"data: {}\n\n",
        "comment": b": OPENROUTER PROCESSING\n\n",
        "event ping": b"event: ping\n\n",
        "event ping with data": b'event: ping\ndata: {"type":"ping"}\n\n',
        "id and retry": b"id: 5\nretry: 100\n\n",
        "unknown field": b"foo: bar\n\n",
        "no choices": b'data: {"choices":[]}\n\n',
        "null choices": b'data: {"choices":null}\n\n',
        "filter results": b'data: {"choices":[],"prompt_filter_results":[{"x":1}]}\n\n',
        "error null": b'data: {"error":null,"choices":[]}\n\n',
    }
    for name, bytes_ in noise.items():
        yield Case(f"between: {name}", RED + bytes_ + REST + f("stop") + DONE)
        yield Case(f"gemini between: {name}", g("Red") + bytes_ + g(" kite", "STOP"), wire="google")
    yield Case("first of all null", b"data: null\n\n" + PLAIN)
    yield Case("CRLF", PLAIN.replace(b"\n", b"\r\n"))
    yield Case("CR", PLAIN.replace(b"\n", b"\r"))
    yield Case("BOM", b"\xef\xbb\xbf" + PLAIN)
    yield Case("no space after the colon", PLAIN.replace(b"data: ", b"data:"))
    yield Case("single line ends", PLAIN.replace(b"\n\n", b"\n") + b"\n")
    yield Case("no blank line at the end", SAID + f("stop")[:-1])
    yield Case(
        "a list of chunks", b"data: [" + RED[6:-2] + b"," + REST[6:-2] + b"]\n\n" + f("stop")
    )
    bad = d("Red kiXe").replace(b"X", b"\xff")
    yield Case("not UTF-8", bad + f("stop") + DONE, text="Red ki\ufffde")


def parts() -> Iterator[Case]:
    """Content as parts, thoughts as objects or by other names."""
    hm = "Hm."
    end = f("stop") + DONE
    thinking = d([THOUGHT])
    texts = d([{"type": "text", "text": "Red"}]) + REST
    yield Case("mistral", thinking + texts + end, thoughts=hm)
    both = whole({"role": "assistant", "content": [THOUGHT, HEDGE]})
    yield Case("mistral whole", both, thoughts=hm, content_type=JSON)
    for name, thought in {
        "object": {"text": hm},
        "summary": {"summary": hm},
        "summaries": [{"type": "summary_text", "text": hm}],
        "list": [{"type": "reasoning", "text": hm}],
        "string": hm,
    }.items():
        for field in ("reasoning_content", "reasoning"):
            body = d("", **{field: thought}) + SAID + end
            yield Case(f"{field}: {name}", body, thoughts=hm)
    signed = d("", reasoning_content={"signature": "abc"})
    spoken = d("", reasoning_content={"text": hm})
    yield Case("envoy", spoken + signed + SAID + end, thoughts=hm)
    for name in ("reasoning_content", "reasoning", "thinking"):
        alone = event(choice(delta={name: hm}))
        yield Case(f"{name} alone", alone + SAID + end, thoughts=hm)
    details = d("", reasoning_details=[{"type": "reasoning.text", "text": hm}])
    yield Case("reasoning_details", details + SAID + end, thoughts=hm)
    hidden = d("", reasoning_details=[{"type": "reasoning.encrypted", "data": "x"}])
    yield Case("hidden thoughts", hidden * 3 + RED + hidden + REST + end)
    twice = d("", reasoning=hm, reasoning_content=hm, reasoning_details=[{"text": hm}])
    yield Case("thoughts by three names", twice + SAID + end, thoughts=hm)
    gpt_oss = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": hm}]}, HEDGE]
    yield Case("databricks", d(gpt_oss) + end, thoughts=hm)
    for name, content in {"a number": 5, "true": True, "an image": [{"type": "image"}]}.items():
        yield Case(f"content: {name}", RED + d(content) + REST + end)
    yield Case("content null", d(None, role="assistant") + SAID + end)
    yield Case("one part as an object", d(HEDGE) + end)
    strings = d(["Red", " kite"])
    yield Case("parts that are strings", strings + end)
    yield Case("refusal", d(None, refusal="Red") + d(None, refusal=" kite") + end)
    refused = whole({"role": "assistant", "content": None, "refusal": KITE})
    yield Case("refusal whole", refused, content_type=JSON)
    yield Case("refusal part", d([{"type": "refusal", "refusal": KITE}]) + end)
    thought = event({"candidates": [{"content": {"parts": [{"text": hm, "thought": True}]}}]})
    yield Case("gemini thoughts", thought + g(KITE, "STOP"), thoughts=hm, wire="google")
    odd = event({"candidates": [{"content": {"parts": [{"text": 5}, {"inlineData": {}}]}}]})
    yield Case("gemini odd parts", odd + g(KITE, "STOP"), wire="google")


def tags() -> Iterator[Case]:
    """Thoughts in the text. The cases run with the splitter on, as for a local server."""
    end = f("stop") + DONE
    hm = "Hm."
    for opening, closing in (
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<thought>", "</thought>"),
        ("<reasoning>", "</reasoning>"),
        ("[THINK]", "[/THINK]"),
    ):
        said = f"{opening}{hm}{closing}\n\n{KITE}"
        name = opening.strip("<>[]")
        yield Case(f"{name} in one", d(said) + end, thoughts=hm, wire="local")
        letters = b"".join(d(letter) for letter in said)
        yield Case(f"{name} by letters", letters + end, thoughts=hm, wire="local")
    pieces = b"".join(map(d, ("\n<think>", "\n", hm, "\n", "</think>", "\n\n", "Red", " kite")))
    yield Case("think, white space around", pieces + end, thoughts=hm, wire="local")
    empty = d("<think>\n\n</think>\n\n" + KITE)
    yield Case("think of nothing", empty + end, wire="local")
    later = "Use <think>x</think> so."
    yield Case("think later on", d(later) + end, text=later, wire="local")
    for start in ("<", "<th", "<b>", "<thing>", "[TH", "["):
        yield Case(f"begins {start}", d(start) + d(KITE) + end, text=start + KITE, wire="local")
    yield Case("only the beginning of a tag", d("<thi") + end, text="<thi", wire="local")
    long = d("<think>") + d(hm) + f("length") + DONE
    yield Case("think, cut short", long, text="", thoughts=hm, end="length", wire="local")
    once = whole({"content": f"<think>{hm}</think>{KITE}"})
    yield Case("think whole", once, thoughts=hm, content_type=JSON, wire="local")
    kept = f"<think>{hm}</think>{KITE}"
    yield Case("think at OpenAI's own", d(kept) + end, text=kept)


def delta_and_message() -> Iterator[Case]:
    """Both in one stream."""
    message = {"role": "assistant", "content": KITE}
    full = event(choice("stop", message=message))
    yield Case("full message at the end", SAID + full + DONE)
    beside = event(choice("stop", delta={"content": ""}, message=message))
    yield Case("full message beside an empty delta", SAID + beside + DONE)
    yield Case("message alone", full + DONE)
    both = json.dumps(choice("stop", delta={"role": None, "content": ""}, message=message)).encode()
    yield Case("whole with an empty delta", both, content_type=JSON)
    same = json.dumps(choice("stop", delta={"content": KITE}, message=message)).encode()
    yield Case("whole with both", same, content_type=JSON)
    thinking = {"content": KITE, "reasoning_content": "Hm."}
    full = event(choice("stop", message=thinking))
    yield Case("thoughts, then all", d("", reasoning="Hm.") + full + DONE, thoughts="Hm.")
    yield Case("text of completions", event(choice("stop", text=KITE)) + DONE)


REASONS = {
    "length": ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"),
    "content_filter": ("content_filter", "sensitive", "SAFETY", "safety", "recitation"),
    "upstream_error": (
        *("error", "abort", "aborted", "insufficient_system_resource", "network_error"),
        *("cancelled", "timeout", "MALFORMED_FUNCTION_CALL", "OTHER"),
    ),
    "stop": ("stop", "STOP", "eos", "end_turn", "stop_sequence", "never heard of"),
    "tool_calls": ("tool_calls", "function_call"),
}
GEMINI_REASONS = {
    "length": ("MAX_TOKENS",),
    "content_filter": ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
    "upstream_error": ("OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"),
    "stop": ("STOP", "NEVER_HEARD_OF"),
}


def reasons() -> Iterator[Case]:
    """Why it ended."""
    for ours, theirs in REASONS.items():
        for word in theirs:
            yield Case(f"reason {word}", SAID + f(word) + DONE, end=ours)
    for ours, theirs in GEMINI_REASONS.items():
        for word in theirs:
            yield Case(f"gemini {word}", G_SAID + g(None, word), end=ours, wire="google")
    broken = event(choice("error", delta={"content": ""}, error={"code": 502, "message": "x"}))
    yield Case("error in the choice", SAID + broken + DONE, end="upstream_error")
    quiet = event(choice(None, delta={}, error={"message": "x"}))
    yield Case("error in the choice, no reason", SAID + quiet + DONE, end="upstream_error")
    for none in ("null", "", "None", False, 0):
        each = d("Red", none) + d(" kite", none)
        yield Case(f"reason {none!r} in each, cut", each, end="upstream_incomplete")
        yield Case(f"reason {none!r} in each, stop", each + f("stop") + DONE)
    yield Case("unknown, without text", f("load") + DONE, text="", end="upstream_error")
    yield Case("stop, without text", f("stop") + DONE, text="")
    empty = g(None, "MALFORMED_FUNCTION_CALL")
    yield Case("gemini, without text", empty, text="", end="upstream_error", wire="google")
    blocked = event({"promptFeedback": {"blockReason": "SAFETY"}})
    yield Case("gemini blocked", blocked, text="", end="content_filter", wire="google")
    yield Case("a mark and no reason", SAID + f(None) + DONE)
    yield Case("a mark and nothing", f(None) + DONE, text="", end="upstream_incomplete")
    yield Case("no mark and no reason", SAID, end="upstream_incomplete")
    yield Case("whole without a reason", whole({"content": KITE}, None), content_type=JSON)


def labels() -> Iterator[Case]:
    """A reply that is there, whatever it is called."""
    for kind in (
        JSON,
        "text/plain",
        "application/octet-stream",
        "text/html",
        "application/x-ndjson",
    ):
        yield Case(f"events as {kind}", PLAIN, content_type=kind)
        once = whole({"content": KITE}, usage=PAIR)
        yield Case(f"whole as {kind}", once, usage=(5, 2), content_type=kind)
    yield Case("whole as events", whole({"content": KITE}))
    yield Case("whole, white space first", b"\n\n  " + whole({"content": KITE}), content_type=JSON)
    yield Case("whole and a mark", whole({"content": KITE}) + b"\n\n" + DONE, content_type=JSON)
    lines = SAID + f("stop")
    bare = b"".join(part[6:] for part in lines.splitlines(keepends=True) if part.strip())
    yield Case("a line each", bare, content_type="application/x-ndjson")
    listed = b"[" + g("Red")[6:-2] + b",\n" + g(" kite", "STOP")[6:-2] + b"]"
    yield Case("gemini as a list", listed, content_type=JSON, wire="google")
    once = g(KITE, "STOP")[6:-2]
    yield Case("gemini whole", once, content_type=JSON, wire="google")


def failures_in_200() -> Iterator[Case]:
    """Failures with the status of a success."""
    page = b"<!DOCTYPE html><html><p>Sign in</p></html>"
    for kind in ("text/html", EVENTS):
        yield Case(f"a page as {kind}", page, "", end="upstream_not_found", content_type=kind)
    yield Case("nothing", b"", "", end="upstream_incomplete")
    yield Case("white space", b"\n\n", "", end="upstream_incomplete")
    yield Case("an empty object", b"{}", "", end="upstream_incomplete", content_type=JSON)
    yield Case("a truncated object", b'{"choices": [{', "", end="upstream_malformed")
    codes = {429: "upstream_rate_limited", 401: "upstream_auth", 400: "upstream_rejected"}
    for code, ours in {**codes, 500: "upstream_error", 402: "upstream_credit"}.items():
        error = {"message": "x", "code": code}
        once = json.dumps({"error": error}).encode()
        yield Case(f"whole error {code}", once, "", end=ours, content_type=JSON)
        yield Case(f"error {code} as events", once, "", end=ours)
        yield Case(f"error event {code}", event({"error": error}), "", end=ours)
        flat = event({"object": "error", **error})
        yield Case(f"flat error {code}", flat, "", end=ours)
        field = b"error: " + json.dumps(error).encode() + b"\n\n"
        yield Case(f"error field {code}", field, "", end=ours)
        named = b"event: error\n" + event(error)
        yield Case(f"event: error {code}", named, "", end=ours)
        late = SAID + event({"error": error})
        yield Case(f"late error {code}", late, end=ours)
    yield Case("bare error in the stream", RED + b'{"error":{"message":"x"}}\n\n', "Red",
               end="upstream_error")  # fmt: skip
    yield Case("error that is a word", event({"error": "overloaded"}), "", end="upstream_error")
    yield Case("detail", b'{"detail":"Not authenticated"}', "", end="upstream_error")
    long = {"message": "x", "code": "context_length_exceeded"}
    yield Case("too long, in the stream", event({"error": long}), "", end="upstream_context")
    keep = "Trying to keep the first 9 tokens when context the overflows"
    yield Case("LM Studio", b"event: error\n" + event({"error": {"message": keep}}), "",
               end="upstream_context")  # fmt: skip
    error = event({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x"}})
    yield Case("gemini error", error, "", end="upstream_rate_limited", wire="google")
    yield Case("malformed in the middle", RED + event('{"choices": oops'), "Red",
               end="upstream_malformed")  # fmt: skip
    yield Case("cut inside an event", RED + REST[:20], "Red", end="upstream_incomplete", cut=True)


def refusal(name: str, status: str, body: Any, end: str, **fields: Any) -> Case:
    """Return a case of a status that is no success."""
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name, said, "", end=end, status=status, **{"content_type": JSON, **fields})


def said(message: str = "x", **fields: Any) -> dict[str, Any]:
    """Return an error's body."""
    return {"error": {"message": message, **fields}}


BLOCKED_PAGE = b"<html><h1>Sorry, you have been blocked</h1></html>"


def statuses() -> Iterator[Case]:
    """Refusals, by status and by machine words."""
    by_status = {
        "upstream_auth": ("401 Unauthorized", "403 Forbidden"),
        "upstream_credit": ("402 Payment Required",),
        "upstream_not_found": ("404 Not Found", "405 Method Not Allowed", "410 Gone"),
        "upstream_proxy": ("407 Proxy Authentication Required",),
        "upstream_timeout": ("408 Request Timeout",),
        "upstream_error": (
            *("409 Conflict", "425 Too Early", "500 Oops", "502 Bad Gateway", "503 Unavailable"),
            *("504 Gateway Timeout", "529 Overloaded", "302 Found"),
        ),
        "upstream_context": ("413 Content Too Large",),
        "upstream_rate_limited": ("429 Too Many Requests",),
        "upstream_rejected": ("400 Bad Request", "422 Unprocessable", "418 Teapot"),
        "upstream_blocked": ("451 Unavailable For Legal Reasons",),
    }
    for ours, theirs in by_status.items():
        for status in theirs:
            yield refusal(f"status {status}", status, said(), ours)
            yield refusal(f"status {status}, no body", status, b"", ours)
            yield refusal(f"gemini status {status}", status, said(), ours, wire="google")
    bad, limited = "400 Bad Request", "429 Too Many Requests"
    words = (
        ("context_length_exceeded", bad, "upstream_context"),
        ("exceed_context_size_error", bad, "upstream_context"),
        ("insufficient_quota", limited, "upstream_credit"),
        ("billing_hard_limit_reached", bad, "upstream_credit"),
        ("content_filter", bad, "upstream_filtered"),
        ("content_policy_violation", bad, "upstream_filtered"),
        ("DataInspectionFailed", bad, "upstream_filtered"),
        ("model_not_found", bad, "upstream_not_found"),
        ("DeploymentNotFound", "404 Not Found", "upstream_not_found"),
        ("invalid_api_key", bad, "upstream_auth"),
        ("rate_limit_exceeded", limited, "upstream_rate_limited"),
        ("unsupported_country_region_territory", "403 Forbidden", "upstream_blocked"),
        ("Arrearage", bad, "upstream_credit"),
    )
    for word, status, ours in words:
        yield refusal(f"code {word}", status, said(code=word), ours)
        yield refusal(f"type {word}", status, said(type=word), ours)
        yield refusal(f"flat {word}", status, {"code": word, "message": "x"}, ours)
    texts = (
        ("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
         "upstream_context"),
        ("the request exceeds the available context size", "upstream_context"),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
         "upstream_context"),
        ("prompt is too long: 210000 tokens > 200000 maximum", "upstream_context"),
        ("Your credit balance is too low to access the API.", "upstream_credit"),
        ("The response was filtered due to Azure's content management policy.",
         "upstream_filtered"),
        ("The model `gpt-9` does not exist", "upstream_not_found"),
        ('model "x" not found, try pulling it first', "upstream_not_found"),
    )  # fmt: skip
    for text, ours in texts:
        yield refusal(f"says {text[:30]}", bad, said(text), ours)
        yield refusal(f"detail {text[:30]}", bad, {"detail": text}, ours)
        yield refusal(f"bare {text[:30]}", bad, text.encode(), ours, content_type="text/plain")
    balance = said("Insufficient Balance")
    yield refusal("no balance", "402 Payment Required", balance, "upstream_credit")
    page = {"content_type": "text/html"}
    yield refusal("blocked page", "403 Forbidden", BLOCKED_PAGE, "upstream_blocked", **page)
    yield refusal("page of a 404", "404 Not Found", b"<p>no", "upstream_not_found", **page)
    yield refusal("page of a 502", "502 Bad Gateway", b"<p>no", "upstream_error", **page)
    azure = said("x", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"})
    yield refusal("azure's filter", bad, azure, "upstream_filtered")
    inner = json.dumps(said(code="context_length_exceeded"))
    openrouter = said("Provider returned error", code=400, metadata={"raw": inner})
    yield refusal("openrouter", bad, openrouter, "upstream_context")
    google = [said("x", status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])]
    yield refusal("google's key", bad, google, "upstream_auth", wire="google")
    yield refusal("llama.cpp", bad, said(n_prompt_tokens=9000, n_ctx=4096, type="exceed_context_"
                  "size_error"), "upstream_context")  # fmt: skip


def fields_that_say_nothing() -> Iterator[Case]:
    """What looks like an error, and is none."""
    blank = {"message": "", "type": "", "param": "", "code": None}
    for name, error in {"blank": blank, "success": {"code": 0, "message": "success"}}.items():
        each = b"".join(
            event({**choice(delta={"content": text}), "error": error}) for text in ("Red", " kite")
        )
        yield Case(f"error that is {name}, in each", each + f("stop") + DONE)
        beside = d("Red") + event({**choice(delta={"content": " kite"}), "error": error})
        yield Case(f"error that is {name}, once", beside + f("stop", error=error) + DONE)
    for name, said in {
        "success": {"code": 0, "message": "Success"},
        "ok": {"code": 200, "message": "ok"},
        "queued": {"status": "queued", "message": "position 3", "code": "QUEUED"},
        "searching": {"type": "search", "detail": "Searching the web"},
    }.items():
        yield Case(f"between: {name}", RED + event(said) + REST + f("stop") + DONE)
    numbers = f"1{'0' * 400}"
    for written in (f'{{"prompt_tokens":{numbers},"completion_tokens":2}}', f"[{numbers}]"):
        yield Case(f"usage {written[:20]} and so on", SAID + f("stop") + raw_usage(written) + DONE)
    zero = usage(prompt_tokens=0, completion_tokens=0)
    yield Case("usage of nothing for text", SAID + f("stop") + zero + DONE)
    counts = {"input_tokens": 5, "output_tokens": 2}
    yield Case("usage by its newer names", SAID + f("stop") + usage(**counts) + DONE, usage=(5, 2))
    yield Case("choices of null", RED + event({"choices": [None]}) + REST + f("stop") + DONE)
    yield Case("a message that is a word", SAID + event(choice("stop", message="ok")) + DONE)
    yield Case("data: twice", SAID.replace(b"data: ", b"data: data: ") + f("stop") + DONE)
    for mark in ('"[DONE]"', "[DONE]<|end|>"):
        yield Case(f"no reason, {mark}", SAID + b"data: " + mark.encode() + b"\n\n")
    lines = b"".join(part[:-1] for part in (RED, b"data: null\n\n", REST, f("stop")))
    yield Case("single line ends and null", lines + b"\n")
    long = ": OPENROUTER PROCESSING\n\n" * 3
    once = whole({"content": "x" * 20_000})
    yield Case("comments before one object", long.encode() + once, "x" * 20_000)


def words_for_the_end() -> Iterator[Case]:
    """Reasons as others write them."""
    words = {
        "length": "MaxTokens FinishReason.MAX_TOKENS FINISH_REASON_MAX_TOKENS max_tokens_reached "
        "token_limit_reached length_exceeded truncated",
        "content_filter": "ContentFilter contentFiltered ERROR_TOXIC blocked content_filtering",
        "upstream_error": "USER_CANCEL incomplete exception server_shutdown connection_error "
        "request_timeout rate_limit",
        "tool_calls": "ToolCalls toolCalls",
        "stop": "unknown mystery EndTurn",
    }
    for ours, theirs in words.items():
        for word in theirs.split():
            yield Case(f"reason {word}", SAID + f(word) + DONE, end=ours)
    yield Case(
        "reason as an object", SAID + f({"type": "length", "length": 9}) + DONE, end="length"
    )
    yield Case("reason as a list", SAID + f(["length"]) + DONE, end="length")
    camel = event({"choices": [{"index": 0, "delta": {}, "finishReason": "length"}]})
    yield Case("finishReason", SAID + camel + DONE, end="length")
    inside = event({"choices": [{"delta": {"content": "", "finish_reason": "length"}}]})
    yield Case("reason in the delta", SAID + inside + DONE, end="length")
    yield Case("length, then stop", SAID + f("length") + f("stop") + DONE, end="length")
    nested = event('{"choices":[{"delta":{},"finish_reason":' + "[" * 900 + "]" * 900 + "}]}")
    yield Case("reason that is a well", SAID + nested + DONE)
    cut = b'{"choices":[{"delta":{"content":"Red"}}]}\n{"choices":[{"delta":{"content":" ki'
    yield Case("lines that break off", cut, "Red", end="upstream_incomplete", content_type=JSON)
    two = b'{"choices":[{"delta":{"content":"Red"}}]}\n' * 2
    yield Case("lines without a reason", two, "RedRed", end="upstream_incomplete",
               content_type=JSON)  # fmt: skip


def more_thoughts() -> Iterator[Case]:
    """Thoughts in other clothes."""
    end = f("stop") + DONE
    typed = d([{"type": "reasoning_text", "text": "Hm."}, HEDGE])
    yield Case("reasoning_text", typed + end, thoughts="Hm.")
    marked = d([{"type": "text", "text": "Hm.", "thought": True}, HEDGE])
    yield Case("text that is a thought", marked + end, thoughts="Hm.")
    tool = d([{"type": "tool_result", "content": "no"}, HEDGE])
    yield Case("a tool's result among the parts", tool + end)
    signed = d("", reasoning_content={"signature": "x"}, reasoning="Hm.")
    yield Case("a signature before the thoughts", signed + SAID + end, thoughts="Hm.")
    twice = d("<think>a</think>\n<think>b</think>\n" + KITE)
    yield Case("two blocks", twice + end, thoughts="ab", wire="local")
    yield Case("an empty block", d("<think></think>\n\n" + KITE) + end, wire="local")
    loud = d("<THINK>Hm.</THINK>" + KITE)
    yield Case("capital letters", loud + end, thoughts="Hm.", wire="local")
    cohere = d("<|START_THINKING|>Hm.<|END_THINKING|>" + KITE)
    yield Case("cohere", cohere + end, thoughts="Hm.", wire="local")
    orphan = d("", reasoning="Hm.") + d("</think>\n\n" + KITE)
    yield Case("a closing tag alone", orphan + end, thoughts="Hm.", wire="local")


def more_refusals() -> Iterator[Case]:
    """Refusals as others write them."""
    bad, limited = "400 Bad Request", "429 Too Many Requests"
    texts = (
        ("Your request exceeded model token limit: 131072 (requested: 150000)", "context"),
        ("Prompt exceeds max length", "context"),
        ("Range of input length should be [1, 98304]", "context"),
        ("`inputs` tokens + `max_new_tokens` must be <= 8193", "context"),
        ("`inputs` must have less than 4095 tokens", "context"),
        ("Please reduce the length of the messages", "context"),
        ("litellm.ContextWindowExceededError: no", "context"),
        ("context_length_exceeded", "context"),
        ("max_tokens (200000) exceeds the maximum allowed value of 8192", "rejected"),
        ("API key not valid. Please pass a valid API key.", "auth"),
        ("User location is not supported for the API use.", "blocked"),
        ("Content Exists Risk", "filtered"),
        ("Budget has been exceeded!", "credit"),
        ("Prompt contains invalid tokens in logit_bias", "rejected"),
        ("grammar: invalid token at 5", "rejected"),
        ("The model received an unknown parameter: 'seed'", "rejected"),
    )
    for text, ours in texts:
        yield refusal(f"says {text}", bad, said(text), f"upstream_{ours}")
    place = said("Country, region, or territory not supported")
    yield refusal("a place", "403 Forbidden", place, "upstream_blocked")
    echo = {"detail": [{"input": {"message": "why is model not found shown?"}, "msg": "Required"}]}
    yield refusal("an echo of the prompt", "422 No", echo, "upstream_rejected")
    half = b'{"error":{"message":"x","metadata":{"raw":"{\\"a\\": \\ud83d"}}}'
    yield refusal("half a character, quoted", bad, half, "upstream_rejected")
    yield refusal(
        "half a character", bad, b'{"error":{"message":"bad \\ud83d"}}', "upstream_rejected"
    )
    huge = b'{"error":{"message":"x","retry_after":1%s}}' % (b"0" * 400)
    yield refusal("a pause without end", limited, huge, "upstream_rate_limited")
    again = said(f"try again in {'9' * 400}m5s")
    yield refusal("minutes without end", limited, again, "upstream_rate_limited")
    for status, ours in {
        "413 Too Large": "context",
        "402 Pay": "credit",
        "408 Time": "timeout",
        "425 Early": "error",
        "429 Many": "rate_limited",
    }.items():
        page = "<html>no</html>".encode()
        yield refusal(f"page of {status}", status, page, f"upstream_{ours}",
                      content_type="text/html")  # fmt: skip
    keyed = said(code="invalid_api_key")
    html = {"content_type": "text/html"}
    yield refusal("JSON called HTML, 403", "403 Forbidden", keyed, "upstream_auth", **html)
    long = said(code="context_length_exceeded")
    yield refusal("JSON called HTML, 400", bad, long, "upstream_context", **html)
    for name, one, ours in (
        ("beside a word", {"error": "Rate limit exceeded", "code": 429}, "rate_limited"),
        ("beside an object", {"error": {"message": "x"}, "status": 429}, "rate_limited"),
        ("status_code", {"error": "Unauthorized", "status_code": 401}, "auth"),
        ("words of a model", {"error": "model 'x' not found, try pulling it first"}, "not_found"),
        ("words of a context", {"error": "exceeds the available context size"}, "context"),
        ("code and msg", {"code": 429, "msg": "too many requests"}, "rate_limited"),
        ("status and message", {"status": 429, "message": "no"}, "rate_limited"),
        ("message alone", {"message": "no"}, "error"),
        ("cloudflare", {"success": False, "errors": [{"message": "No such model"}]}, "not_found"),
        ("minimax", {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "x"}},
         "credit"),
    ):  # fmt: skip
        yield Case(f"error {name}", event(one), "", end=f"upstream_{ours}")
    words = b"Internal Server Error"
    yield Case("words alone", words, "", end="upstream_error", content_type="text/plain")
    code = event({"code": 401, "message": "no"})
    yield Case("gemini, code and message", code, "", end="upstream_auth", wire="google")
    quota = event({"error": "quota", "code": 429})
    yield Case("gemini, a word", quota, "", end="upstream_rate_limited", wire="google")
    yield Case("gemini, parts of null", event({"candidates": [None]}) + g(KITE, "STOP"),
               wire="google")  # fmt: skip


CASES = [
    case
    for group in (
        *(after_the_last_word, between_chunks, parts, tags, delta_and_message, reasons, labels),
        *(failures_in_200, statuses, fields_that_say_nothing, words_for_the_end, more_thoughts),
        more_refusals,
    )
    for case in group()
]
