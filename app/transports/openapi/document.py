"""`GET /openapi.json`: the description of every route (OpenAPI 3.1), made once, at the start.

Paths and methods are Flask's, what they answer stands beside the views (operations.py), and the
schemas are those of the models that check requests and of the types that answers have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from flask import Flask, current_app

from app import __version__
from app.chats.request import SESSION_ID_PATTERN
from app.dialects.native_shapes import Problem
from app.dialects.routes import DIALECTS
from app.transports.http.hooks import OPEN_ENDPOINTS, dialect_name_of
from app.transports.openapi.operations import (
    Answer,
    Content,
    Operation,
    Routes,
    about,
    operation,
)
from app.transports.openapi.schemas import Json, Schemas

KEY = "tandem.openapi"
ABOUT = (
    "A chat server that streams every model reply over Server-Sent Events and Socket.IO from one "
    "stored log. In an event stream the schema is that of one event, without the comments "
    "`: open` and `: ping`; of lines it is an array of them."
)
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token with `exp` and `sub`; `X-Api-Key` and `Api-Key` take it too.",
}
NOT_DESCRIBED = frozenset({"HEAD", "OPTIONS"})  # every path has them
ALWAYS = (403, 405, 500)
AFTER_AUTHENTICATION = (400, 429)
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
HEADERS = {
    "X-Request-Id": "Joins the answer and its line in the log.",
    "X-Run-Id": "The run.",
    "X-Session-Id": "Its session.",
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "`Bearer`.",
    "Allow": "The methods that the path has.",
    "Content-Security-Policy": "What the page may load: nothing from elsewhere.",
}
# Those that an answer has where a rate is counted, and where a page of another origin asks.
OF_A_RATE = {
    "RateLimit-Policy": 'How many in how many seconds: `"stream";q=30;w=60`.',
    "RateLimit": 'How many are left, and seconds until there is one more: `"stream";r=29;t=60`.',
    "X-RateLimit-Limit": "How many.",
    "X-RateLimit-Remaining": "How many are left.",
    "X-RateLimit-Reset": "When there is one more, in seconds since 1970.",
}
OF_A_PAGE = {
    "Access-Control-Allow-Origin": "The origin of the page that asks, if it is allowed.",
    "Access-Control-Expose-Headers": "What that page may read of these headers.",
}
NUMBERS = frozenset(name for name in OF_A_RATE if name.startswith("X-")) | {"Retry-After"}
# Other errors have them too, and the two are of every answer to another origin: in each place all
# that would make the document twice as long.
TOO_MANY = 429
_IN_RULE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
ID = {"type": "string", "minLength": 1}
SESSION_ID = {"type": "string", "pattern": SESSION_ID_PATTERN}
PATH_SCHEMAS = {"session_id": SESSION_ID, "chat_id": SESSION_ID}

routes = Routes("openapi", __name__, "This description.")


@routes.get("/openapi.json")
@operation("This description", Answer("An OpenAPI 3.1 document."), errors=())
def document() -> dict[str, Any]:
    made: dict[str, Any] = current_app.extensions[KEY]
    return made


def register(app: Flask, auth: str) -> None:
    """Make the document of all the routes that the app has now. Raises as `describe` does."""
    app.extensions[KEY] = describe(app, auth)


class Place(NamedTuple):
    """Where an operation is: its endpoint and rule in Flask's map."""

    endpoint: str
    rule: str
    method: str
    operation: Operation

    @property
    def tag(self) -> str:
        """The dialect or blueprint."""
        return dialect_name_of(self.endpoint)

    @property
    def problem(self) -> Any:
        """The type of its errors."""
        return DIALECTS[self.tag].problem if self.tag in DIALECTS else Problem

    @property
    def is_open(self) -> bool:
        """Whether it is reached without a token and without limits."""
        return self.endpoint in OPEN_ENDPOINTS


def describe(app: Flask, auth: str) -> Json:
    """Return the document. Raises LookupError for a view without `operation`."""
    places = list(_places(app))
    schemas = _schemas(places)
    paths: dict[str, Json] = {}
    errors: dict[str, Json] = {}
    for place in places:
        described = _operation(place, schemas, errors, auth != "off")
        paths.setdefault(_IN_RULE.sub(r"{\1}", place.rule), {})[place.method.lower()] = described
    components = {
        "schemas": schemas.components,
        "responses": errors,
        "headers": {
            **{name: _header(name, what, True) for name, what in HEADERS.items()},
            **{name: _header(name, what, False) for name, what in (OF_A_RATE | OF_A_PAGE).items()},
        },
    }
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Tandem", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": _tags(app),
        "paths": paths,
        "components": components,
    }
    if auth != "off":
        components["securitySchemes"] = {"bearer": BEARER}
        document["security"] = [{"bearer": []}, *([{}] if auth == "optional" else [])]
    return document


def _places(app: Flask) -> Iterator[Place]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            for method in sorted((rule.methods or set()) - NOT_DESCRIBED):
                found = getattr(app.view_functions[rule.endpoint], "operation", None)
                if found is None:
                    raise LookupError(f"{method} {rule.rule} is not described")
                yield Place(rule.endpoint, rule.rule, method, found)


