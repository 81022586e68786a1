"""The parts of the document that stand under a path: parameters, bodies, answers, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from app.chats.request import SESSION_ID_PATTERN
from app.dialects.native_shapes import Problem
from app.transports.openapi.operations import Answer, Content, Operation

_IN_RULE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
ID = {"type": "string", "minLength": 1}
SESSION_ID = {"type": "string", "pattern": SESSION_ID_PATTERN}
PATH_SCHEMAS: Mapping[str, Json] = {"session_id": SESSION_ID, "chat_id": SESSION_ID}
ALWAYS = (403, 405, 500)
BEHIND_THE_DOOR = (400, 429)
WITH_A_BODY = (413, 415)
# What the guards and Flask's map answer: before anybody knows which dialect is spoken.
BEFORE_A_DIALECT = frozenset({403, 405})
ERRORS = {
    400: "The request is not valid; the body says what to mend.",
    401: "No token, or one that is wrong or expired.",
    403: "A page of a foreign origin, or a `Host` that is not the server's.",
    404: "Absent, or somebody else's.",
    405: "The path exists, the method does not.",
    409: "A reply is under way in the session, or the key was used with another body.",
    410: "The entries after the cursor have become one: read from the start.",
    413: "The body or a text is too large.",
    415: "A form; send JSON.",
    429: "Too many requests.",
    500: "A bug of ours.",
    502: "The model's server failed.",
    503: "The store does not answer, or there are too many replies, or the server is stopping.",
    504: "The model took too long.",
}
ERROR_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
SECONDS = "Seconds."
HEADERS = {
    "X-Request-Id": "Joins the answer and its line in the log.",
    "X-Run-Id": "The run.",
    "X-Session-Id": "Its session.",
    "Retry-After": SECONDS,
    "WWW-Authenticate": "`Bearer`.",
    "Allow": "The methods that the path has.",
    "Content-Security-Policy": "What the page may load: nothing from elsewhere.",
}


class Place(NamedTuple):
    """Where an operation is: its endpoint and rule in Flask's map; open means without a token."""

    endpoint: str
    rule: str
    method: str
    is_open: bool

    @property
    def tag(self) -> str:
        """The dialect or blueprint."""
        return re.split(r"[ .]", self.endpoint)[0]


class Describer:
    """Puts operations into OpenAPI's words."""

    def __init__(self, schemas: Schemas, has_tokens: bool) -> None:
        self._schemas = schemas
        self._has_tokens = has_tokens

    def operation(self, place: Place, operation: Operation) -> Json:
        """Return an operation object."""
        described: Json = {
            "operationId": re.sub(r"\W", "_", place.endpoint),
            "tags": [place.tag],
            "summary": operation.summary,
            "responses": self._responses(place, operation),
        }
        if operation.description:
            described["description"] = operation.description
        parameters = [*_path_parameters(place.rule), *_parameters(operation)]
        if parameters:
            described["parameters"] = parameters
        if operation.body is not None:
            described["requestBody"] = self._body(operation)
        if place.is_open and self._has_tokens:
            described["security"] = []
        return described

    def _body(self, operation: Operation) -> Json:
        content: Json = {"schema": self._schemas.asked(operation.body)}
        if operation.examples:
            numbered = enumerate(operation.examples, start=1)
            content["examples"] = {str(number): {"value": one} for number, one in numbered}
        return {"required": operation.body_needed, "content": {"application/json": content}}

    def _responses(self, place: Place, operation: Operation) -> Json:
        described = {str(one.status): self._answer(one) for one in operation.answers}
        for status in sorted(self._errors(place, operation)):
            described.setdefault(str(status), self._error(status, place, operation))
        return described

    def _errors(self, place: Place, operation: Operation) -> set[int]:
        errors = {*ALWAYS, *operation.errors}
        if not place.is_open:
            errors.update(BEHIND_THE_DOOR)
            if self._has_tokens:
                errors.add(401)
        if operation.body is not None:
            errors.update(WITH_A_BODY)
        return errors

    def _answer(self, answer: Answer) -> Json:
        described: Json = {
            "description": answer.what,
            "headers": {
                **_headers("X-Request-Id", *answer.headers),
                **{name: _header(what, False) for name, what in answer.may_have.items()},
            },
        }
        if answer.content:
            described["content"] = {
                one.media_type: {"schema": self._schemas.content(one)} for one in answer.content
            }
        return described

    def _error(self, status: int, place: Place, operation: Operation) -> Json:
        headers = _headers("X-Request-Id", *filter(None, [ERROR_HEADERS.get(status)]))
        if status == 409:
            headers["X-Run-Id"] = _header("The run that is in the way.", False)
        schema = self._schemas.answered(self._problem(status, place, operation))
        if status == 404 and "<" in place.rule and operation.problem is not Problem:
            # A slash in what stands for a name may make it another path, that nobody has.
            schema = {"anyOf": [schema, self._schemas.answered(Problem)]}
        return {
            "description": ERRORS[status],
            "headers": headers,
            "content": {"application/json": {"schema": schema}},
        }

    def _problem(self, status: int, place: Place, operation: Operation) -> Any:
        return Problem if status in BEFORE_A_DIALECT else operation.problem


def path_of(rule: str) -> str:
    """Return a rule of Flask's as a path template."""
    return _IN_RULE.sub(r"{\1}", rule)


def _path_parameters(rule: str) -> Iterator[Json]:
    for name in _IN_RULE.findall(rule):
        schema = PATH_SCHEMAS.get(name, ID)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(operation: Operation) -> Iterator[Json]:
    for one in operation.parameters:
        yield {
            "name": one.name,
            "in": one.place,
            "required": False,
            "description": one.what,
            "schema": one.schema,
        }


def header_components() -> Json:
    """Return the headers that answers refer to; where one is named it is always there."""
    return {name: _header(what, True) for name, what in HEADERS.items()}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(what: str, is_always_there: bool) -> Json:
    is_number = what == SECONDS
    schema = {"type": "integer", "minimum": 0} if is_number else {"type": "string"}
    return {"description": what, "required": is_always_there, "schema": schema}


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
