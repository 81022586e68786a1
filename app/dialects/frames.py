"""What all dialects make frames and bodies of: JSON on one line, requests checked by model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.chats.request import SESSION_ID_PATTERN
from app.core.errors import InvalidRequest


def event_frame(payload: Any) -> bytes:
    """Return an SSE event of one line of JSON."""
    return b"data: %s\n\n" % json_line(payload)


class Body(BaseModel):
    """Base of the request models: strict types, extra fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


# What check_request refuses besides, told to who reads the description.
Id = Annotated[str, Field(json_schema_extra={"pattern": SESSION_ID_PATTERN})]
Said = Annotated[str, Field(json_schema_extra={"pattern": r"\S"})]
OnDisconnect = Literal["continue", "stop"]  # what a run does when its last viewer has left
SomeBody = TypeVar("SomeBody", bound=Body)


def validated(model: type[SomeBody], body: Mapping[str, Any]) -> SomeBody:
    """Return the body as a model. Raises InvalidRequest with every field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(
            {
                ".".join(str(part) for part in wrong["loc"]) or "body": _reason(wrong)
                for wrong in error.errors(
                    include_url=False, include_context=False, include_input=False
                )
            }
        ) from None


def _reason(wrong: Mapping[str, Any]) -> str:
    message = str(wrong["msg"])
    return message[:1].lower() + message[1:]


_LINE_ENDS = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
    (b"\xc2\x85", b"\\u0085"),
)


def json_line(value: Any) -> bytes:
    """Return JSON in UTF-8 on one line, also for readers that take U+2028, U+2029 or U+0085 for an
    end."""
    line = orjson.dumps(value)
    if not line.isascii():
        for raw, escaped in _LINE_ENDS:
            if raw in line:
                line = line.replace(raw, escaped)
    return line


def timestamp(at: float) -> str:
    """Return ISO 8601 in UTC with milliseconds and Z."""
    moment = datetime.fromtimestamp(at, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
