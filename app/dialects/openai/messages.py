"""What a request for a chat completion says: its messages, with calls and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from app.core.entries import FILE, LOGPROBS, storable
from app.core.errors import InvalidRequest
from app.core.messages import Content, Part, ProviderMessage
from app.core.messages import text_of as message_text
from app.core.messages import text_parts
from app.core.tools import CLIENT
from app.core.turns import calls_in
from app.dialects.attached import (
    NO_ID,
    NO_PLACE,
    NO_SOUND,
    by_file_data,
    by_url,
    content_of,
    detailed,
    named,
    no_place,
    text_part,
    url_of,
)
from app.dialects.calls import (
    call_parts,
    result_part,
    said_with_calls,
    text_of,
)
from app.dialects.client_held import unsupported
from app.dialects.dialect import Reply
from app.dialects.openai.shapes import CompletionMessage

# `developer` is OpenAI's newer name for `system`; compatible servers know only the older one.
ROLES = {"developer": "system"}


def calls_of(reply: Reply) -> list[dict[str, Any]]:
    """Return the calls that the client is to run, as a message has them; each with what its vendor
    wants back."""
    content = reply.log.content()
    kept = (part for part in content if part["type"] == "opaque")
    extras = {part.get("call_id"): part.get("extra_content") for part in kept}
    calls = (part for part in calls_in(content) if part["source"] == CLIENT)
    return [_call(part, extras.get(part["call_id"])) for part in calls]


def _call(part: Part, extra: Any) -> dict[str, Any]:
    arguments = part.get("invalid") or orjson.dumps(part.get("input", {})).decode()
    function = {"name": part["name"], "arguments": arguments}
    call = {"id": part["call_id"], "type": "function", "function": function}
    return {**call, "extra_content": extra} if extra else call


def tokens_of(reply: Reply) -> dict[str, Any] | None:
    """Return the tokens' probabilities of a whole reply, None where none were asked for."""
    lists = [entry.data["content"] for entry in reply.log.everything() if entry.kind == LOGPROBS]
    return {"content": [token for tokens in lists for token in tokens]} if lists else None


def images_of(reply: Reply) -> list[dict[str, Any]]:
    """Return the pictures that the model made."""
    return [image_of(entry.data) for entry in reply.log.everything() if entry.kind == FILE]


def image_of(made: Part) -> dict[str, Any]:
    """Return a picture that a model made, as OpenRouter has it; OpenAI has no place for one."""
    return {"type": "image_url", "image_url": {"url": url_of(made)}}


def conversation(messages: Sequence[CompletionMessage]) -> list[ProviderMessage]:
    """Return the messages. Raises InvalidRequest for a result whose call is not among those before
    it."""
    names: dict[str, str] = {}
    said = []
    for index, message in enumerate(messages):
        said.append(_message(message, f"messages.{index}", names))
        names.update({part["call_id"]: part["name"] for part in calls_in(said[-1].content)})
    return said


def _message(message: CompletionMessage, field: str, names: Mapping[str, str]) -> ProviderMessage:
    if message.role == "function":
        raise unsupported(f"{field}.role", "send role `tool`")
    content = _content(message, f"{field}.content")
    text, made = message_text(content), _made(message, f"{field}.images")
    if message.role == "tool":
        call_id = text_of(message.tool_call_id or "", f"{field}.tool_call_id")
        if call_id not in names:
            why = "must be the id of a call in a message before it"
            raise InvalidRequest({f"{field}.tool_call_id": why})
        return ProviderMessage("tool", (result_part(call_id, names[call_id], text),))
    if message.tool_calls:
        if message.role != "assistant":
            raise InvalidRequest({f"{field}.tool_calls": "only an assistant's message has them"})
        calls = call_parts(message.tool_calls, f"{field}.tool_calls")
        return ProviderMessage(
            "assistant", said_with_calls(text, [*made, *calls], _own(message, calls))
        )
    return ProviderMessage(ROLES.get(message.role, message.role), (*content, *made))


def _own(message: CompletionMessage, calls: Sequence[Part]) -> list[Part]:
    """Return what a vendor wants back, and its client brings."""
    own: list[Part] = []
    if message.reasoning_content is not None:
        fields = {"reasoning_content": storable(message.reasoning_content)}
        own.append({"type": "opaque", "vendor": "", "fields": fields})
    for call, part in zip(message.tool_calls or (), calls, strict=True):
        if extra := call.get("extra_content"):
            more = {"call_id": part["call_id"], "extra_content": storable(extra)}
            own.append({"type": "opaque", "vendor": "", **more})
    return own


def _made(message: CompletionMessage, field: str) -> list[Part]:
    """Return the pictures that a model made, which its client brings back."""
    if message.images and message.role != "assistant":
        raise unsupported(field, "only an assistant's message has them")
    return [_part(one, f"{field}.{n}", "user") for n, one in enumerate(message.images or ())]


def _content(message: CompletionMessage, field: str) -> Content:
    """Return what the message says, its calls aside."""
    said = message.content or ""
    if isinstance(said, str):
        return text_parts(said)
    return content_of(
        [_part(part, f"{field}.{index}", message.role) for index, part in enumerate(said)]
    )


def _part(part: Mapping[str, Any], field: str, role: str) -> Part:
    kind = part.get("type")
    if kind == "text":
        return text_part(part, field)
    if kind == "input_audio":
        raise unsupported(field, NO_SOUND)
    reads = ATTACHED.get(str(kind))
    if reads is None:
        raise unsupported(field, NO_PLACE)
    if role != "user":
        raise no_place(role, field)
    said = part.get(str(kind))
    if not isinstance(said, Mapping):
        raise InvalidRequest({f"{field}.{kind}": "must be an object"})
    return reads(said, f"{field}.{kind}")


def _image(said: Mapping[str, Any], field: str) -> Part:
    detail = detailed(said.get("detail"), f"{field}.detail")
    return by_url(said.get("url"), f"{field}.url", **detail)


def _file(said: Mapping[str, Any], field: str) -> Part:
    if said.get("file_id"):
        raise unsupported(f"{field}.file_id", NO_ID)
    name = named(said.get("filename"), f"{field}.filename")
    return by_file_data(said.get("file_data"), f"{field}.file_data", **name)


ATTACHED: dict[str, Callable[[Mapping[str, Any], str], Part]] = {
    "image_url": _image,
    "file": _file,
}
