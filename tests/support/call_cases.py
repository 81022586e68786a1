"""How model servers write calls of tools, and what is right: a table of cases.

Names of what each has are those of the bug reports where it was seen: Ollama, vLLM, SGLang,
llama.cpp, LM Studio, DeepSeek, Azure, OpenRouter, Gemini and its gateways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.cases import DONE, EVENTS, JSON, Case, choice, d, event, f, g, whole

KITE = "red kite"
MADE = ""  # stands for an id that is ours
CITY = {"city": "Rom"}
SIGNATURE = "c2lnbmF0dXJl"
EXTRA = {"google": {"thought_signature": SIGNATURE}}


@dataclass(frozen=True)
class Called:
    """A call as it comes out: `input` is a text where it is invalid, None where it never ended."""

    name: str
    input: dict[str, Any] | str | None
    id: str = MADE


@dataclass(frozen=True)
class CallCase:
    """`back` is what the vendor wants back, without its name; calls are named by their place."""

    name: str
    body: bytes
    calls: tuple[Called, ...]
    end: str = "tool_calls"
    text: str = ""
    thoughts: str = ""
    wire: str = "openai"
    content_type: str = EVENTS
    back: tuple[dict[str, Any], ...] = ()

    @property
    def as_case(self) -> Case:
        """The same as a case of texts: for what answers so."""
        return Case(self.name, self.body, wire=self.wire, content_type=self.content_type)


@dataclass(frozen=True)
class _Piece:
    """A piece of a call, as OpenAI writes it; what is None is not there."""

    args: Any = None
    name: Any = None
    id: Any = None
    index: Any = None
    more: dict[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        said = {"name": self.name, "arguments": self.args}
        function = {name: value for name, value in said.items() if value is not None}
        names = {"index": self.index, "id": self.id}
        found = {name: value for name, value in names.items() if value is not None}
        return {**found, "type": "function", "function": function, **self.more}


def t(*pieces: _Piece, **delta: Any) -> bytes:
    """Return an event of pieces of calls."""
    return event(choice(delta={"tool_calls": [piece.json() for piece in pieces], **delta}))


def p(args: Any = None, name: Any = None, id: Any = None, index: Any = None, **more: Any) -> _Piece:
    """Return a piece."""
    return _Piece(args, name, id, index, more)


END = f("tool_calls") + DONE
FIRST = t(p("", "weather", "call_1", 0), role="assistant", content=None)
ARGS = t(p('{"ci', index=0)) + t(p('ty":"', index=0)) + t(p('Rom"}', index=0))
ROME = Called("weather", CITY, "call_1")
TEXT = json.dumps(CITY)


def usual() -> Iterator[CallCase]:
    """As OpenAI's own API writes them."""
    yield CallCase("plain", FIRST + ARGS + END, (ROME,))
    yield CallCase("after text", d("red") + d(" kite") + FIRST + ARGS + END, (ROME,), text=KITE)
    both = FIRST + ARGS + t(p("", "time", "call_2", 1)) + t(p("{}", index=1))
    yield CallCase("two in turn", both + END, (ROME, Called("time", {}, "call_2")))
    for count in (2, 5):
        yield interleaved(count)
    yield CallCase("in one delta", t(p(TEXT, "weather", "call_1", 0)) + END, (ROME,))
    at_once = t(p(TEXT, "weather", "call_1", 0), p("{}", "time", "call_2", 1))
    yield CallCase("two in one delta", at_once + END, (ROME, Called("time", {}, "call_2")))
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [p(TEXT, "weather", "call_1").json()],
    }
    once = whole(message, "tool_calls")
    yield CallCase("whole", once, (ROME,), content_type=JSON)
    talks = whole({**message, "content": KITE}, "stop")
    yield CallCase("whole with text", talks, (ROME,), text=KITE, content_type=JSON)
    again = event(choice("tool_calls", message=message))
    yield CallCase("and all of it at the end", FIRST + ARGS + again + DONE, (ROME,))
    quiet = event(choice(delta={"tool_calls": None})) + event(choice(delta={"tool_calls": []}))
    yield CallCase("nothing between", FIRST + quiet + ARGS + quiet + END, (ROME,))


