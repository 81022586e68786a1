"""JSON schemas of what is asked and answered, by pydantic; a shape with a name is a component."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from app.transports.openapi.operations import Content

Mode = Literal["validation", "serialization"]
Json = dict[str, Any]
TEMPLATE = "#/components/schemas/{model}"


class Schemas:
    """The schemas of the shapes that it is made with; each is wanted as asked or as answered."""

    def __init__(self, asked: Iterable[Any], answered: Iterable[Any]) -> None:
        wanted: dict[tuple[Any, Mode], None] = {
            **{(shape, "validation"): None for shape in asked},
            **{(shape, "serialization"): None for shape in answered},
        }
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
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": payload}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "id": {"type": "string", "description": "The event's cursor, where it has one."},
            "event": {"type": "string", "description": "Its name, where it has one."},
            "data": data if last is None else {"anyOf": [{"const": last}, data]},
        },
    }
