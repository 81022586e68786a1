"""What a request for a response says: its items, as messages; and what is stored, as items."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import Field

from app.core.attachments import FILE
from app.core.entries import storable
from app.core.errors import InvalidRequest
from app.core.messages import REPLY_OF, Content, Message, Part, ProviderMessage
from app.core.messages import text_of as message_text
from app.core.messages import text_parts
from app.core.tools import CLIENT, result_text
from app.dialects.attached import (
    DETAILS,
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
from app.dialects.calls import client_call, result_part, text_of
from app.dialects.client_held import unsupported
from app.dialects.frames import Body
from app.dialects.responses.shapes import CallItem, Item

ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
REFERENCE = re.compile(r"(?:msg|rs|fc)_([0-9a-f]{32})_[0-9]{1,6}\Z")
# Where a part that is a text has it.
TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
MAX_SEALED = 1_000_000


def conversation(
    said: str | Sequence[Mapping[str, Any]], has_more: bool
) -> tuple[ProviderMessage, ...]:
    """Return the messages that the items are; `has_more` says that there are others before them,
    which calls may be in. Raises InvalidRequest, UnsupportedParameter."""
    if isinstance(said, str):
        return (ProviderMessage("user", text_parts(said)),)
    messages: list[ProviderMessage] = []
    names: dict[str, str] = {}
    has_more = has_more or any(item.get("type") == "item_reference" for item in said)
    for index, item in enumerate(said):
        field = f"input.{index}"
        role, parts = _read(item, field, names, has_more)
        if role == "assistant" and messages and messages[-1].role == role:
            before = messages[-1].content
            more = tuple(part for part in parts if part not in before)  # several items of a reply
            messages[-1] = ProviderMessage(role, before + more)
        elif parts:
            messages.append(ProviderMessage(role, parts))
    return tuple(messages)


def _read(
    item: Mapping[str, Any], field: str, names: dict[str, str], has_more: bool
) -> tuple[str, tuple[Part, ...]]:
    kind = item.get("type", "message")
    if kind == "message":
        role = ROLES.get(str(item.get("role")))
        if role is None:
            raise InvalidRequest({f"{field}.role": f"must be one of {', '.join(ROLES)}"})
        return role, _content(item.get("content"), f"{field}.content", role)
    if kind == "function_call":
        call = client_call(item, field, "call_id", "arguments")
        names[call["call_id"]] = call["name"]
        return "assistant", (call,)
    if kind == "function_call_output":
        return "tool", (_result(item, field, names, has_more),)
    if kind == "item_reference":
        found = REFERENCE.match(str(item.get("id")))
        if found is None:
            raise InvalidRequest({f"{field}.id": "is not the id of an item of a response"})
        return "assistant", ({"type": REPLY_OF, "run_id": found[1]},)
    if kind == "reasoning":
        return "assistant", _thoughts(item, field)
    raise unsupported(f"{field}.type", f"there are no items of type {str(kind)[:64]} here")


def _content(content: Any, field: str, role: str) -> Content:
    """Return what a message, or a result, says."""
    if isinstance(content, str):
        return text_parts(content)
    if not isinstance(content, list):
        raise InvalidRequest({field: "must be a text, or a list of parts"})
    return content_of([_part(part, f"{field}.{index}", role) for index, part in enumerate(content)])


def _part(part: Any, field: str, role: str) -> Part:
    kind = str(part.get("type")) if isinstance(part, dict) else ""
    if kind in TEXTS:
        return text_part(part, field, TEXTS[kind])
    if kind == "input_audio":
        raise unsupported(field, NO_SOUND)
    reads = ATTACHED.get(kind)
    if reads is None:
        raise unsupported(field, NO_PLACE)
    if role != "user":
        raise no_place(role, field)
    if part.get("file_id"):
        raise unsupported(f"{field}.file_id", NO_ID)
    return reads(part, field)


def _image(part: Mapping[str, Any], field: str) -> Part:
    detail = detailed(part.get("detail"), f"{field}.detail")
    return by_url(part.get("image_url"), f"{field}.image_url", **detail)


def _file(part: Mapping[str, Any], field: str) -> Part:
    name = named(part.get("filename"), f"{field}.filename")
    if part.get("file_url"):
        return by_url(part["file_url"], f"{field}.file_url", FILE, **name)
    return by_file_data(part.get("file_data"), f"{field}.file_data", **name)


ATTACHED: dict[str, Callable[[Mapping[str, Any], str], Part]] = {
    "input_image": _image,
    "input_file": _file,
}


def _result(item: Mapping[str, Any], field: str, names: Mapping[str, str], has_more: bool) -> Part:
    call_id = text_of(item.get("call_id"), f"{field}.call_id")
    if call_id not in names and not has_more:
        raise InvalidRequest({f"{field}.call_id": "must be the id of a call in an item before it"})
    output = message_text(_content(item.get("output"), f"{field}.output", "tool"))
    return result_part(call_id, names.get(call_id, ""), output)


# --- What only the vendor reads which it came from ------------------------------------------------


def sealed(data: Mapping[str, Any]) -> str:
    """Return what a client is to hold of it, and to send back as it is."""
    return base64.b64encode(orjson.dumps(data)).decode()


class OwnFields(Body):
    """Fields of a message that vendors want back."""

    reasoning_content: str | None = None
    reasoning_details: list[Any] | None = None


class Held(Body):
    """All that is taken back: the client may have written it itself."""

    vendor: str
    call_id: str | None = None
    block: dict[str, Any] | None = None
    extra_content: dict[str, Any] | None = None
    fields: OwnFields | None = None
    of: Annotated[int, Field(ge=0)] | None = None


def _thoughts(item: Mapping[str, Any], field: str) -> tuple[Part, ...]:
    """Return what a vendor wants back; thoughts themselves are nobody's input."""
    held = item.get("encrypted_content")
    if not held:
        return ()
    try:
        data = Held.model_validate_json(base64.b64decode(str(held)[:MAX_SEALED], validate=True))
    except ValueError:  # of either
        raise InvalidRequest(
            {f"{field}.encrypted_content": "is not what was sent from here"}
        ) from None
    return ({"type": "opaque", **storable(data.model_dump(exclude_none=True))},)


