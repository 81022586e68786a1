"""What every dialect is made of, and the two rules all share: JSON on one line, requests checked by
model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from app.chats.chat_request import ChatRequest
from app.runs.errors import ChatError, InvalidRequest
from app.runs.records import RunRecord
from app.runs.run_log import Entry, RunLog

SSE_CONTENT_TYPE = "text/event-stream; charset=utf-8"
PING = b": ping\n\n"
OPEN = b": open\n\n"  # eventlet sends the headers with the first byte: this is it


@dataclass(frozen=True, slots=True)
class Spoken:
    """A parsed request, and what its dialect wants to remember of it for the answer."""

    request: ChatRequest
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The run an encoder encodes, and whom it is for."""

    record: RunRecord
    log: RunLog
    user: str


class Encoder(Protocol):
    """Turns the entries of one run, in order, into bytes for one viewer; stateful."""

    opening: bytes
    heartbeat: bytes

    def encode(self, entries: Sequence[Entry]) -> bytes:
        """Return the frames of these entries, in one piece."""

    def close(self) -> None:
        """All entries were encoded. Raises ReplyCut where the framing cannot say that the reply is
        cut."""


class Dialect(Protocol):
    """One way to speak; a row in the table (table.py)."""

    name: str
    content_type: str

    def parse(self, body: Mapping[str, Any]) -> Spoken:
        """Return the request. Raises InvalidRequest naming the fields."""

    def encoder(self, reply: Reply, after: int, options: Mapping[str, Any]) -> Encoder:
        """Return an encoder for the entries beyond `after`."""

    def whole(self, reply: Reply) -> dict[str, Any]:
        """Return the answer that is not streamed, of a run that has ended."""

    def error(self, error: ChatError) -> dict[str, Any]:
        """Return the body of an answer that is an error."""


class ReplyCut(Exception):
    """The reply did not complete and the framing can say so only by breaking off."""


class Body(BaseModel):
    """Base of the request models: strict types, extra fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


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
