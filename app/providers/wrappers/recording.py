"""Record what a provider streams, with its timing, one file a stream.

What a person said is private: nothing is recorded unless the operator names a folder, and the files
are readable by the server's user alone. Recording never harms a run: a disk that fails is logged
once, and the stream goes on. `recording_format.py` has the lines.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from app.core.entries import END, KINDS
from app.core.messages import Part
from app.core.run_errors import RunError, RunInternalError, UpstreamTimeout
from app.core.runs import ProviderRequest
from app.core.usage import Usage
from app.providers.wire.chunks import MAX_TOKENS
from app.runs.ports import ALIVE, FINISH, USAGE, Clock, Piece, PieceStream, Provider, own_patience_s

log = logging.getLogger(__name__)
FORMAT = 1
SUFFIX = ".jsonl"
OK = "ok"
CLOSED = "closed"  # the run ended first: a stop, a deadline, a shutdown
_DATA_OF: Mapping[str, type] = {
    **{kind.name: str if kind.is_text else dict for kind in KINDS.values() if kind.name != END},
    FINISH: str,
    USAGE: dict,
    ALIVE: type(None),
}


class BadRecording(ValueError):
    """A line that no recording has."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """What came at once, `offset_s` after the start."""

    offset_s: float
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """How the stream ended: OK, CLOSED, or an error's code."""

    code: str
    offset_s: float = 0.0
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: RunError, offset_s: float) -> RecordedEnd:
        """Return the end that this error made."""
        return cls(error.code, offset_s, error.retry_after_s)


def head_line(provider: str, request: ProviderRequest, at: str) -> bytes:
    """Return the first line. It holds what was said, and no key or header: a request has none."""
    return _line(
        {
            "format": FORMAT,
            "provider": provider,
            "model": request.model,
            "at": at,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "messages": [
                {"role": m.role, "content": [*map(_without_data, m.content)]}
                for m in request.messages
            ],
        }
    )


def _without_data(part: Part) -> Part:
    """Return a part with the length of its base64 in its place: nobody reads that in a head."""
    return {**part, "data": len(part["data"])} if "data" in part else part


def batch_line(offset_s: float, batch: Sequence[Piece]) -> bytes:
    """Return the line of a batch. Raises TypeError, ValueError for data that JSON does not have."""
    return _line([round(offset_s, 6), [[kind, _written(data)] for kind, data in batch]])


def end_line(end: RecordedEnd) -> bytes:
    """Return the last line."""
    said: dict[str, Any] = {"end": end.code, "offset_s": round(end.offset_s, 6)}
    if end.retry_after_s is not None:
        said["retry_after_s"] = end.retry_after_s
    return _line(said)


def check_head(line: bytes) -> None:
    """Raise BadRecording unless the line begins a recording of this format."""
    head = _read(line)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BadRecording("not a recording of this format")


def read_line(line: bytes) -> RecordedBatch | RecordedEnd:
    """Return what a line after the first says. Raises BadRecording."""
    said = _read(line)
    try:
        if isinstance(said, dict):
            wait_s = said.get("retry_after_s")
            code, offset_s = _of_type(said["end"], str), _offset(said.get("offset_s", 0.0))
            return RecordedEnd(code, offset_s, None if wait_s is None else int(wait_s))
        offset_s, pieces = said
        return RecordedBatch(_offset(offset_s), [_piece(kind, data) for kind, data in pieces])
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise BadRecording(str(error)) from error


def _line(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _written(data: Any) -> Any:
    return data.to_json() if isinstance(data, Usage) else data


def _read(line: bytes) -> Any:
    try:
        return json.loads(line, parse_constant=_refused)
    except (RecursionError, ValueError) as error:
        raise BadRecording("not JSON") from error


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _offset(written: Any) -> float:
    offset_s = float(_of_type(written, (int, float)))
    if not 0 <= offset_s < float("inf"):
        raise ValueError("an offset out of range")
    return offset_s


def _piece(kind: str, data: Any) -> Piece:
    _of_type(data, _DATA_OF[kind])
    if kind == USAGE:
        return kind, _usage(data)
    if _DATA_OF[kind] is str:
        data.encode()  # half a surrogate pair cannot be sent on: a UnicodeError is a ValueError
    return kind, data


def _usage(data: Mapping[str, Any]) -> Usage:
    usage = Usage.from_json(data)
    if not (0 <= usage.input_tokens <= MAX_TOKENS and 0 <= usage.output_tokens <= MAX_TOKENS):
        raise ValueError("tokens out of range")
    return usage


def _of_type(data: Any, wanted: type | tuple[type, ...]) -> Any:
    if not isinstance(data, wanted) or isinstance(data, bool):
        raise TypeError(f"a {type(data).__name__} where none belongs")
    return data


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
        self.first_delta_timeout_s = own_patience_s(provider)
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
