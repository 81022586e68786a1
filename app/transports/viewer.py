"""A viewer: follows a run's log to its end and turns what it reads into frames. It owns nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from app.dialects.dialect import Encoder
from app.metrics.counts import ViewerCounts
from app.runs.log import LogReader
from app.runs.service import FoundRun

LOOK_S = 0.5  # how often to see whether somebody who waits in silence is still there


def watching(found: FoundRun) -> AbstractContextManager[None]:
    """Return a block during which the run has one viewer more."""
    return found.live.watched() if found.live is not None else nullcontext()


def frames(
    found: FoundRun,
    reader: LogReader,
    encoder: Encoder,
    viewers: ViewerCounts,
    gone: Callable[[], bool],
    age_s: Callable[[], float],
    looks: int = 1,
) -> Iterator[bytes]:
    """Yield one write for each read: all that is new, or a heartbeat after `looks` empty reads.

    May raise ReplyCut.
    """
    with viewers.watching("sse"), watching(found):
        yield encoder.opening
        silent = 0
        while not reader.done:
            frame = _next_frame(reader, encoder)
            if frame is not None:
                silent = 0
                yield frame
            elif (looks > 1 or not encoder.heartbeat) and gone():
                return  # elsewhere the heartbeat's write fails, and a half-closed client stays
            else:
                silent += 1
                if silent % looks == 0:
                    yield encoder.silence(age_s())
        encoder.close()


def looks_between_heartbeats(found: FoundRun, heartbeat_s: float) -> int:
    """Return how often to look, from one heartbeat to the next, whether the client is there.

    Where a run is to stop when its client hangs up, that must not take a heartbeat's time.
    """
    if found.live is None or not found.live.stop_when_unwatched:
        return 1
    return max(1, round(heartbeat_s / LOOK_S))


def _next_frame(reader: LogReader, encoder: Encoder) -> bytes | None:
    # A function of its own: the entries must not be held while the frame waits for a slow client.
    entries = reader.read()
    if entries or reader.done:
        return encoder.encode(entries)
    return None