def interleaved(count: int) -> CallCase:
    """Return calls whose pieces come by turns."""
    places = range(count)
    body = b"".join(t(p("", f"tool_{n}", f"call_{n}", n)) for n in places)
    for letters in ('{"n', '":', "%d", "}"):
        body += b"".join(
            t(p(letters % n if "%" in letters else letters, index=n)) for n in reversed(places)
        )
    calls = tuple(Called(f"tool_{n}", {"n": n}, f"call_{n}") for n in places)
    return CallCase(f"{count} by turns", body + END, calls)


def names_of_pieces() -> Iterator[CallCase]:
    """Ids, indexes and names that are missing, doubled, repeated or late."""
    two = (Called("weather", CITY, "call_1"), Called("time", {"zone": "UTC"}, "call_2"))
    made = tuple(Called(one.name, one.input) for one in two)
    zone = '{"zone":"UTC"}'
    yield CallCase("no id", FIRST.replace(b'"id": "call_1", ', b"") + ARGS + END, made[:1])
    yield CallCase(
        "two without ids",
        t(p(TEXT[:5], "weather", index=0)) + t(p(zone[:4], "time", index=1))
        + t(p(TEXT[5:], index=0)) + t(p(zone[4:], index=1)) + END,
        made,
    )  # fmt: skip
    yield CallCase("no index", t(p(TEXT[:5], "weather", "call_1")) + t(p(TEXT[5:])) + END, two[:1])
    in_turn = t(p(TEXT[:5], "weather", "call_1")) + t(p(TEXT[5:]))
    in_turn += t(p(zone[:4], "time", "call_2")) + t(p(zone[4:]))
    yield CallCase("two without indexes", in_turn + END, two)
    by_id = t(p(TEXT[:5], "weather", "call_1")) + t(p(zone[:4], "time", "call_2"))
    by_id += t(p(TEXT[5:], id="call_1")) + t(p(zone[4:], id="call_2"))
    yield CallCase("by turns, by ids alone", by_id + END, two)
    yield CallCase("no id and no index", t(p(TEXT, "weather")) + t(p(zone, "time")) + END, made)
    same = (made[0], Called("weather", {"city": "Bonn"}))
    bonn = '{"city":"Bonn"}'
    yield CallCase(
        "one tool twice, no id and no index", t(p(TEXT, "weather"), p(bonn, "weather")) + END, same
    )
    one_index = t(p(TEXT[:5], "weather", "call_1", 0)) + t(p(TEXT[5:], index=0))
    one_index += t(p(zone[:4], "time", "call_2", 0)) + t(p(zone[4:], index=0))
    yield CallCase("one index for all", one_index + END, two)
    at_once = t(p(TEXT, "weather", "call_1", 0), p(zone, "time", "call_2", 0))
    yield CallCase("one index for all, at once", at_once + END, two)
    yield CallCase(
        "one index for all, no ids",
        t(p(TEXT, "weather", index=0), p(zone, "time", index=0)) + END,
        made,
    )
    twice = t(p(TEXT, "weather", index=0), p(bonn, "weather", index=0))
    yield CallCase("one index for all, one tool, no ids", twice + END, same)
    each = b"".join(t(p(part, "weather", "call_1", 0)) for part in (TEXT[:5], TEXT[5:], ""))
    yield CallCase("id and name in each", each + END, two[:1])
    each = b"".join(t(p(part, "weather", index=0)) for part in ("", TEXT[:5], TEXT[5:], ""))
    yield CallCase("name in each, no id", each + END, made[:1])
    each = b"".join(t(p(part, "weather")) for part in ("", TEXT[:5], TEXT[5:], ""))
    yield CallCase("name in each, no id and no index", each + END, made[:1])
    late = t(p(id="call_1", index=0)) + t(p(TEXT[:5], index=0)) + t(p(TEXT[5:], "weather", index=0))
    yield CallCase("name after arguments", late + END, two[:1])
    late = (
        t(p("", "weather", index=0))
        + t(p(TEXT[:5], id="call_1", index=0))
        + t(p(TEXT[5:], index=0))
    )
    yield CallCase("id after name", late + END, made[:1])  # it has one of ours by then
    late = t(p(None, "weather")) + t(p(TEXT, id="call_1"))
    yield CallCase("id after name, no index", late + END, made[:1])
    number = t(p(TEXT, "weather", 7, 0)) + END
    yield CallCase("id that is a number", number, (Called("weather", CITY, "7"),))
    for none in (None, "", False, [], {}):
        odd = t(p(TEXT, "weather", index=0, id="x")).replace(
            b'"id": "x"', b'"id": %s' % json.dumps(none).encode()
        )
        yield CallCase(f"id {none!r}", odd + END, made[:1])
    bare = {"index": 0, "id": "call_1", "name": "weather", "arguments": TEXT}
    yield CallCase(
        "no function around it", event(choice(delta={"tool_calls": [bare]})) + END, two[:1]
    )
    nameless = t(p(TEXT, id="call_1", index=0)) + END
    yield CallCase("no name at all", nameless, (Called("unknown", CITY, "call_1"),))


