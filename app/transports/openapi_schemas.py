"""The schemas of the document: what pydantic makes of the models and types that operations name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from app.dialects.native_shapes import Problem
from app.transports.operations import Content, Operation

Mode = Literal["validation", "serialization"]
Json = dict[str, Any]
TEMPLATE = "#/components/schemas/{model}"


class Schemas:
    """Schemas by shape; those that have a name are components."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted = dict.fromkeys(key for one in operations for key in _shapes(one))
        made, definitions = TypeAdapter.json_schemas(
            [(shape, mode, TypeAdapter(shape)) for shape, mode in wanted],
            ref_template=TEMPLATE,
            schema_generator=_WithoutTitles,
        )
        self._made: Any = made
        self.components: Json = definitions.get("$defs", {})

    def asked(self, shape: Any) -> Json:
        """Return the schema of a request's body."""
        schema: Json = self._made[shape, "validation"]
        return schema

    def answered(self, shape: Any) -> Json:
        """Return the schema of an answer."""
        schema: Json = self._made[shape, "serialization"]
        return schema

    def content(self, content: Content) -> Json:
        """Return the schema of an answer's body."""
        schema = self.answered(content.shape)
        if content.framing == "lines":
            return {"type": "array", "items": schema}
        return schema if content.framing == "whole" else _event(schema, content.last)


class _WithoutTitles(GenerateJsonSchema):
    """Titles of fields say what their names say."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _event(payload: Json, last: str | None) -> Json:
    """Return the schema of one event (WHATWG HTML, server-sent events)."""
    data: Json = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": payload,
    }
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "id": {"type": "string", "description": "The event's cursor, where it has one."},
            "event": {"type": "string", "description": "Its name, where it has one."},
            "data": data if last is None else {"anyOf": [{"const": last}, data]},
        },
    }


def _shapes(operation: Operation) -> Iterator[tuple[Any, Mode]]:
    if operation.body is not None:
        yield operation.body, "validation"
    for answer in operation.answers:
        for content in answer.content:
            yield content.shape, "serialization"
    yield operation.problem, "serialization"
    yield Problem, "serialization"
