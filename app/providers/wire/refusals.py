"""What a model's server says when it does not answer: read from its status and its machine words
by fixed lists, so that a person is told what to do and nothing of upstream's text gets out.

The shapes are OpenAI's, Azure's, Google's (google.rpc.Status), FastAPI's (`detail`), llama.cpp's,
OpenRouter's (`metadata.raw`), DashScope's and those of servers that write one string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
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
from app.providers.wire.pauses import pause_in, pause_of

MAX_BYTES = 16384  # of a refusal's body; what it says is in its first lines
MAX_DEPTH = 6
MAX_LAYERS = 200
_WORD = re.compile(r"[A-Za-z][\w.:-]{0,63}\Z")  # a machine word; anything else may be prose
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")

# Machine words (codes and types), in lower case without anything but letters and digits.
_CONTEXT = frozenset(
    "contextlengthexceeded stringabovemaxlength exceedcontextsizeerror maxtokensexceeded "
    "prompttoolong requesttoolarge modelmaxprompttokensexceeded contextwindowexceeded "
    "inputtoolong tokenlimitexceeded maxcontextlengthexceeded errorcontextlengthexceeded".split()
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
_LIMITED = frozenset(
    "ratelimitexceeded ratelimiterror ratelimited toomanyrequests resourceexhausted".split()
)

# What servers without machine words write; by these nobody is told anything of the text.
_CONTEXT_TEXT = re.compile(
    r"context[ _-]?(?:length|window|size|limit)|maximum context|context the overflows|n_ctx"
    r"|(?:prompt|input|message)s? (?:is|are) too long|input token count|too many (?:input )?tokens"
    r"|exceed(?:s|ed)? (?:the )?(?:maximum |max[ _])(?:number of )?(?:input |prompt )?"
    r"(?:tokens|len)"
    r"|request too large|max(?:imum)?[ _](?:prompt|input|sequence|model)[ _](?:len|tokens)"
    r"|longer than the (?:model|maximum)|model token limit|prompt exceeds max"
    r"|range of input length|inputs?`? (?:tokens .{0,40}must be|must have less than)"
    r"|reduce the length of the (?:messages|prompt|input)"
    r"|(?:tokens?|prompt|input)[^.]{0,60}exceed(?:s|ed)?[^.]{0,40}(?:token limit|context|max_len)",
    re.I,
)
# The limit that was asked for, not what was sent.
_OF_LIMIT = re.compile(
    r"^\W*(?:max_tokens|max_completion_tokens|max_new_tokens)\b|max_tokens'? (?:or|is too large)"
    r"|out of memory",
    re.I,
)
_TOO_LARGE_TEXT = re.compile(r"request too large", re.I)
_CREDIT_TEXT = re.compile(
    r"insufficient[_ ](?:balance|credits?|funds|quota)|credit balance is too low|out of credits?"
    r"|budget has been exceeded|余额不足"
    r"|(?:not enough|no|more|exhausted your|used all your) credits|payment required|in arrears",
    re.I,
)
_FILTERED_TEXT = re.compile(
    r"content (?:management|filter(?:ing)?|usage|safety) polic|inappropriate content"
    r"|content[_ ]filter|flagged as (?:potentially )?violating|safety system"
    r"|content exists risk|considered high risk",
    re.I,
)
_NOT_FOUND_TEXT = re.compile(
    r"model[^.\n]{0,120}(?:not found|does not exist|doesn't exist|not exist|is not available"
    r"|no longer available)|(?:no such|unknown|invalid) model(?! parameter)\b"
    r"|try pulling it first|not a valid model",
    re.I,
)
_AUTH_TEXT = re.compile(
    r"(?:invalid|incorrect|missing|no|bad|expired) (?:api[ _-]?key|access token|credential)"
    r"|api key (?:is )?not valid",
    re.I,
)
_BLOCKED_TEXT = re.compile(
    r"(?:location|country|region|territory)\b.{0,40}(?:is )?not supported|have been blocked", re.I
)
_LOADING_TEXT = re.compile(
    r"loading model|model is (?:still )?(?:being )?load|currently loading|still loading"
    r"|model (?:is )?not (?:yet )?(?:loaded|ready)|warming up|is starting",
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
        if self.is_page and (error := _error_of_page(status)) is not None:
            return error
        refused = status is None or status < 500
        if status == 402 or self.words & _CREDIT or (refused and _CREDIT_TEXT.search(text)):
            return UpstreamCredit()
        # Of a rate, tokens are too many too.
        long = _CONTEXT_TEXT if status != 429 else _TOO_LARGE_TEXT
        by_words = long.search(text) and not (
            self.param.startswith("max_") or _OF_LIMIT.search(text)
        )
        if status == 413 or self.words & _CONTEXT or by_words:
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
        if self.words & _BLOCKED or self.status == 451 or _BLOCKED_TEXT.search(text):
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
    if start[:1] == b"<":
        found = Refusal(status, is_page=True)
    else:
        found = replace(refusal_in(loads(body), body), status=status)
    wait_s = pause_of(headers)
    return found if wait_s is None else replace(found, wait_s=wait_s)


def refusal_in(value: Any, body: bytes = b"") -> Refusal:
    """Return what a JSON value says that stands for an error; its own number may be a status."""
    layers = list(islice(_layers(value, MAX_DEPTH), MAX_LAYERS))
    code, kind, param, message = "", "", "", ""
    status: int | None = None
    words: set[str] = set()
    numbers: Mapping[str, Any] | None = None
    for layer in layers:
        for name in _CODES:
            said = layer.get(name)
            if isinstance(said, str) and said.isdecimal():
                said = int(said[:9])
            if type(said) is int:
                status = status or _status_of(said)
            elif isinstance(said, str) and _WORD.match(said):
                words.add(_NOT_LETTERS.sub("", said.lower()))
                if name in {"type", "error_type"}:
                    kind = kind or said
                else:
                    code = code or said
        param = param or _param_of(layer)
        for text in _messages_of(layer):
            if text not in message and len(message) < MAX_BYTES:
                message = f"{message} {text[:MAX_BYTES]}".strip()
        if "n_ctx" in layer:
            numbers = layer
    if not layers and isinstance(value, str):
        message = value[:MAX_BYTES]
    elif not layers and body:
        message = body[:MAX_BYTES].decode("utf-8", "replace").strip()
    if _WORD.match(message):  # a machine word where words are expected
        words.add(_NOT_LETTERS.sub("", message.lower()))
    pause_s = pause_in(layers, message)
    message = message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Refusal(
        status, code, kind, param, message, frozenset(words), numbers=numbers, wait_s=pause_s
    )


_CODES = (
    *("code", "type", "reason", "status", "status_code", "statusCode", "error_code", "error_type"),
    "errorCode",
)
_MESSAGES = (
    *("message", "detail", "error", "msg", "error_msg", "raw", "status_msg", "Message"),
    *("error_message", "error_description", "title", "errors"),
)
_ECHOES = frozenset({"input", "messages", "body", "request", "prompt", "ctx"})  # what was sent
# MiniMax, in base_resp.
_NUMBERS = {1000: 500, 1001: 408, 1002: 429, 1004: 401, 1008: 402, 1039: 429, 2013: 400, 2049: 401}


def _status_of(number: int) -> int | None:
    return number if 400 <= number <= 599 else _NUMBERS.get(number)


def _messages_of(layer: Mapping[str, Any]) -> Iterator[str]:
    for name in _MESSAGES:
        said = layer.get(name)
        for one in said[:8] if isinstance(said, list) else (said,):
            if isinstance(one, str) and one.strip():
                yield one


def _layers(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the objects in an error, the outermost first; not what it repeats of the request."""
    if not depth:
        return
    if isinstance(value, list):
        for one in value[:8]:
            yield from _layers(one, depth - 1)
    elif isinstance(value, dict):
        yield value
        for name, one in value.items():
            if name in _ECHOES:
                continue
            if isinstance(one, (dict, list)):
                yield from _layers(one, depth - 1)
            elif isinstance(one, str) and one[:1] == "{":  # what a gateway was told, as it was
                yield from _layers(loads(one[:MAX_BYTES].encode("utf-8", "replace")), depth - 1)