def arguments() -> Iterator[CallCase]:
    """Arguments in odd forms, and cut in odd places."""
    for name, written in {"empty": "", "missing": None, "null": "null", "an object": "{}"}.items():
        body = t(p(written, "time", "call_1", 0)) + END
        yield CallCase(f"arguments: {name}", body, (Called("time", {}, "call_1"),))
    body = t(p({"city": "Rom"}, "weather", "call_1", 0)) + END
    yield CallCase("arguments that are an object", body, (ROME,))
    none = t(p({}, "time", "call_1", 0)) + END
    yield CallCase("arguments that are an empty object", none, (Called("time", {}, "call_1"),))
    twice = t(p(json.dumps(TEXT), "weather", "call_1", 0)) + END
    yield CallCase("arguments encoded twice", twice, (ROME,))
    spaced = t(p(" \n" + TEXT + "\n", "weather", "call_1", 0)) + END
    yield CallCase("white space around arguments", spaced, (ROME,))
    for bad in ("[1]", "5", '{"city": "Rom"', "{'city': 'Rom'}", "{} {}", "Rom"):
        body = t(p(bad, "weather", "call_1", 0)) + END
        yield CallCase(f"arguments that are none: {bad}", body, (Called("weather", bad, "call_1"),))
    text = json.dumps({"t": 'é\\ "\n\U0001f600'})
    by_letters = t(p("", "say", "call_1", 0)) + b"".join(t(p(letter, index=0)) for letter in text)
    said = (Called("say", {"t": 'é\\ "\n\U0001f600'}, "call_1"),)
    yield CallCase("cut inside escapes and a surrogate pair", by_letters + END, said)
    pieces = ('{"t":"é漢', "\ud83d", "\ude00", '"}')
    split = t(p("", "say", "call_1", 0)) + b"".join(t(p(one, index=0)) for one in pieces)
    whole_one = (Called("say", {"t": "é漢\U0001f600"}, "call_1"),)
    yield CallCase("half a pair in each", split + END, whole_one)
    lone = t(p('{"t":"\\ud83d"}', "say", "call_1", 0)) + END
    yield CallCase("half a pair, escaped", lone, (Called("say", {"t": "\ufffd"}, "call_1"),))
    great = t(p('{"n": 123456789012345678901234567890}', "say", "call_1", 0)) + END
    yield CallCase(
        "a number too large",
        great,
        (Called("say", {"n": 123456789012345678901234567890.0}, "call_1"),),
    )


