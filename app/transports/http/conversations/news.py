"""What happens in all of a user's sessions, on one connection: news, and the events of the runs
that are named. A browser has six connections to a server, and many tabs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from flask import Response, g, request

from app.core.broker import News
from app.core.entries import parse_cursor
from app.core.errors import BadCursor, InvalidRequest, LogReset, NotFound
from app.core.runs import WAITS
from app.dialects.dialect import OPEN, SSE_CONTENT_TYPE
from app.dialects.native import NativeEncoder
from app.dialects.routes import NATIVE
from app.runs.log import LogReader
from app.runs.ports import Waiter
from app.runs.registry import FoundRun
from app.transports.http.conversations.sessions import SESSION_NEWS, news_frame
from app.transports.http.runs import SHOWN, wanted_options
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
    found = [(_found(run_id, after), after) for run_id, after in asked.items()]
    encoded = [(one, after, NATIVE.encoder(reply_of(one), after, options)) for one, after in found]
    # Not before the body is asked for: a HEAD never asks, and would leave a listener behind.
    return event_stream(_frames(services(), g.principal.id, encoded), SSE_CONTENT_TYPE)


Encoded = tuple[FoundRun, int, NativeEncoder]


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
    """Return the run. Raises NotFound, BadCursor, LogReset, which name it: the others may be asked
    for without it."""
    try:
        found = services().runs.find(g.principal.id, run_id)
        found.log.check(after)
    except NotFound:
        raise NotFound(fields={"runs": "one of them is not there"}, run_id=run_id) from None
    except (BadCursor, LogReset) as error:
        error.run_id = run_id
        raise
    return found


class _Followed:
    """A run that is followed here, and when it has been silent for long."""

    def __init__(self, reader: LogReader, encoder: NativeEncoder, found: FoundRun) -> None:
        self._reader = reader
        self._encoder = encoder
        self._found = found
        self._due = 0.0
        self.has_read = False  # not asleep yet, even if nothing of it is shown

    @property
    def ended(self) -> bytes:
        """The news of a run that has ended and of which everything was seen; else nothing."""
        if not self._reader.done:
            return b""
        record = self._found.record
        data = {"run_id": record.id, "session_id": record.session_id}
        seq = self._found.log.last_seq
        status = self._found.status
        name = "run_waiting" if status == WAITS else "run_ended"
        return news_frame(News(name, {**data, "seq": seq, "status": status}))

    def frames(self, services: Services, now: float, heartbeat_s: float) -> bytes:
        """Return what is new, or after silence what is waited for."""
        entries = self._reader.poll()
        self.has_read = bool(entries)
        frames = self._encoder.encode(entries) if entries else b""
        if not frames and now >= self._due > 0 and not self._reader.done:
            frames = self._encoder.silence(services.runs.age_s(self._found))
        if frames or not self._due:
            self._due = now + heartbeat_s
        return frames


def _frames(services: Services, owner: str, encoded: Sequence[Encoded]) -> Iterator[bytes]:
    """Yield news and what is new of the runs as they come, or a heartbeat."""
    waiter = services.runtime.new_waiter()
    heartbeat_s = services.runs.limits.heartbeat_s
    with ExitStack() as stack:
        stack.enter_context(services.metrics.watching("sse"))
        followed = [
            _Followed(_reader(services, stack, waiter, found, after), encoder, found)
            for found, after, encoder in encoded
        ]
        listener = services.sessions.listen_to_all(owner, waiter)
        stack.callback(services.sessions.leave, owner, None, listener)
        yield OPEN + b"".join(run.ended for run in followed)
        due = time.monotonic() + heartbeat_s
        while True:
            frames, now = b"", time.monotonic()
            while (news := listener.poll(max(0.0, due - now))) is not None:
                frames += news_frame(news)
            frames += b"".join([run.frames(services, now, heartbeat_s) for run in followed])
            if not frames and now >= due:
                frames = NativeEncoder.heartbeat
            if frames:
                yield frames
                due = time.monotonic() + heartbeat_s
            elif not any(run.has_read for run in followed):
                waiter.wait()


def _reader(
    services: Services, stack: ExitStack, waiter: Waiter, found: FoundRun, after: int
) -> LogReader:
    reader = services.runs.follow(found, after, waiter=waiter)
    stack.callback(reader.leave)
    stack.enter_context(found.watched())
    stack.enter_context(visit("sse", found, reader))
    return reader
