"""What a model's server says when it does not answer: read from its status and its machine words
by fixed lists, so that a person is told what to do and nothing of upstream's text gets out.

The shapes are OpenAI's, Azure's, Google's (google.rpc.Status), FastAPI's (`detail`), llama.cpp's,
OpenRouter's (`metadata.raw`), DashScope's and those of servers that write one string.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any

from app.core.run_errors import (
    RunError,
    Said,
    UpstreamAuth,
    UpstreamBlocked,
    UpstreamContext,
    UpstreamCredit,
    UpstreamError,
    UpstreamFiltered,
    UpstreamNotFound,
    UpstreamProxy,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
)
from app.providers.wire.chunks import loads

MOST_S = 86400.0
MAX_BYTES = 16384  # of a refusal's body; what it says is in its first lines
MAX_DEPTH = 6
_WORD = re.compile(r"[A-Za-z][\w.:-]{0,63}\Z")  # a machine word; anything else may be prose
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")

# Machine words (codes and types), in lower case without anything but letters and digits.
_CONTEXT = frozenset(
    "contextlengthexceeded stringabovemaxlength exceedcontextsizeerror maxtokensexceeded "
    "prompttoolong requesttoolarge modelmaxprompttokensexceeded contextwindowexceeded "
    "inputtoolong tokenlimitexceeded maxcontextlengthexceeded".split()
)
_CREDIT = frozenset(
    "insufficientquota insufficientbalance insufficientuserquota insufficientcredits "
    "insufficientfunds billinghardlimitreached billingnotactive billingerror "
    "creditbalancetoolow creditsexhausted paymentrequired arrearage quotaexhausted "
    "exceededcurrentquotaerror outofcredits".split()
)
_FILTERED = frozenset(
    "contentfilter contentfiltererror contentpolicyviolation responsibleaipolicyviolation "
    "datainspectionfailed sensitivewordsdetected promptblocked moderationblocked "
    "inputmoderation contentmoderation invalidprompt cyberpolicyviolation".split()
)
_NOT_FOUND = frozenset(
    "modelnotfound modelnotexist modeldoesnotexist deploymentnotfound notfounderror "
    "modelnotavailable unknownmodel nosuchmodel unknownurl modelnotfounderror "
    "invalidmodel invalidmodelname".split()
)
_AUTH = frozenset(
    "invalidapikey apikeyinvalid authenticationerror unauthorized invalidauthentication "
    "incorrectapikey authenticationfailed accountdeactivated unauthenticated".split()
)
_BLOCKED = frozenset("unsupportedcountryregionterritory regionnotsupported ipblocked".split())
_LIMITED = frozenset("ratelimitexceeded ratelimiterror ratelimited toomanyrequests".split())

# What servers without machine words write; by these nobody is told anything of the text.
_CONTEXT_TEXT = re.compile(
    r"context (?:length|window|size|limit)|maximum context|prompt is too long|prompt too long"
    r"|input is too long|input token count|too many (?:input )?tokens|exceeds? the (?:maximum|max)"
    r" (?:number of )?(?:input )?tokens|request too large|maximum (?:prompt|input|sequence) length"
    r"|longer than the (?:model|maximum)|max_model_len|n_ctx|context the overflows"
    r"|(?:tokens?|prompt|input).{0,60}exceeds?.{0,40}(?:limit|maximum|max_tokens|context)",
    re.I,
)
_TOO_LARGE_TEXT = re.compile(r"request too large", re.I)
_CREDIT_TEXT = re.compile(
    r"insufficient[_ ](?:balance|credits?|funds|quota)|credit balance is too low|out of credits?"
    r"|(?:not enough|no|more|exhausted your|used all your) credits|payment required|in arrears",
    re.I,
)
_FILTERED_TEXT = re.compile(
    r"content (?:management|filter(?:ing)?|usage|safety) polic|inappropriate content"
    r"|content[_ ]filter|flagged as (?:potentially )?violating|safety system",
    re.I,
)
_NOT_FOUND_TEXT = re.compile(
    r"model[^.\n]{0,120}(?:not found|does not exist|doesn't exist|not exist|is not available"
    r"|not supported by|unknown|no longer available)|(?:no such|unknown|invalid) model"
    r"|try pulling it first|not a valid model",
    re.I,
)
_AUTH_TEXT = re.compile(
    r"(?:invalid|incorrect|missing|no|expired) (?:api[ _-]?key|access token|token|credential)", re.I
)
_LOADING_TEXT = re.compile(
    r"loading model|model is (?:still )?(?:being )?load|currently loading|still loading"
    r"|model (?:is )?not (?:yet )?(?:loaded|ready)|warming up|is starting",
    re.I,
)
_AGAIN_TEXT = re.compile(
    r"(?:try again|retry|available) (?:in|after) (?:(\d+)m)?\s*(\d+(?:\.\d+)?)\s*(ms|s\b|sec|min)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server said instead of a reply; `words` are all machine words in it."""

    status: int | None = None
    code: str = ""
    type: str = ""
    param: str = ""
    message: str = ""
    words: frozenset[str] = frozenset()
    is_page: bool = False
    wait_s: float | None = None
    numbers: Mapping[str, Any] | None = None  # of llama.cpp: n_prompt_tokens, n_ctx

    def error(self) -> RunError:
        """Return the error that it is to us."""
        error = self._error()
        error.said = Said(self.status, self.code, self.type, self.message)
        if self.wait_s is not None and isinstance(error, (UpstreamRateLimited, UpstreamError)):
            error.wait_s = self.wait_s
            error.retry_after_s = math.ceil(self.wait_s)
        return error

    def _error(self) -> RunError:
        status, text = self.status, self.message
        if status == 407:
            return UpstreamProxy()
        if self.is_page:
            return _error_of_page(status)
        refused = status is None or status < 500
        if status == 402 or self.words & _CREDIT or (refused and _CREDIT_TEXT.search(text)):
            return UpstreamCredit()
        # Of a rate, tokens are too many too.
        long = _CONTEXT_TEXT if status != 429 else _TOO_LARGE_TEXT
        if status == 413 or self.words & _CONTEXT or long.search(text):
            return self._too_long()
        if refused:
            error = self._of_request()
            if error is not None:
                return error
        if status is not None:
            return self._of_status(status)
        return UpstreamRateLimited() if self.words & _LIMITED else UpstreamError()

    def _of_request(self) -> RunError | None:
        """Return the error of a request that is wrong in a way that words tell."""
        text = self.message
        if self.words & _FILTERED or _FILTERED_TEXT.search(text):
            return UpstreamFiltered()
        if self.words & _BLOCKED or self.status == 451:
            return UpstreamBlocked()
        if self.words & _AUTH or (self.status in {400, None} and _AUTH_TEXT.search(text)):
            return UpstreamAuth()
        known = self.status not in {401, 429}
        if known and (self.words & _NOT_FOUND or _NOT_FOUND_TEXT.search(text)):
            return UpstreamNotFound()
        return None

    def _of_status(self, status: int) -> RunError:
        if status in {401, 403}:
            return UpstreamAuth()
        if status in {404, 405, 410}:
            return UpstreamNotFound()
        if status == 429:
            return UpstreamRateLimited()
        if status == 408:
            return UpstreamTimeout()
        if 400 <= status < 500 and status not in {409, 425}:  # those may pass, as OpenAI's SDK says
            return UpstreamRejected()
        error = UpstreamError()
        error.loading = status == 503 and bool(_LOADING_TEXT.search(self.message))
        return error

    def _too_long(self) -> UpstreamContext:
        numbers = self.numbers or {}
        sent, limit = numbers.get("n_prompt_tokens"), numbers.get("n_ctx")
        if not (type(sent) is int and type(limit) is int):
            sent, limit = _sent_and_limit(self.message)
        return UpstreamContext(sent, limit)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Return what an answer that is no reply says."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<" or "text/html" in headers.get("content-type", "").lower():
        found = Refusal(status, is_page=True)
    else:
        found = replace(refusal_in(loads(body), body), status=status)
    wait_s = _asked_pause(headers)
    return found if wait_s is None else replace(found, wait_s=wait_s)