def ends() -> Iterator[CallCase]:
    """How the reply ended with calls in it."""
    open_call = FIRST + t(p('{"ci', index=0))
    for reason in ("stop", "STOP", "eos", "function_call"):
        yield CallCase(f"calls and {reason}", FIRST + ARGS + f(reason) + DONE, (ROME,))
    yield CallCase("a mark and no reason", FIRST + ARGS + DONE, (ROME,))
    cut = (Called("weather", '{"ci', "call_1"),)
    yield CallCase("length with an open call", open_call + f("length") + DONE, cut, "length")
    could = (Called("weather", '{"city":"Rom"}', "call_1"),)
    yield CallCase(
        "length, and it could be whole", FIRST + ARGS + f("length") + DONE, could, "length"
    )
    bare = (Called("weather", "", "call_1"),)
    yield CallCase("length after a name", FIRST + f("length") + DONE, bare, "length")
    second = FIRST + ARGS + t(p('{"z', "time", "call_2", 1)) + f("length") + DONE
    yield CallCase(
        "length in the second", second, (ROME, Called("time", '{"z', "call_2")), "length"
    )
    filtered = open_call + f("content_filter") + DONE
    yield CallCase("filtered with an open call", filtered, cut, "content_filter")
    stopped = open_call + f("stop") + DONE
    yield CallCase("stop with an open call", stopped, cut)
    never = (Called("weather", None, "call_1"),)
    yield CallCase("cut with an open call", open_call, never, "upstream_incomplete")
    yield CallCase("cut after a whole call", FIRST + ARGS, never, "upstream_incomplete")
    error = FIRST + ARGS + event({"error": {"message": "x", "code": 500}})
    yield CallCase("an error after a whole call", error, never, "upstream_error")
    aborted = FIRST + ARGS + f("abort") + DONE
    yield CallCase("aborted", aborted, never, "upstream_error")
    twice = FIRST + ARGS + f("tool_calls") + f("tool_calls") + DONE
    yield CallCase("the reason twice", twice, (ROME,))


def older() -> Iterator[CallCase]:
    """OpenAI's older name for one call."""
    body = event(choice(delta={"function_call": {"name": "weather", "arguments": ""}}))
    for part in ('{"city"', ':"Rom"}'):
        body += event(choice(delta={"function_call": {"arguments": part}}))
    yield CallCase("function_call", body + f("function_call") + DONE, (Called("weather", CITY),))
    message = {"content": None, "function_call": {"name": "weather", "arguments": TEXT}}
    once = whole(message, "function_call")
    yield CallCase("function_call, whole", once, (Called("weather", CITY),), content_type=JSON)


def wanted_back() -> Iterator[CallCase]:
    """What vendors want back with calls."""
    thought = d(None, reasoning_content="Hm") + d(None, reasoning_content=".")
    for wire in ("openai", "local"):
        back = ({"fields": {"reasoning_content": "Hm."}},)
        body = thought + FIRST + ARGS + END
        yield CallCase(
            f"{wire}: reasoning_content", body, (ROME,), thoughts="Hm.", back=back, wire=wire
        )
    empty = d("", reasoning_content="") + FIRST + ARGS + END
    yield CallCase(
        "empty reasoning_content", empty, (ROME,), back=({"fields": {"reasoning_content": ""}},)
    )
    message = {
        "content": "",
        "reasoning_content": "Hm.",
        "tool_calls": [p(TEXT, "weather", "call_1").json()],
    }
    back = ({"fields": {"reasoning_content": "Hm."}},)
    once = whole(message, "tool_calls")
    yield CallCase("whole, thought", once, (ROME,), thoughts="Hm.", back=back, content_type=JSON)
    details = [{"type": "reasoning.encrypted", "data": "x", "id": "r1"}]
    body = d("", reasoning_details=details) + FIRST + ARGS + END
    yield CallCase(
        "reasoning_details", body, (ROME,), back=({"fields": {"reasoning_details": details}},)
    )
    signed = t(p(TEXT, "weather", "call_1", 0, extra_content=EXTRA)) + END
    yield CallCase("extra_content", signed, (ROME,), back=({"call": 0, "extra_content": EXTRA},))
    later = FIRST + ARGS + t(p(None, index=0, extra_content=EXTRA)) + END
    yield CallCase(
        "extra_content, later", later, (ROME,), back=({"call": 0, "extra_content": EXTRA},)
    )
    unasked = d("Red kite", reasoning_content="Hm.") + f("stop") + DONE
    yield CallCase("no calls, nothing back", unasked, (), "stop", text="Red kite", thoughts="Hm.")


def gc(*parts: dict[str, Any], reason: str | None = None) -> bytes:
    """Return an event of Gemini's with these parts."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return event({"candidates": [candidate]})


def call(name: str, args: Any = None, id: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a part of Gemini's that is a call."""
    said = {"name": name, "args": args, "id": id}
    return {"functionCall": {k: v for k, v in said.items() if v is not None}, **more}


