"""Record what a provider streams, with its timing, one file a stream.

What a person said is private: nothing is recorded unless the operator names a folder, and the files
are readable by the server's user alone. Recording never harms a run: a disk that fails is logged
once, and the stream goes on. `recording_format.py` has the lines.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from app.providers.recording_format import (
    CLOSED,
    OK,
    SUFFIX,
    RecordedEnd,
    batch_line,
    end_line,
    head_line,
)
from app.runs.interfaces import Clock, Piece, PieceStream, Provider
from app.runs.records import ProviderRequest
from app.runs.run_errors import RunError, RunInternalError, UpstreamTimeout

log = logging.getLogger(__name__)

# A write to a file cannot give way to other tasks, so there are few: a batch is kept in memory
# until there is this much, or it has waited this long. No file stays open in between.
FLUSH_BYTES = 32_768
FLUSH_S = 5.0
FOLDER_MODE = 0o700
FILE_MODE = 0o600

Append = Callable[[str, bytes], None]


def append_to(path: str, data: bytes) -> None:
    """Append to a file that only we may read, made with its folder if need be. Raises OSError."""
    os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, FILE_MODE)) as file:
        file.write(data)


class Recording:
    """A provider that keeps what another one streams; in all else it is that one."""

    def __init__(
        self, provider: Provider, directory: str, clock: Clock, append: Append = append_to
    ) -> None:
        self.name = provider.name
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self._provider = provider
        self._directory = directory
        self._clock = clock
        self._append = append
        self._failing = False

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what the provider yields, raise what it raises."""
        tape = _Tape(self._write, self._new_path(), self._clock.monotonic)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.wall()))
        tape.add(lambda offset_s: head_line(self.name, request, at))
        code, wait_s = CLOSED, None
        try:
            with closing(self._provider.stream(request)) as stream:
                for batch in stream:
                    tape.add_batch(batch)
                    yield batch
            code = OK
        except RunError as error:
            code, wait_s = error.code, error.retry_after_s
            raise
        except TimeoutError:  # of a deadline around us
            code = UpstreamTimeout.code
            raise
        except Exception:
            code = RunInternalError.code
            raise
        finally:
            tape.add(lambda offset_s: end_line(RecordedEnd(code, offset_s, wait_s)))
            tape.flush()

    def _new_path(self) -> str:
        # Nothing that a client sent is in the name.
        day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock.wall()))
        return os.path.join(self._directory, f"{day}-{secrets.token_hex(8)}{SUFFIX}")

    def _write(self, path: str, data: bytes) -> bool:
        """Append to the file; False if that failed, which is logged once until it works again."""
        try:
            self._append(path, data)
        except OSError as error:
            if not self._failing:
                log.warning("RECORD_DIR cannot be written, streams go unrecorded: %s", error)
            self._failing = True
            return False
        self._failing = False
        return True


class _Tape:
    """The lines of one stream on their way into its file."""

    def __init__(
        self,
        write: Callable[[str, bytes], bool],
        path: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._write = write
        self._path = path
        self._monotonic = monotonic
        self._started_at = self._flushed_at = monotonic()
        self._waiting = bytearray()
        self._broken = False

    def add_batch(self, batch: Sequence[Piece]) -> None:
        """Take a batch, as of now."""
        self.add(lambda offset_s: batch_line(offset_s, batch))

    def add(self, line_at: Callable[[float], bytes]) -> None:
        """Take a line that is made from the offset; one that cannot be written ends the tape."""
        if self._broken:
            return
        now = self._monotonic()
        try:
            self._waiting += line_at(now - self._started_at)
        except (RecursionError, TypeError, ValueError):
            log.exception("a batch cannot be recorded")
            self._broken = True
            return
        if len(self._waiting) >= FLUSH_BYTES or now - self._flushed_at >= FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A file that has a gap is worse than one that is cut: after a failure
        nothing more is written."""
        self._flushed_at = self._monotonic()
        if not self._waiting:
            return
        written = self._write(self._path, bytes(self._waiting))
        self._waiting.clear()
        self._broken = self._broken or not written