def refusal_in(value: Any, body: bytes = b"") -> Refusal:
    """Return what a JSON value says that stands for an error; its own number may be a status."""
    layers = list(_layers(value, MAX_DEPTH))
    code, kind, param, message = "", "", "", ""
    status: int | None = None
    words: set[str] = set()
    numbers: Mapping[str, Any] | None = None
    for layer in layers:
        for name in ("code", "type", "reason", "status", "error_code", "error_type"):
            said = layer.get(name)
            if isinstance(said, str) and said.isdecimal():
                said = int(said[:9])
            if type(said) is int and 400 <= said <= 599:
                status = status or said
            elif isinstance(said, str) and _WORD.match(said):
                words.add(_NOT_LETTERS.sub("", said.lower()))
                if name in {"type", "error_type"}:
                    kind = kind or said
                else:
                    code = code or said
        param = param or _param_of(layer)
        for name in ("message", "detail", "error", "msg", "error_msg", "raw"):
            said = layer.get(name)
            if isinstance(said, str) and said.strip():
                message = f"{message} {said}".strip() if said not in message else message
        if "n_ctx" in layer:
            numbers = layer
    if not layers and body:
        message = body[:MAX_BYTES].decode("utf-8", "replace").strip()
    return Refusal(
        status, code, kind, param, message, frozenset(words), numbers=numbers,
        wait_s=_pause_in(layers, message),
    )  # fmt: skip


