"""What happens in all of a user's sessions, on one connection: news, and the events of the runs
that are named. A browser has six connections to a server, and many tabs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from flask import Response, g, request

from app.core.cursor import parse_cursor
from app.core.errors import BadCursor, InvalidRequest, NotFound
from app.dialects.dialect import OPEN, SSE_CONTENT_TYPE
from app.dialects.native import NativeEncoder
from app.dialects.routes import NATIVE
from app.runs.log import LogReader
from app.runs.ports import Waiter
from app.runs.service import FoundRun
from app.transports.http.runs import SHOWN, wanted_options
from app.transports.http.sessions import SESSION_NEWS, news_frame
from app.transports.http.streams import event_stream, reply_of
from app.transports.openapi.operations import Answer, Parameter, Routes, events_of, operation
from app.transports.services import Services, services
from app.transports.visits import visit

MOST_RUNS = 50
HOW = f"must be up to {MOST_RUNS} cursors of different runs, <run_id>:<seq>, separated by commas"
RUNS = Parameter(
    "runs",
    "Cursors, `<run_id>:<seq>`, separated by commas: the events of these runs come too.",
    {"type": "string"},
)

routes = Routes("news", __name__, "What happens in all sessions.", "/api/chat")


@routes.get("/events")
@operation(
    "Follow all sessions, and runs",
    Answer(
        "Events `run_started`, `run_ended`, `branch_changed` and `session_deleted` of all of the "
        "caller's sessions, without an end; between them those of the runs that `runs` names.",
        200,
        (events_of(SESSION_NEWS | NATIVE.event),),
    ),
    errors=(404, 410, 503),
    parameters=(RUNS, *SHOWN),
)
def follow_all() -> Response:
    asked, options = _asked_runs(), wanted_options()
    followed = [(_found(run_id, after), after) for run_id, after in asked.items()]
    # Not before the body is asked for: a HEAD never asks, and would leave a listener behind.
    frames = _frames(services(), g.principal.id, [_encoder(*one, options) for one in followed])
    return event_stream(frames, SSE_CONTENT_TYPE)


Followed = tuple[FoundRun, int, NativeEncoder]


def _asked_runs() -> dict[str, int]:
    """Return the cursors that are asked for, by run. Raises InvalidRequest."""
    written = [part for part in request.args.get("runs", "").split(",") if part]
    try:
        asked = dict(map(parse_cursor, written))
    except BadCursor:
        raise InvalidRequest({"runs": HOW}) from None
    if len(asked) < len(written) or len(written) > MOST_RUNS:
        raise InvalidRequest({"runs": HOW})
    return asked


def _found(run_id: str, after: int) -> FoundRun:
    """Return the run. Raises NotFound, BadCursor, LogReset."""
    try:
        found = services().runs.find(g.principal.id, run_id)
    except NotFound:
        raise NotFound(fields={"runs": "one of them is not there"}) from None
    found.log.check(after)
    return found


def _encoder(found: FoundRun, after: int, options: Mapping[str, Any]) -> Followed:
    return found, after, NATIVE.encoder(reply_of(found), after, options)


def _frames(services: Services, owner: str, followed: Sequence[Followed]) -> Iterator[bytes]:
    """Yield news and what is new of the runs as they come, or a heartbeat."""
    waiter = services.runtime.new_waiter()
    heartbeat_s = services.runs.limits.heartbeat_s
    with ExitStack() as stack:
        stack.enter_context(services.metrics.watching("sse"))
        readers = [_reader(services, stack, waiter, found, after) for found, after, _ in followed]
        listener = services.sessions.listen_to_all(owner, waiter)
        stack.callback(services.sessions.leave, owner, None, listener)
        yield OPEN
        due = time.monotonic() + heartbeat_s
        while True:
            frames, has_read = b"", False
            while (news := listener.poll(max(0.0, due - time.monotonic()))) is not None:
                frames += news_frame(news)
            for reader, (_, _, encoder) in zip(readers, followed):
                if entries := reader.poll():
                    has_read = True  # not asleep yet, even if nothing of it is shown
                    frames += encoder.encode(entries)
            if not frames and time.monotonic() >= due:
                frames = _silence(services, readers, followed)
            if frames:
                yield frames
                due = time.monotonic() + heartbeat_s
            elif not has_read:
                waiter.wait()


def _reader(
    services: Services, stack: ExitStack, waiter: Waiter, found: FoundRun, after: int
) -> LogReader:
    reader = services.runs.follow(found, after, waiter=waiter)
    stack.callback(reader.leave)
    stack.enter_context(found.watched())
    stack.enter_context(visit("sse", found, reader))
    return reader


def _silence(
    services: Services, readers: Sequence[LogReader], followed: Sequence[Followed]
) -> bytes:
    """Return a heartbeat, and what each run that goes on is waiting for."""
    waiting = [
        encoder.silence(services.runs.age_s(found))
        for reader, (found, _, encoder) in zip(readers, followed)
        if not reader.done
    ]
    return b"".join(waiting) or NativeEncoder.heartbeat