# --- What is stored, as items ---------------------------------------------------------------------


def items_of(messages: Iterable[Message]) -> list[Item]:
    """Return what messages are as items, in their order."""
    return [item for message in messages for item in _items_of(message)]


def _items_of(message: Message) -> Iterator[Item]:
    said: list[Any] = []
    for index, part in enumerate(message.content):
        name = f"{message.id}_{index}"
        if part["type"] in SAID:
            shown = SAID[part["type"]](part, message.role)
            said += [shown] if shown is not None else []
        elif part["type"] == "tool_call" and part["source"] == CLIENT:
            yield call_item(part, f"fc_{name}")
        elif part["type"] == "tool_result":
            yield {
                "id": f"fco_{name}",
                "type": "function_call_output",
                "status": "completed",
                "call_id": part["call_id"],
                "output": result_text(part),
            }
    if said:
        yield {
            "id": f"msg_{message.id}",
            "type": "message",
            "status": "in_progress" if message.status == "running" else "completed",
            "role": message.role,  # type: ignore[typeddict-item]  # those of a tool have no texts
            "content": said,
        }


def _said(part: Part, role: str) -> dict[str, Any]:
    if role == "assistant":
        return {"type": "output_text", "text": part["text"], "annotations": []}
    return {"type": "input_text", "text": part["text"]}


def _shown_image(part: Part, role: str) -> dict[str, Any] | None:
    if role == "assistant":
        return None  # it has no place for one
    url = part["url"] if "url" in part else url_of(part)
    return {"type": "input_image", "image_url": url, "detail": part.get("detail", DETAILS[0])}


def _shown_file(part: Part, role: str) -> dict[str, Any] | None:
    if role == "assistant":
        return None
    return {"type": "input_file", "filename": part["name"], "file_url": url_of(part)}


SAID: dict[str, Callable[[Part, str], dict[str, Any] | None]] = {
    "text": _said,
    "image": _shown_image,
    "file": _shown_file,
    "refusal": lambda part, role: {"type": "refusal", "refusal": part["text"]},
}


def call_item(call: Mapping[str, Any], item_id: str) -> CallItem:
    """Return the item that a call is which is whole."""
    invalid = call.get("invalid")
    arguments = invalid if invalid is not None else orjson.dumps(call.get("input", {})).decode()
    return {
        "id": item_id,
        "type": "function_call",
        "status": "completed",
        "call_id": call["call_id"],
        "name": call["name"],
        "arguments": arguments,
    }