_FINE = frozenset({"", "0", "200", "ok", "success", "succeeded", "none", "null", "false"})
_OF_ERRORS = re.compile(
    r"error|invalid|fail|exceed|denied|unauth|forbidden|limit|notfound|insufficient|exhausted"
    r"|overload|unavailable|timeout|abort"
)


def raise_failure(chunk: Mapping[str, Any], heard: int) -> None:
    """Raise what a chunk says went wrong, if it says so; `heard` is how many were good before it.

    Some servers put an `error` into each chunk that says nothing, or success.
    """
    said = {name: one for name, one in chunk.items() if name not in {"choices", "usage", "id"}}
    if _says_something(chunk.get("error")) or _is_failure(said, heard):
        raise refusal_in(said).error()


def _says_something(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_says_something(one) for one in value.values())
    if isinstance(value, list):
        return any(_says_something(one) for one in value)
    return bool(value) and str(value)[:20].strip().lower() not in _FINE


def _is_failure(said: Mapping[str, Any], heard: int) -> bool:
    """Whether an object that is no chunk, and has no `error`, is one all the same."""
    if "error" in (said.get("object"), said.get("type"), said.get("status")):
        return True
    answer = said.get("base_resp")
    if isinstance(answer, dict) and _says_something(answer.get("status_code")):
        return True
    if said.get("success") is False and said.get("errors"):
        return True
    if "error" in said or not any(True for _ in _messages_of(said)):
        return False
    for name in _CODES:
        one = said.get(name)
        if isinstance(one, str) and one.isdecimal():
            one = int(one[:9])
        if type(one) is int and 400 <= one <= 599:
            return True
        if isinstance(one, str) and _OF_ERRORS.search(_NOT_LETTERS.sub("", one[:64].lower())):
            return True
    return not heard and not any(name in said for name in _CODES)


def _param_of(layer: Mapping[str, Any]) -> str:
    param = layer.get("param")
    if isinstance(param, str):
        return param
    where = layer.get("loc")  # FastAPI: ["body", "stream_options"]
    if isinstance(where, list):
        names = [str(one) for one in where if one != "body"]
        return ".".join(names)
    return ""


def _error_of_page(status: int | None) -> RunError | None:
    """Return the error of a page, None where its status says more."""
    if status in {403, 451}:
        return UpstreamBlocked()
    if status is None or status < 300 or status in {404, 405, 410}:
        return no_model_server()
    return None


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
