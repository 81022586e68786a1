"""What a route is asked and what it answers: said once, beside its view (`operation`).

A view's own types say most of it. Its parameter `body` is the request's body, which is read and
checked before the view is called, and may be missing where it has a default; what it returns is
what is answered. The rows of the routes that start runs are made from the table of dialects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from flask import Blueprint, Response, request

from app.core.errors import InvalidRequest
from app.dialects.dialect import SSE_CONTENT_TYPE, Dialect
from app.dialects.frames import validated
from app.dialects.routes import Route
from app.transports.guards.body import drop_chunks, read_object, read_optional_object
from app.transports.services import services

NO_HEADERS: Mapping[str, str] = {}
OF_A_RUN = ("X-Run-Id", "X-Session-Id")
View = Callable[..., Any]


class Content(NamedTuple):
    """A body of one media type. `shape` is the type of all of it, or of each event or line; `last`
    is what an event has instead, where the stream says its end so."""

    media_type: str
    shape: Any = str
    framing: Literal["whole", "events", "lines"] = "whole"
    last: str | None = None


class Answer(NamedTuple):
    """An answer that is no error; without a `content` it is what the view returns, as JSON. Its
    `headers` are always there, those of `may_have` only where their text says so."""

    what: str
    status: int = 200
    content: tuple[Content, ...] | None = None
    headers: tuple[str, ...] = ()
    may_have: Mapping[str, str] = NO_HEADERS


class Parameter(NamedTuple):
    """A parameter that may be left out; those of the path are the route's own."""

    name: str
    what: str
    schema: Mapping[str, Any]
    place: Literal["query", "header"] = "query"


def whole_number(parameter: Parameter) -> int:
    """Return what the request's query asks for, within the schema. Raises InvalidRequest."""
    schema = parameter.schema
    least, most = schema["minimum"], schema["maximum"]
    asked = request.args.get(parameter.name, str(schema["default"]))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 4 and least <= int(asked) <= most):
        raise InvalidRequest({parameter.name: f"must be a whole number from {least} to {most}"})
    return int(asked)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `errors` come on top of those that every route of its kind has."""

    summary: str
    answers: Sequence[Answer]
    errors: Sequence[int]
    parameters: Sequence[Parameter] = ()
    body: Any = None
    needs_body: bool = True
    examples: Sequence[Mapping[str, Any]] = ()
    description: str = ""
    takes: Sequence[Content] = ()  # of a body that is no JSON, and that its view reads


class Routes(Blueprint):
    """A blueprint that says in a sentence what its routes are about."""

    def __init__(self, name: str, import_name: str, about: str, url_prefix: str = "") -> None:
        super().__init__(name, import_name, url_prefix=url_prefix or None)
        self.about = about


def operation(
    summary: str,
    *answers: Answer,
    errors: Sequence[int] = (503,),
    parameters: Sequence[Parameter] = (),
    takes: Sequence[Content] = (),
    takes_parts: bool = False,
) -> Callable[[View], View]:
    """Describe a view, give it its body, and its answer the first status. `errors` is for a route
    that asks the store; a view that `takes` another body than JSON reads it; `takes_parts` as
    Dialect.takes_parts."""

    def describe(view: View) -> View:
        types = get_type_hints(view)
        body = types.get("body")
        needs_body = body is not None and not view.__defaults__  # a path's part never has one
        read = read_object if needs_body else read_optional_object
        status = answers[0].status

        @wraps(view)
        def answer(**arguments: Any) -> Any:
            with services().bodies.holding() as hold:
                if takes:
                    pass
                elif body is None:
                    drop_chunks(request.environ, services().max_body_bytes)
                elif takes_parts:
                    found = read_object(request, services().max_parts_body_bytes, hold)
                    arguments["body"] = validated(body, found)
                else:
                    arguments["body"] = validated(body, read(request, services().max_body_bytes))
                answered = view(**arguments)
            if answered is None:
                return Response(status=204)
            return answered if status == 200 else (answered, status)

        returned = (Content("application/json", _shape_of(types["return"])),)
        answer.operation = Operation(  # type: ignore[attr-defined]  # read by document.py
            summary,
            [_with_content(each, returned) for each in answers],
            errors,
            parameters,
            body,
            needs_body,
            takes=takes,
        )
        return answer

    return describe


def _with_content(answer: Answer, returned: tuple[Content, ...]) -> Answer:
    if answer.content is not None:
        return answer
    return answer._replace(content=() if answer.status == 204 else returned)


def _shape_of(returned: Any) -> Any:
    """Return what a view answers, of what it returns: a status may stand beside it, and None is an
    answer without a body."""
    if get_origin(returned) is tuple:
        return get_args(returned)[0]
    shapes = tuple(shape for shape in get_args(returned) if shape is not type(None))
    return Union[shapes] if type(None) in get_args(returned) else returned


def stream_of(dialect: Dialect) -> tuple[Content, ...]:
    """Return what a stream may be: the dialect's frames, or bare text."""
    if dialect.content_type == SSE_CONTENT_TYPE:
        return events_of(dialect.event, dialect.last_data), Content("text/plain")
    return Content(dialect.content_type, dialect.event, "lines"), Content("text/plain")