def _layers(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the objects in an error, the outermost first."""
    if not depth:
        return
    if isinstance(value, list):
        for one in value[:8]:
            yield from _layers(one, depth - 1)
    elif isinstance(value, dict):
        yield value
        for one in value.values():
            if isinstance(one, (dict, list)):
                yield from _layers(one, depth - 1)
            elif isinstance(one, str) and one[:1] == "{":  # what a gateway was told, as it was
                yield from _layers(loads(one.encode()), depth - 1)


def _param_of(layer: Mapping[str, Any]) -> str:
    param = layer.get("param")
    if isinstance(param, str):
        return param
    where = layer.get("loc")  # FastAPI: ["body", "stream_options"]
    if isinstance(where, list):
        names = [str(one) for one in where if one != "body"]
        return ".".join(names)
    return ""


def _error_of_page(status: int | None) -> RunError:
    if status in {403, 429, 451}:
        return UpstreamBlocked()
    if status == 401:
        return UpstreamAuth()
    if status is None or status < 300 or status in {404, 405, 410}:
        return no_model_server()
    return UpstreamRejected() if 400 <= status < 500 else UpstreamError()


def no_model_server() -> UpstreamNotFound:
    """Return the error of an address where something else is."""
    return UpstreamNotFound(
        "What answers at the address of the model's server is no model server. "
        "The operator must check the address."
    )


def _sent_and_limit(message: str) -> tuple[int | None, int | None]:
    """Return the tokens that were sent and those that fit, if a message has both."""
    numbers = [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]{2,11}", message)]
    found = re.search(
        r"(?:maximum|max|limit|context (?:length|size|window)|allowed|n_ctx)\D{0,60}(\d[\d,]{2,11})"
        r"|(\d[\d,]{2,11})\W*(?:tokens? )?(?:maximum|limit)",
        message,
        re.I,
    )
    if found is None:
        return None, None
    limit = int((found[1] or found[2]).replace(",", ""))
    sent = next((number for number in numbers if number > limit), None)
    return (sent, limit) if sent is not None else (None, None)


def _pause_in(layers: list[dict[str, Any]], message: str) -> float | None:
    """Return the pause that a body asks for: google.rpc.RetryInfo, or in words."""
    for layer in layers:
        delay = layer.get("retryDelay", layer.get("retry_after"))
        if isinstance(delay, str) and re.fullmatch(r"\d{1,9}(\.\d{1,9})?s?", delay):
            return min(float(delay.rstrip("s")), MOST_S)
        if isinstance(delay, (int, float)) and 0 <= delay < math.inf:
            return min(float(delay), MOST_S)
    found = _AGAIN_TEXT.search(message)
    if found is None:
        return None
    number, unit = float(found[2]), found[3].lower()
    pause_s = number / 1000 if unit == "ms" else number * (60 if unit == "min" else 1)
    return min(int(found[1] or 0) * 60 + pause_s, MOST_S)


def _asked_pause(headers: Mapping[str, str]) -> float | None:
    ms = headers.get("retry-after-ms", "").strip()  # OpenAI's and Azure's, finer than the standard
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", ms):
        return min(float(ms) / 1000, MOST_S)
    return read_retry_after(headers.get("retry-after"))


def read_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3: seconds or a date; fractions, which
    some send), 0 at least.

    None if there is none that can be read; a day at most: whoever waits sets a limit.
    """
    value = (value or "").strip()
    if re.fullmatch(r"\d+(\.\d{1,9})?", value, re.ASCII):
        return min(float(value[:32]), MOST_S)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" is UTC, too
            date = date.replace(tzinfo=timezone.utc)
        return min(max(0.0, date.timestamp() - now()), MOST_S)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
