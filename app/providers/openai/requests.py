"""What a server for chat completions is asked: the body, and what of it is left out or put
otherwise where a server has refused it before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.core.messages import ProviderMessage, taking_turns
from app.core.runs import ProviderRequest
from app.providers.wire.adapting import (
    DEVELOPER,
    NO_STREAM_OPTIONS,
    NO_SYSTEM,
    NO_TEMPERATURE,
    OTHER_LIMIT,
    WHOLE,
)
from app.providers.wire.refusals import Refusal
from app.providers.wire.thoughts import without_thoughts

LIMITS = ("max_tokens", "max_completion_tokens")
OTHER = dict(zip(LIMITS, reversed(LIMITS), strict=True))
_REFUSED = re.compile(
    r"unsupported|not support|n't support|unrecognized|unknown|unexpected|not permitted|forbidden"
    r"|not allowed|invalid|extra (?:inputs|fields)|not available|must be verified|only the default"
    r"|not permitted|no longer|instead|does not exist|additional propert|not found in|not enabled",
    re.I,
)
_STREAMING = re.compile(r"\bstream(?:ing|ed)?\b(?!_)", re.I)
_ROLE = re.compile(
    r"system (?:role|message|prompt|instruction)|role.{0,20}system|developer (?:instruction|message"
    r"|role)|'system'|\"system\"|'developer'",
    re.I,
)


def body_of(
    request: ProviderRequest,
    stream: bool,
    adapted: frozenset[str],
    limit_field: str,
    splits_thoughts: bool,
) -> dict[str, Any]:
    """Return the body of a request."""
    messages = _messages(request.messages, adapted, splits_thoughts)
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
    messages: Sequence[ProviderMessage], adapted: frozenset[str], splits_thoughts: bool
) -> list[dict[str, Any]]:
    system = "developer" if DEVELOPER in adapted else "system"
    said: list[dict[str, Any]] = []
    prompt = ""
    for message in taking_turns(messages):
        role, text = message.role, message.text
        if role == "system":
            if NO_SYSTEM in adapted:
                prompt = f"{prompt}\n\n{text}" if prompt else text
                continue
            role = system
        elif role == "assistant" and splits_thoughts:
            text = without_thoughts(text)
        said.append({"role": role, "content": text})
    if prompt:
        first = next((one for one in said if one["role"] == "user"), None)
        if first is None:
            said.insert(0, {"role": "user", "content": prompt})
        else:
            first["content"] = f"{prompt}\n\n{first['content']}"
    return said


def adaptation_to(refusal: Refusal, body: Mapping[str, Any], limit_field: str) -> str:
    """Return what is to be asked otherwise after this refusal of that body; "" if it was not for
    anything that could be."""
    if refusal.status not in {400, 404, 405, 415, 422, 501}:
        return ""
    param, text = refusal.param, refusal.message
    refused = bool(_REFUSED.search(text))

    def names(field: str) -> bool:
        return field in body and (param.partition(".")[0] == field or (refused and field in text))

    if names("stream_options"):
        return NO_STREAM_OPTIONS
    if body.get("stream") and (param == "stream" or (refused and _STREAMING.search(text))):
        return WHOLE
    if any(names(field) for field in LIMITS) and _is_of_name(refusal):
        return OTHER_LIMIT
    if names("temperature"):
        return NO_TEMPERATURE
    return _adaptation_of_roles(refusal, body, refused)


def _is_of_name(refusal: Refusal) -> bool:
    """Whether the limit's name was refused, and not its value."""
    other = sum(name in refusal.message for name in LIMITS) == 2
    unknown = {"unsupportedparameter", "unknownparameter", "extraforbidden"} & refusal.words
    return other or bool(unknown) or not re.search(r"\d", refusal.message)


def _adaptation_of_roles(refusal: Refusal, body: Mapping[str, Any], refused: bool) -> str:
    roles = {message["role"] for message in body["messages"]}
    if not roles & {"system", "developer"}:
        return ""
    of_role = refusal.param.startswith("messages") and refusal.param.endswith("role")
    if not (of_role or (refused and _ROLE.search(refusal.message))):
        return ""
    wants_newer = "developer" in refusal.message.lower() and "instead" in refusal.message.lower()
    if "system" in roles and (wants_newer or (of_role and "messages[" in refusal.param)):
        return DEVELOPER
    return NO_SYSTEM


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the body as JSON. Raises ValueError for a lone surrogate, as the SDK does."""
    try:
        return orjson.dumps(body)
    except TypeError:  # more than 64 bits, or nested deep, which is no fault: the SDK sends it
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
