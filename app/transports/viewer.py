"""A viewer: follows a run's log to its end and turns what it reads into frames. It owns nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from app.dialects.base import Encoder
from app.runs.run_log import LogReader
from app.runs.run_service import FoundRun
from app.transports.counts import ViewerCounts


def watching(found: FoundRun) -> AbstractContextManager[None]:
    """Return a block during which the run has one viewer more."""
    return found.live.watched() if found.live is not None else nullcontext()


def frames(
    found: FoundRun, reader: LogReader, encoder: Encoder, viewers: ViewerCounts
) -> Iterator[bytes]:
    """Yield one write for each read: all that is new, or a heartbeat after silence.

    May raise ReplyCut.
    """
    with viewers.watching("sse"), watching(found):
        yield encoder.opening
        while not reader.done:
            entries = reader.read()
            if entries:
                yield encoder.encode(entries)
            elif not reader.done:
                yield encoder.heartbeat
        encoder.close()
