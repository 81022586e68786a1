"""What a client answers to a run that waits, on both transports: results of calls, approvals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from app.core.entries import APPROVAL_ANSWER, TOOL_RESULT, storable
from app.core.errors import InvalidRequest
from app.core.tools import Pending, Reply, bounded
from app.dialects.frames import Body

MAX_REASON = 2000  # characters
MAX_ERROR_BYTES = 10_000
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


class ResultBody(Body):
    """The result of one call: an output, or an error."""

    call_id: str
    output: Any = None
    error: Annotated[str, Field(min_length=1)] | None = None

    def reply(self, index: int, max_bytes: int) -> Reply:
        """Return the reply. Raises InvalidRequest unless there is one of the two."""
        if ("output" in self.model_fields_set) == (self.error is not None):
            raise InvalidRequest({f"results.{index}": "needs `output` or `error`"})
        if self.error is not None:
            return Reply(self.call_id, TOOL_RESULT, {"error": bounded(self.error, MAX_ERROR_BYTES)})
        return Reply(self.call_id, TOOL_RESULT, {"output": bounded(self.output, max_bytes)})


class ResultsBody(Body):
    """The body of `POST /api/runs/<run_id>/results`, and with `run_id` of `chat_result`."""

    results: Annotated[list[ResultBody], Field(min_length=1, max_length=128)]

    def replies(self, max_bytes: int) -> list[Reply]:
        """Return them; outputs are cut to so many bytes. Raises InvalidRequest."""
        return [one.reply(index, max_bytes) for index, one in enumerate(self.results)]


class ApprovalBody(Body):
    """The body of `POST /api/runs/<run_id>/approvals/<approval_id>`, and of `chat_approve`.

    `answer` is for a question that has a schema.
    """

    approved: bool
    reason: Annotated[str, Field(max_length=MAX_REASON)] | None = None
    answer: Any = None

    def reply(self, approval_id: str, by: str) -> Reply:
        """Return the reply, of that person."""
        data: dict[str, Any] = {"approved": self.approved, "by": by}
        if self.reason:
            data["reason"] = storable(self.reason)
        if self.answer is not None:
            data["answer"] = storable(self.answer)
        return Reply(approval_id, APPROVAL_ANSWER, data)


def check_answers(replies: Iterable[Reply], pending: Iterable[Pending]) -> None:
    """Raise InvalidRequest where an answer does not fit the schema of its question. No patterns:
    they are whoever's wrote the tool."""
    questions = [one for one in pending if one["kind"] == "question" and one.get("schema")]
    for reply in replies:
        for question in questions:
            if reply.is_for(question) and reply.data["approved"]:
                wrong = dict(_wrong("answer", reply.data.get("answer"), question["schema"]))
                if wrong:
                    raise InvalidRequest(wrong)


def _wrong(where: str, value: Any, schema: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a value, and where."""
    if not isinstance(schema, Mapping):
        return
    kind = str(schema.get("type"))
    is_mistaken = isinstance(value, bool) and kind != "boolean"  # Python's are integers
    if kind in _TYPES and (is_mistaken or not isinstance(value, _TYPES[kind])):
        yield where, f"must be of type {kind}"
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        yield where, f"must be one of {', '.join(map(str, choices))}"
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _wrong(f"{where}.{index}", one, schema.get("items"))
    elif isinstance(value, dict):
        yield from _wrong_fields(where, value, schema)


def _wrong_fields(
    where: str, value: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    fields, required = schema.get("properties"), schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield f"{where}.{name}", "is missing"
    if not isinstance(fields, Mapping):
        return
    for name, one in value.items():
        if name in fields:
            yield from _wrong(f"{where}.{name}", one, fields[name])
        else:
            yield f"{where}.{name}", "is not asked for"
