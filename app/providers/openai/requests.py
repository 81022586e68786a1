"""What a server for chat completions is asked: the body, and what of it is left out or put
otherwise where a server has refused it before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.core.messages import Part, ProviderMessage
from app.core.run_errors import UpstreamError, UpstreamRejected
from app.core.runs import ProviderRequest
from app.core.tools import result_text
from app.core.turns import calls_in, taking_turns
from app.providers.wire.adapting import (
    DEVELOPER,
    NO_STREAM_OPTIONS,
    NO_SYSTEM,
    NO_TEMPERATURE,
    OTHER_LIMIT,
    WHOLE,
)
from app.providers.wire.images import FILE, IMAGE, data_url, has_shown, shown_by_users
from app.providers.wire.refusals import Refusal
from app.providers.wire.thoughts import without_thoughts

LIMITS = ("max_tokens", "max_completion_tokens")
OTHER = dict(zip(LIMITS, reversed(LIMITS), strict=True))
_REFUSED = re.compile(
    r"unsupported|not (?:yet )?support|n't support|not (?:yet )?implemented|disabled|deprecated"
    r"|unrecognized|unknown|unexpected|not permitted|forbidden|not allowed|not available|invalid"
    r"|extra (?:inputs|fields)|must be verified|must be (?:set to )?(?:false|1)|only the default"
    r"|no longer|instead|additional propert|not enabled|cannot be (?:set|used)|only be set to"
    r"|only supports? non|is not a valid|cannot unmarshal|may only be",
    re.I,
)
_STREAMING = re.compile(
    r"\bstream(?:ing|ed)?\b(?!_)['\"`]?[^.,]{0,60}(?:support|implement|disabled|available|allowed"
    r"|enabled|must be|permitted)"
    r"|(?:support|allow|permit|verified|unsupported|disable)[^.,]{0,40}\bstream(?:ing|ed)?\b(?!_)"
    r"|non-stream",
    re.I,
)
_KEYWORD = re.compile(r"unexpected keyword argument", re.I)  # of servers that pass all on
_ROLE = re.compile(
    r"system (?:role|message|prompt|instruction)s?\b.{0,40}(?:not|unsupported)"
    r"|role.{0,20}system.{0,40}(?:not|unsupported)|developer (?:instruction|message|role)"
    r"|(?:not support|unsupported|invalid)[^.]{0,60}['\"]?(?:system|developer)\b"
    r"|only user(?:,)? and assistant roles|roles must alternate|unexpected message role"
    r"|should be 'user' or 'assistant'",
    re.I,
)
_OF_VALUE = re.compile(
    r"too (?:large|small|high|low|big)|at (?:most|least)|between|less than|greater than|exceed"
    r"|above the max|below the min|range|[<>]=?",
    re.I,
)


def body_of(
    request: ProviderRequest,
    stream: bool,
    adapted: frozenset[str],
    limit_field: str,
    splits_thoughts: bool,
    vendor: str = "",
) -> dict[str, Any]:
    """Return the body of a request; `vendor` is who gets its own fields back."""
    messages = _messages(request.messages, adapted, splits_thoughts, vendor)
    body: dict[str, Any] = {"model": request.model, **request.parameters, "messages": messages}
    if stream:
        body["stream"] = True
        if NO_STREAM_OPTIONS not in adapted:
            body["stream_options"] = {"include_usage": True}
    if request.temperature is not None and NO_TEMPERATURE not in adapted:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        field = OTHER[limit_field] if OTHER_LIMIT in adapted else limit_field
        body[field] = request.max_tokens
    return body


def _messages(
    messages: Sequence[ProviderMessage],
    adapted: frozenset[str],
    splits_thoughts: bool,
    vendor: str,
) -> list[dict[str, Any]]:
    if splits_thoughts:
        messages = [_without_thoughts(message) for message in messages]
    prompt = ""
    if NO_SYSTEM in adapted:
        prompt = "\n\n".join(one.text for one in messages if one.role == "system" and one.text)
        messages = [message for message in messages if message.role != "system"]
    renamed = {"system": "developer"} if DEVELOPER in adapted else {}
    said: list[dict[str, Any]] = []
    for turn in shown_by_users(taking_turns(messages)):
        if turn.role == "tool":
            said += [_result(part) for part in turn.content]
        elif len(turn.content) > 1 or turn.content[0]["type"] != "text":
            said.append(_with_calls(turn, vendor))
        else:
            said.append({"role": renamed.get(turn.role, turn.role), "content": turn.text})
    if prompt:
        if said and said[0]["role"] == "user" and isinstance(said[0]["content"], str):
            said[0]["content"] = f"{prompt}\n\n{said[0]['content']}"
        elif said and said[0]["role"] == "user":
            said[0]["content"].insert(0, {"type": "text", "text": prompt})
        else:
            said.insert(0, {"role": "user", "content": prompt})
    return said


def _with_calls(turn: ProviderMessage, vendor: str) -> dict[str, Any]:
    """Return a message of several parts: with what is shown, or with calls and what this vendor
    wants back of them."""
    if turn.role == "user" and has_shown(turn.content):
        return {"role": turn.role, "content": [*filter(None, map(_block, turn.content))]}
    calls, own = calls_in(turn.content), _own_parts(turn, vendor)
    message: dict[str, Any] = {"role": turn.role, "content": turn.text or None}
    for part in own:
        message.update(part.get("fields", {}))
    if calls:
        extras = {part.get("call_id"): part.get("extra_content") for part in own}
        message["tool_calls"] = [_call(call, extras.get(call["call_id"])) for call in calls]
    return message


def _block(part: Part) -> dict[str, Any] | None:
    """Return a part as this wire has it; None for white space, which some servers refuse."""
    if part["type"] == IMAGE:
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        return {"type": "image_url", "image_url": {"url": data_url(part), **detail}}
    if part["type"] == FILE:
        file = {"filename": part.get("name", ""), "file_data": data_url(part)}
        return {"type": "file", "file": file}
    if part["type"] == "text" and part["text"].strip():
        return {"type": "text", "text": part["text"]}
    return None


def _own_parts(turn: ProviderMessage, vendor: str) -> list[Part]:
    opaque = (part for part in turn.content if part["type"] == "opaque")
    return [part for part in opaque if part["vendor"] in {vendor, ""}]


def _call(part: Part, extra: Any) -> dict[str, Any]:
    arguments = orjson.dumps(part.get("input") or {}).decode()
    call = {"id": part["call_id"], "type": "function"}
    said = {**call, "function": {"name": part["name"], "arguments": arguments}}
    return {**said, "extra_content": extra} if extra else said


def _result(part: Part) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": part["call_id"], "content": result_text(part)}


def _without_thoughts(message: ProviderMessage) -> ProviderMessage:
    if message.role != "assistant":
        return message
    content: list[Part] = []
    for part in message.content:
        if part["type"] == "text" and not content:  # they come first
            part = {**part, "text": without_thoughts(part["text"])}
        content.append(part)
    return ProviderMessage(message.role, tuple(content))


def adaptation_to(refusal: Refusal, body: Mapping[str, Any], limit_field: str) -> str:
    """Return what is to be asked otherwise after this refusal of that body; "" if it was not for
    anything that could be."""
    param, text = refusal.param, refusal.message
    keyword = bool(_KEYWORD.search(text))
    if refusal.status not in {400, 404, 405, 415, 422, 501} and not keyword:
        return _adaptation_of_template(refusal, body)
    if type(refusal.error()) not in _OPEN:  # it was refused for something else
        return ""
    refused = keyword or bool(_REFUSED.search(text))

    def names(field: str) -> bool:
        if param:
            return field in body and param.partition(".")[0] == field
        return field in body and refused and bool(re.search(rf"\b{field}\b", text))

    if names("stream_options"):
        return NO_STREAM_OPTIONS
    if body.get("stream") and (param == "stream" or (not param and _STREAMING.search(text))):
        return WHOLE
    if any(names(field) for field in LIMITS) and _is_of_name(refusal):
        return OTHER_LIMIT
    if names("temperature") and not _is_of_value(refusal):
        return NO_TEMPERATURE
    return _adaptation_of_roles(refusal, body)


# What a refusal may be that is of the request's form; NotFound for `stream` at another address.
_OPEN = (UpstreamRejected, UpstreamError)


def _is_of_value(refusal: Refusal) -> bool:
    """Whether another value would have been taken."""
    only = re.search(r"only (?:the default|.{0,30}supported|1\b)|does not support", refusal.message)
    return bool(_OF_VALUE.search(refusal.message)) and not only


def _is_of_name(refusal: Refusal) -> bool:
    """Whether the limit's name was refused, and not its value."""
    if _OF_VALUE.search(refusal.message):
        return False
    other = all(name in refusal.message for name in LIMITS)
    unknown = {"unsupportedparameter", "unknownparameter", "extraforbidden"} & refusal.words
    number = re.search(r"(?<![\w.-])\d+(?![\w.-])", refusal.message)
    return other or bool(unknown) or not number


def _adaptation_of_roles(refusal: Refusal, body: Mapping[str, Any]) -> str:
    roles = {message["role"] for message in body["messages"]}
    if not roles & {"system", "developer"}:
        return ""
    of_role = refusal.param.startswith("messages") and refusal.param.endswith("role")
    if not (of_role or (not refusal.param and _ROLE.search(refusal.message))):
        return ""
    said = refusal.message.lower()
    wants_newer = "developer" in said and "instead" in said
    if "system" in roles and (wants_newer or "messages[" in refusal.param):
        return DEVELOPER
    return NO_SYSTEM


def _adaptation_of_template(refusal: Refusal, body: Mapping[str, Any]) -> str:
    """Return the same where a template failed: llama.cpp answers 500 then."""
    return _adaptation_of_roles(refusal, body) if refusal.status == 500 else ""


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the body as JSON. Raises ValueError for a lone surrogate, as the SDK does."""
    try:
        return orjson.dumps(body)
    except TypeError:  # more than 64 bits, or nested deep, which is no fault: the SDK sends it
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