def _tags(app: Flask) -> list[Json]:
    """Return the groups of operations: dialects first, then the blueprints that belong to none."""
    tags = {name: about(dialect) for name, dialect in DIALECTS.items()}
    groups = [group for group in app.iter_blueprints() if isinstance(group, Routes)]
    tags |= {group.name: group.about for group in groups}
    return [{"name": name, "description": what} for name, what in tags.items()]


def _schemas(places: Sequence[Place]) -> Schemas:
    answers = [answer for place in places for answer in place.operation.answers]
    shapes = [content.shape for answer in answers for content in answer.content or ()]
    problems = [place.problem for place in places]
    bodies = [place.operation.body for place in places if place.operation.body is not None]
    return Schemas(bodies, [*shapes, *problems, Problem])


def _operation(place: Place, schemas: Schemas, errors: Json, has_tokens: bool) -> Json:
    """Return the operation. What it may fail with is put among `errors`, and referred to."""
    told = place.operation
    responses = {answer.status: _answer(answer, schemas) for answer in told.answers}
    if not place.is_open:
        for response in responses.values():
            response["headers"] |= _headers(*OF_A_RATE)
    for status in sorted(_errors(place, has_tokens) - responses.keys()):
        name = _name_of_error(status, place)
        errors.setdefault(name, _error(status, place, schemas))
        responses[status] = {"$ref": f"#/components/responses/{name}"}
    described: Json = {
        "operationId": re.sub(r"\W", "_", place.endpoint),
        "tags": [place.tag],
        "summary": told.summary,
        "responses": {str(status): response for status, response in responses.items()},
    }
    if told.description:
        described["description"] = told.description
    if parameters := [*_parameters(place)]:
        described["parameters"] = parameters
    if told.body is not None:
        described["requestBody"] = _body(told, schemas)
    if told.takes:
        bodies = {one.media_type: _raw(one) for one in told.takes}
        described["requestBody"] = {"required": True, "content": bodies}
    if place.is_open and has_tokens:
        described["security"] = []
    return described


def _parameters(place: Place) -> Iterator[Json]:
    for name in _IN_RULE.findall(place.rule):
        yield {"name": name, "in": "path", "required": True, "schema": PATH_SCHEMAS.get(name, ID)}
    for parameter in place.operation.parameters:
        told = {"required": False, "description": parameter.what, "schema": parameter.schema}
        yield {"name": parameter.name, "in": parameter.place, **told}


def _body(asked: Operation, schemas: Schemas) -> Json:
    content: Json = {"schema": schemas.asked(asked.body)}
    if asked.examples:
        numbered = enumerate(asked.examples, start=1)
        content["examples"] = {str(number): {"value": example} for number, example in numbered}
    return {"required": asked.needs_body, "content": {"application/json": content}}


def _raw(taken: Content) -> Json:
    """Return the schema of a body that is no JSON: its own, or bytes, which need none."""
    return {"schema": taken.shape} if isinstance(taken.shape, dict) else {}


def _answer(answer: Answer, schemas: Schemas) -> Json:
    described: Json = {
        "description": answer.what,
        "headers": {
            **_headers("X-Request-Id", *answer.headers),
            **{name: _header(name, what, False) for name, what in answer.may_have.items()},
        },
    }
    if answer.content:
        described["content"] = {
            body.media_type: {"schema": schemas.content(body)} for body in answer.content
        }
    return described


def _errors(place: Place, has_tokens: bool) -> set[int]:
    errors = {*ALWAYS, *place.operation.errors}
    if "<" in place.rule:
        errors.add(404)
    if not place.is_open:
        errors.update((*AFTER_AUTHENTICATION, 401) if has_tokens else AFTER_AUTHENTICATION)
    if place.operation.body is not None or place.operation.takes:
        errors.update(WITH_A_BODY)
    return errors


def _name_of_error(status: int, place: Place) -> str:
    """Return a name that all errors have that are described alike."""
    of_dialect = "" if _problem(status, place) is Problem else f"-{place.tag}"
    return f"{status}{of_dialect}{'-of-a-path' if _may_be_another_path(status, place) else ''}"


def _problem(status: int, place: Place) -> Any:
    return Problem if status in BEFORE_A_DIALECT else place.problem


def _may_be_another_path(status: int, place: Place) -> bool:
    """Whether a slash in what stands for a name may make it another path, that nobody has."""
    return status == 404 and "<" in place.rule and place.problem is not Problem


def _error(status: int, place: Place, schemas: Schemas) -> Json:
    headers = _headers("X-Request-Id", *filter(None, [ERROR_HEADERS.get(status)]))
    if status == 409:
        headers["X-Run-Id"] = _header("X-Run-Id", "The run that is in the way.", False)
    if status == TOO_MANY:
        headers |= _headers(*OF_A_RATE)
    schema = schemas.answered(_problem(status, place))
    if _may_be_another_path(status, place):
        schema = {"anyOf": [schema, schemas.answered(Problem)]}
    content = {"application/json": {"schema": schema}}
    return {"description": ERRORS[status], "headers": headers, "content": content}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(name: str, what: str, is_always_there: bool) -> Json:
    schema = {"type": "integer", "minimum": 0} if name in NUMBERS else {"type": "string"}
    return {"description": what, "required": is_always_there, "schema": schema}
