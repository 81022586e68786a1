"""A viewer: follows a run's log to its end and turns what it reads into frames. It owns nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from app.dialects.base import Encoder
from app.runs.run_log import LogReader
from app.runs.run_service import FoundRun
from app.transports.counts import ViewerCounts


def watching(found: FoundRun) -> AbstractContextManager[None]:
    """Return a block during which the run has one viewer more."""
    return found.live.watched() if found.live is not None else nullcontext()


def frames(
    found: FoundRun,
    reader: LogReader,
    encoder: Encoder,
    viewers: ViewerCounts,
    gone: Callable[[], bool],
) -> Iterator[bytes]:
    """Yield one write for each read: all that is new, or a heartbeat after silence.

    May raise ReplyCut.
    """
    with viewers.watching("sse"), watching(found):
        yield encoder.opening
        while not reader.done:
            frame = _next_frame(reader, encoder)
            if not frame and gone():
                return  # bare text has no heartbeat, whose write would have failed
            yield frame
        encoder.close()


def _next_frame(reader: LogReader, encoder: Encoder) -> bytes:
    # A function of its own: the entries must not be held while the frame waits for a slow client.
    entries = reader.read()
    if entries:
        return encoder.encode(entries)
    return b"" if reader.done else encoder.heartbeat
