"""What a route is asked and what it answers, as rows for /openapi.json (document.py makes it).

The rows of a blueprint stand under its views, by endpoint; those of the routes that start runs are
made from the table of dialects (dialect_operations.py). Path and method are the route's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from app.dialects.dialect import SSE_CONTENT_TYPE, Dialect
from app.dialects.native_shapes import Problem
from app.dialects.routes import Route

NONE: Mapping[str, str] = {}
OF_A_RUN = ("X-Run-Id", "X-Session-Id")


class Content(NamedTuple):
    """A body of one media type. `shape` is the type of all of it, or of each event or line; `last`
    is what an event has instead, where the stream says its end so."""

    media_type: str
    shape: Any
    framing: Literal["whole", "events", "lines"] = "whole"
    last: str | None = None


class Answer(NamedTuple):
    """An answer that is no error. Its `headers` are always there, those of `may_have` only where
    their text says so."""

    status: int
    what: str
    content: tuple[Content, ...] = ()
    headers: tuple[str, ...] = ()
    may_have: Mapping[str, str] = NONE


class Parameter(NamedTuple):
    """A parameter that may be left out; those of the path are the route's own."""

    name: str
    place: Literal["query", "header"]
    what: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `errors` come on top of those that every route has, or every one with
    a body."""

    summary: str
    answers: tuple[Answer, ...]
    errors: tuple[int, ...] = ()
    body: Any = None
    body_needed: bool = True
    examples: Sequence[Mapping[str, Any]] = ()
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    problem: Any = Problem


def json_of(shape: Any) -> Content:
    """Return a body that is one JSON value."""
    return Content("application/json", shape)


def events_of(shape: Any, last: str | None = None) -> Content:
    """Return an event stream whose events carry JSON of this shape."""
    return Content(SSE_CONTENT_TYPE.partition(";")[0], shape, "events", last)


def text_of(media_type: str) -> Content:
    """Return a body that is text."""
    return Content(media_type, str)


def answered(shape: Any, what: str, headers: tuple[str, ...] = ()) -> tuple[Answer, ...]:
    """Return the one answer of a route that reads."""
    return (Answer(200, what, (json_of(shape),), headers),)


LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "header",
    "A cursor, `<run_id>:<seq>`, the `id:` of the last event that arrived: the stream of that run "
    "goes on after it, and no run is started.",
    {"type": "string", "pattern": r"^([^:\s]+:[0-9]{1,12})?$"},
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Stands for the run that it started for 24 h: the same request with it joins that run.",
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
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


def endpoint_of(route: Route) -> str:
    """Return the name that the route has in Flask's map."""
    return f"{route.dialect.name} {route.answer}"


def operation_of(route: Route) -> Operation:
    """Return what the route is asked and answers."""
    dialect = route.dialect
    streams = route.answer != "whole"
    waits = route.answer != "stream" or dialect.holds_headers
    return Operation(
        summary=HOW[route.answer],
        description=f"{about(dialect)} {NOTES}",
        body=dialect.body,
        examples=dialect.examples,
        answers=tuple(_answers(route)),
        errors=(
            *OF_A_START,
            *(OF_A_RESUME if streams else ()),
            *(OF_A_RUN_THAT_FAILED if waits else ()),
        ),
        parameters=(IDEMPOTENCY_KEY, LAST_EVENT_ID) if streams else (IDEMPOTENCY_KEY,),
        problem=dialect.problem,
    )


def stream_of(dialect: Dialect) -> tuple[Content, ...]:
    """Return what a stream may be: the dialect's frames, or bare text."""
    if dialect.content_type == SSE_CONTENT_TYPE:
        framed = events_of(dialect.event, dialect.last_data)
    else:
        framed = Content(dialect.content_type, dialect.event, "lines")
    return framed, text_of("text/plain")


def about(dialect: Dialect) -> str:
    """Return the sentence that the dialect says about itself."""
    return (inspect.getdoc(type(dialect)) or dialect.name).partition("\n\n")[0]


def _answers(route: Route) -> Iterator[Answer]:
    dialect = route.dialect
    content: tuple[Content, ...] = ()
    if route.answer != "whole":
        content += stream_of(dialect)
    if route.answer != "stream":
        content += (json_of(dialect.answer),)
    yield Answer(200, "The reply.", content, OF_A_RUN, dialect.own_headers)
    if route.answer != "whole":
        what = "The cursor of `Last-Event-ID` is at the end of a run that has ended."
        yield Answer(204, what, (), OF_A_RUN, dialect.own_headers)
