"""The recording of one provider stream, as lines of JSON; pure.

    {"format": 1, "provider": .., "model": .., "at": .., "messages": [{"role", "text"}], ..}
    [offset_s, [[kind, data], ...]]         one line a batch
    {"end": "ok", "offset_s": ..}           or a code of run_errors.py, or "closed": by us

Offsets are seconds since the stream was asked for. ASCII alone is written, so that a file which was
cut is still readable up to its last whole line. `docs/upstream.md` says what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.providers.chunk_parsing import MAX_TOKENS
from app.runs.interfaces import FINISH, REASONING, STATUS, TEXT, USAGE, Piece
from app.runs.records import ProviderRequest
from app.runs.run_errors import RunError
from app.runs.usage import Usage

FORMAT = 1
SUFFIX = ".jsonl"
OK = "ok"
CLOSED = "closed"  # the run ended first: a stop, a deadline, a shutdown
_DATA_OF: Mapping[str, type] = {TEXT: str, REASONING: str, FINISH: str, STATUS: dict, USAGE: dict}


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
            "messages": [{"role": m.role, "text": m.text} for m in request.messages],
        }
    )


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
    if kind == TEXT or kind == REASONING:
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
