"""A viewer: follows a run's log to its end and turns what it reads into frames. It owns nothing."""

from __future__ import annotations

from collections.abc import Iterator

from app.dialects.base import Encoder
from app.runs.run_log import LogReader
from app.transports.counts import ViewerCounts


def frames(reader: LogReader, encoder: Encoder, viewers: ViewerCounts) -> Iterator[bytes]:
    """Yield one write for each read: all that is new, or a heartbeat after silence. May raise
    ReplyCut."""
    with viewers.watching("sse"):
        yield encoder.opening
        while not reader.done:
            entries = reader.read()
            if entries:
                yield encoder.encode(entries)
            elif not reader.done:
                yield encoder.heartbeat
        encoder.close()
