"""The operations of the routes that start runs, made from the table of dialects."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from app.dialects.base import SSE_CONTENT_TYPE, Dialect
from app.dialects.table import Route
from app.transports.operations import (
    IDEMPOTENCY_KEY,
    LAST_EVENT_ID,
    OF_A_RUN,
    Answer,
    Content,
    Operation,
    events_of,
    json_of,
    text_of,
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
