"""Play recordings: a provider whose models are the files that `recording.py` has written.

The model's name is a file's name without `.jsonl`; `latest` is the newest file. A name is looked up
among the files of the one folder, so no name leads out of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from app.core.errors import InvalidRequest
from app.core.run_errors import (
    RunError,
    UpstreamIncomplete,
    UpstreamMalformed,
    UpstreamRejected,
    error_for_code,
)
from app.core.runs import ProviderRequest
from app.providers.wrappers.recording import (
    CLOSED,
    OK,
    SUFFIX,
    BadRecording,
    RecordedBatch,
    RecordedEnd,
    check_head,
    read_line,
)
from app.runs.ports import PieceStream

LATEST = "latest"
NAMED = 10  # how many names an error lists


class ReplayProvider:
    """Streams recordings at their own speed times `speed`; with 0 at once."""

    name = "replay"
    default_model = LATEST
    parameters: frozenset[str] = frozenset()

    def __init__(
        self,
        directory: str,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        speed: float = 1.0,
    ) -> None:
        self._directory = directory
        self._sleep = sleep
        self._monotonic = monotonic
        self._speed = speed

    def models(self) -> list[str]:
        """Return what can be played, the newest first; none if there is no folder."""
        try:
            with os.scandir(self._directory) as entries:
                found = [
                    (entry.stat().st_mtime_ns, entry.name.removesuffix(SUFFIX))
                    for entry in entries
                    if entry.name.endswith(SUFFIX) and entry.is_file()
                ]
        except OSError:
            return []
        return [name for _, name in sorted(found, reverse=True)]

    def check(self, model: str) -> None:
        """Raise InvalidRequest, naming `model`, unless there is such a recording."""
        models = self.models()
        if model in models or (models and model == LATEST):
            return
        known = ", ".join([LATEST, *models][:NAMED]) if models else "nothing yet: record something"
        raise InvalidRequest({"model": f"must be the name of a recording, one of {known}"})

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what was recorded, when it came; end as it ended.

        Raises the RunError that was recorded; UpstreamRejected for a model that is not there,
        UpstreamIncomplete for a file that is cut, UpstreamMalformed for a broken one.
        """
        upstream = request.upstream
        upstream.opened, upstream.closed = True, False
        started_at = self._monotonic()
        try:
            with self._open(request.model) as lines:
                for said in _read(lines):
                    self._wait(started_at, said.offset_s)
                    if isinstance(said, RecordedEnd):
                        _end_as(said)
                        return
                    yield said.pieces
        except TimeoutError:  # an OSError by its class; it is a deadline's, around us
            raise
        except OSError as error:
            raise UpstreamIncomplete() from error
        finally:
            upstream.closed = True

    def _open(self, model: str) -> BinaryIO:
        models = self.models()
        name = models[0] if model == LATEST and models and LATEST not in models else model
        if name not in models:
            raise UpstreamRejected()
        return open(os.path.join(self._directory, name + SUFFIX), "rb")

    def _wait(self, started_at: float, offset_s: float) -> None:
        if not self._speed:
            return
        left_s = started_at + offset_s / self._speed - self._monotonic()
        if left_s > 0:
            self._sleep(left_s)


def _read(lines: Iterable[bytes]) -> Iterator[RecordedBatch | RecordedEnd]:
    """Yield what the lines say. Raises UpstreamIncomplete at an end that is no end."""
    begun = False
    for line in lines:
        try:
            if begun:
                yield read_line(line)
            else:
                check_head(line)
                begun = True
        except BadRecording as error:
            raise _cut_or_broken(line) from error
    raise UpstreamIncomplete()


def _cut_or_broken(line: bytes) -> RunError:
    return UpstreamMalformed() if line.endswith(b"\n") else UpstreamIncomplete()


def _end_as(end: RecordedEnd) -> None:
    if end.code == OK:
        return
    if end.code == CLOSED:  # what would have followed, nobody has heard
        raise UpstreamIncomplete()
    error = error_for_code(end.code)
    error.retry_after_s = end.retry_after_s
    raise error
