"""The answers that follow a run, for every route that has one.

Who follows a run reads its log to the end and owns nothing: leaving changes nothing for the run,
unless it is to stop when nobody watches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from flask import Response, g, jsonify, request

from app.dialects.dialect import Dialect, Encoder, Reply
from app.dialects.plain_text import PlainTextEncoder
from app.runs.log import LogReader
from app.runs.registry import FoundRun
from app.transports.services import Services, services
from app.transports.visits import visit

LOOK_S = 0.5  # how often to see whether somebody who waits in silence is still there


def reply_of(found: FoundRun) -> Reply:
    """Return the run as an encoder wants it."""
    record = found.live.record if found.live else found.record
    return Reply(record, found.log, g.principal.name)


def answer_headers(dialect: Dialect, reply: Reply, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that name the run and its session, and the dialect's own."""
    record = reply.record
    named = {"X-Run-Id": record.id, "X-Session-Id": record.session_id}
    return {**named, **dialect.headers(reply, options)}


def stream(dialect: Dialect, found: FoundRun, after: int, options: Mapping[str, Any]) -> Response:
    """Return the answer that follows the run from `after` to its end. Raises BadCursor,
    LogReset."""
    found.log.check(after)
    reply = reply_of(found)
    headers = answer_headers(dialect, reply, options)
    if found.log.is_over(after):
        # 204 is what makes an EventSource stop coming back (WHATWG HTML, server-sent events).
        return Response(status=204, headers=headers)
    encoder: Encoder
    if _wants_plain_text():
        encoder, content_type = PlainTextEncoder(), PlainTextEncoder.content_type
    else:
        encoder, content_type = dialect.encoder(reply, after, options), dialect.content_type
    heartbeat_s = services().runs.limits.heartbeat_s
    looks = _looks_between_heartbeats(found, heartbeat_s)
    reader = services().runs.follow(found, after, heartbeat_s / looks)
    body = _frames(services(), found, reader, encoder, presence(), looks)
    response = event_stream(body, content_type)
    response.headers.update(headers)
    return response


def detached(dialect: Dialect, found: FoundRun, options: Mapping[str, Any]) -> Response:
    """Return the answer that the reply has begun: it is followed on another connection."""
    reply = reply_of(found)
    response = jsonify(dialect.accepted(reply, options))
    response.status_code = dialect.accepted_status
    response.headers.update(answer_headers(dialect, reply, options))
    return response


def event_stream(body: Iterator[bytes], content_type: str) -> Response:
    """Return an answer that leaves piece by piece, through proxies too."""
    # Passed on as it is: the library's own iterators check and count each piece.
    response = Response(body, content_type=content_type, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
    return response


class Presence(Protocol):
    """Whether the client of a request is there; runtimes/server.py says how that is known."""

    def __call__(self) -> bool:
        """Whether it has closed its side: it may still read."""

    def is_gone(self, asks: bool = False) -> bool:
        """Whether nobody reads; asks by a 100 if need be, which only goes before an answer."""


class AlwaysThere:
    """The client of a server that does not know."""

    def __call__(self) -> bool:
        return False

    def is_gone(self, asks: bool = False) -> bool:
        return False


def presence() -> Presence:
    """Return what tells whether the client of this request is there."""
    found: Presence = request.environ.get("tandem.has_hung_up") or AlwaysThere()
    return found


def _wants_plain_text() -> bool:
    """Whether the client asked for bare text and nothing else."""
    if "text/plain" not in request.headers.get("Accept", "").lower():  # as a rule
        return False
    accepted = request.accept_mimetypes
    return accepted.best == "text/plain" and accepted["text/plain"] > accepted["text/event-stream"]


def _looks_between_heartbeats(found: FoundRun, heartbeat_s: float) -> int:
    """Return how often to look, from one heartbeat to the next, whether the client is there.

    Where a run is to stop when its client hangs up, that must not take a heartbeat's time.
    """
    if found.live is None or not found.live.stop_when_unwatched:
        return 1
    return max(1, round(heartbeat_s / LOOK_S))


def _frames(
    services: Services,
    found: FoundRun,
    reader: LogReader,
    encoder: Encoder,
    client: Presence,
    looks: int,
) -> Iterator[bytes]:
    """Yield one write for each read: all that is new, or a heartbeat after `looks` empty reads.

    A client that has closed its side gets its heartbeat at once: that shows whether it still reads.
    Where there are none, a 100 does, as long as nothing else was sent. May raise ReplyCut.
    """
    with services.metrics.watching("sse"), found.watched(), visit("sse", found, reader):
        yield encoder.opening
        silent, has_begun = 0, bool(encoder.opening)
        while not reader.done:
            frame = _next_frame(reader, encoder)
            if frame is not None:
                silent, has_begun = 0, has_begun or bool(frame)
                yield frame
            elif client.is_gone(asks=not has_begun):
                return
            else:
                silent += 1
                if silent % looks == 0 or (silent == 1 and client()):
                    yield encoder.silence(services.runs.age_s(found))
        if last := encoder.close():
            yield last


def _next_frame(reader: LogReader, encoder: Encoder) -> bytes | None:
    # A function of its own: the entries must not be held while the frame waits for a slow client.
    entries = reader.read()
    if entries or reader.done:
        return encoder.encode(entries)
    return None