def events_of(shape: Any, last: str | None = None) -> Content:
    """Return an event stream whose events carry JSON of this shape."""
    return Content(SSE_CONTENT_TYPE.partition(";")[0], shape, "events", last)


LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "A cursor, `<run_id>:<seq>`, the `id:` of the last event that arrived: the stream of that run "
    "goes on after it, and no run is started.",
    {"type": "string", "pattern": r"^([^:\s]+:[0-9]{1,12})?$"},
    "header",
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "Stands for the run that it started for 24 h: the same request with it joins that run.",
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    "header",
)
HOW = {
    "stream": "Answer a message, streamed",
    "whole": "Answer a message, whole",
    "asked": "Answer a message, streamed or whole as the body says",
}
NOTES = (
    "The body is taken under any Content-Type but a form's; fields that are not named are ignored."
)
OF_A_START = (404, 409, 503)
OF_A_RESUME = (410,)  # a cursor into what is folded by now
OF_A_RUN_THAT_FAILED = (502, 504)


def operation_of(route: Route) -> Operation:
    """Return what a route that starts runs is asked and answers."""
    dialect = route.dialect
    streams = route.answer != "whole"
    waits = route.answer != "stream" or dialect.holds_headers
    resumed = OF_A_RESUME if streams else ()
    failed = OF_A_RUN_THAT_FAILED if waits else ()
    return Operation(
        summary=HOW[route.answer],
        description=f"{about(dialect)} {NOTES}",
        body=dialect.body,
        examples=dialect.examples,
        answers=tuple(_answers(route)),
        errors=(*OF_A_START, *resumed, *failed),
        parameters=(
            IDEMPOTENCY_KEY,
            *((LAST_EVENT_ID,) if streams else ()),
            *query_of(dialect),
        ),
    )


def query_of(dialect: Dialect) -> tuple[Parameter, ...]:
    """Return what the dialect's requests may have in their query."""
    return tuple(Parameter(name, what, {"type": "string"}) for name, what in dialect.query.items())


def about(dialect: Dialect) -> str:
    """Return the sentence that the dialect says about itself."""
    return (inspect.getdoc(type(dialect)) or dialect.name).partition("\n\n")[0]


def _answers(route: Route) -> Iterator[Answer]:
    dialect = route.dialect
    content = stream_of(dialect) if route.answer != "whole" else ()
    if route.answer != "stream":
        content += (Content("application/json", dialect.answer),)
    yield Answer("The reply.", 200, content, OF_A_RUN, dialect.own_headers)
    if dialect.detached is not None:
        content = (Content("application/json", dialect.detached),)
        yield Answer("With `detach`: the reply has begun.", 202, content, OF_A_RUN)
    if route.answer != "whole":
        ended = "The cursor of `Last-Event-ID` is at the end of a run that has ended."
        yield Answer(ended, 204, (), OF_A_RUN, dialect.own_headers)