def gemini() -> Iterator[CallCase]:
    """As Gemini writes them: each whole in one part."""
    rome, stop = call("weather", CITY, "call_1", thoughtSignature=SIGNATURE), g(None, "STOP")
    back = ({"call": 0, "extra_content": EXTRA},)
    for name, body in {
        "one": gc(rome) + stop,
        "reason beside it": gc(rome, reason="STOP"),
        "reason in each": gc({"text": ""}, reason="STOP") + gc(rome, reason="STOP"),
        "reason before and after": stop + gc(rome) + stop,
        "MAX_TOKENS after it": gc(rome) + g(None, "MAX_TOKENS"),
        "a gateway's mark": gc(rome) + DONE,
    }.items():
        end = "length" if "MAX" in name else "tool_calls"
        yield CallCase(f"gemini: {name}", body, (ROME,), end, back=back, wire="google")
    listed = b"[" + gc(rome)[6:-2] + b"," + stop[6:-2] + b"]"
    yield CallCase(
        "gemini: as a list", listed, (ROME,), back=back, wire="google", content_type=JSON
    )
    once = gc(rome, reason="STOP")[6:-2]
    yield CallCase("gemini: whole", once, (ROME,), back=back, wire="google", content_type=JSON)
    plain = gc(call("weather", CITY)) + stop
    yield CallCase(
        "gemini: no id and no signature", plain, (Called("weather", CITY),), wire="google"
    )
    parallel = gc(rome, call("time", {}, "call_2")) + gc(call("time", {"zone": "UTC"})) + stop
    calls = (ROME, Called("time", {}, "call_2"), Called("time", {"zone": "UTC"}))
    yield CallCase("gemini: three, the first signed", parallel, calls, back=back, wire="google")
    twice = gc(call("time"), call("time")) + gc(call("time")) + stop
    yield CallCase(
        "gemini: one without arguments, thrice", twice, (Called("time", {}),) * 3, wire="google"
    )
    talks = g("red") + g(" kite") + gc(rome) + stop
    yield CallCase("gemini: after text", talks, (ROME,), text=KITE, back=back, wire="google")
    thinks = gc({"text": "Hm.", "thought": True}) + gc(rome) + stop
    yield CallCase(
        "gemini: after a thought", thinks, (ROME,), thoughts="Hm.", back=back, wire="google"
    )
    bare = {"thoughtSignature": SIGNATURE}
    said = gc({"text": "red"}) + gc({"text": " kite", **bare}) + stop
    of = ({"of": 5, "extra_content": EXTRA},)
    yield CallCase(
        "gemini: text that is signed", said, (), "stop", text=KITE, back=of, wire="google"
    )
    empty = gc({"text": KITE}) + gc({"text": "", **bare}, reason="STOP")
    alone = ({"extra_content": EXTRA},)
    yield CallCase(
        "gemini: a signature alone", empty, (), "stop", text=KITE, back=alone, wire="google"
    )
    both = gc({"text": KITE, **bare}) + gc(rome) + stop
    yield CallCase("gemini: text and call, both signed", both, (ROME,), text=KITE, wire="google",
                   back=({"of": 8, "extra_content": EXTRA}, *back))  # fmt: skip
    never = (Called("weather", None, "call_1"),)
    for reason in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"):
        yield CallCase(f"gemini: {reason}", g(None, reason), (), "upstream_error", wire="google")
        late = gc(rome) + g(None, reason)
        yield CallCase(
            f"gemini: {reason}, late", late, never, "upstream_error", back=back, wire="google"
        )
    yield CallCase("gemini: cut", gc(rome), never, "upstream_incomplete", back=back, wire="google")
    odd = gc(call("weather", "Rom", "call_1")) + stop
    yield CallCase(
        "gemini: arguments that are none", odd, (Called("weather", "Rom", "call_1"),), wire="google"
    )


CALL_CASES = (
    *usual(),
    *names_of_pieces(),
    *arguments(),
    *ends(),
    *older(),
    *wanted_back(),
    *gemini(),
)
