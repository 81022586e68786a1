"""Why a reply ended, in the words of all servers, and in ours."""

from __future__ import annotations

import re
from typing import Any

from app.core.run_errors import UpstreamError

FAILED = ""  # it did not end by itself
# Letters and digits alone count: `MAX_TOKENS`, `maxTokens` and `max-tokens` are one word.
_OURS = {
    "stop": "stop eos eostoken end endturn stopsequence complete completed done finished",
    "length": "length modellength contextlength",
    "content_filter": (
        "sensitive recitation prohibitedcontent spii language refusal modelarmor "
        "guardrailintervened contentpolicyviolation riskcontrol"
    ),
    "tool_calls": "toolcalls toolcall tooluse functioncall",
    FAILED: (
        "other insufficientsystemresource insufficientresource resourceexhausted "
        "malformedfunctioncall malformedresponse unexpectedtoolcall toomanytoolcalls "
        "missingthoughtsignature noimage imageother ratelimit preempted"
    ),
}
_KNOWN = {theirs: ours for ours, words in _OURS.items() for theirs in words.split()}
# Of words that are in no list, by what they are made of; the first that fits.
_PARTS = (
    ("content_filter", re.compile("filter|safety|toxic|blocked|blocklist|moderat|guardrail")),
    ("length", re.compile("maxtoken|maxoutput|maxnewtoken|maxcompletion|maxlength|maxcontext"
                          "|tokenlimit|lengthexceed|contextwindow|contextlength|truncat|limit")),
    (FAILED, re.compile("error|abort|cancel|timeout|timedout|fail|exception|shutdown|interrupt"
                        "|incomplete|overload|disconnect|unavailable")),
)  # fmt: skip
_NONE = frozenset({"", "null", "none", "nil", "undefined", "unspecified"})
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def is_reason(written: Any) -> bool:
    """Whether a finish reason says anything at all."""
    return _word_of(written) not in _NONE


def reason_of(written: Any, has_text: bool) -> str:
    """Return our finish reason. Raises UpstreamError for a failure, and for a word nobody knows
    that came without any text."""
    word = _word_of(written)
    ours = _KNOWN.get(word)
    if ours is None:
        ours = next((name for name, parts in _PARTS if parts.search(word)), None)
    if ours is None and has_text:
        ours = "stop"
    if not ours:
        raise UpstreamError()
    return ours


def _word_of(written: Any) -> str:
    if isinstance(written, list):
        written = written[0] if written else None
    if isinstance(written, dict):  # SGLang's own: {"type": "length", "length": 9}
        written = written.get("type")
    if not isinstance(written, str):
        return ""
    return _NOT_LETTERS.sub("", written[:100].lower()).removeprefix("finishreason")
