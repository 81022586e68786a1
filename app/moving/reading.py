"""The lines of an export, read one by one and checked to the last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from app.moving.lines import (
    FORMAT,
    LINE,
    VERSION,
    BytesLine,
    Counts,
    End,
    Header,
    Line,
    OwnerLine,
    Refused,
    SessionLine,
    fault_of,
)


class NumberedLine(NamedTuple):
    """A line, its number in the file, and where it ends."""

    number: int
    value: Header | OwnerLine | BytesLine | SessionLine
    read: int


def read_lines(file: Iterable[bytes]) -> Iterator[NumberedLine]:
    """Yield the lines, but for the end, which is checked. Raises Refused."""
    sha256, counts, size, number = hashlib.sha256(), Counts(), 0, 0
    end: End | None = None
    for number, raw in enumerate(file, 1):
        if end is not None:
            raise Refused(f"line {number} comes after the end: these are two files in one.")
        size += len(raw)
        if number == 1:
            yield NumberedLine(number, _header(raw), size)
            continue
        if not raw.endswith(b"\n"):
            raise _cut_off(number)
        line = _line(number, raw)
        if isinstance(line, End):
            end = line
            _check_end(end, counts, sha256.hexdigest())
            continue
        sha256.update(raw)
        _count(counts, line)
        yield NumberedLine(number, line, size)
    if end is None:
        raise _cut_off(number) if number else Refused("the file is empty.")


def _header(raw: bytes) -> Header:
    try:
        said = orjson.loads(raw)
        version = said["version"] if said["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError):
        version = None
    if version is None:
        raise Refused("this is no export of Tandem's: line 1 does not say so.")
    if version != VERSION:
        raise Refused(
            f"the file is of version {version}, and this Tandem reads version {VERSION}. Import it "
            "with a Tandem as new as the one that made it."
        )
    try:
        return Header.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _faulty(1, error) from error


def _line(number: int, raw: bytes) -> Line:
    try:
        line = LINE.validate_json(raw, strict=True)
    except ValidationError as error:
        raise _faulty(number, error) from error
    if isinstance(line, SessionLine) and (fault := fault_of(line)):
        raise Refused(f"line {number}, session {line.record.id}: {fault}.")
    return line


def _faulty(number: int, error: ValidationError) -> Refused:
    fault = error.errors()[0]
    if fault["type"] == "json_invalid":
        return Refused(f"line {number} is no JSON: the file was changed or damaged.")
    where = ".".join(str(one) for one in fault["loc"])
    return Refused(f"line {number} is not as an export has it: {where}: {fault['msg']}.")


def _count(counts: Counts, line: OwnerLine | BytesLine | SessionLine) -> None:
    if isinstance(line, SessionLine):
        counts.add_session(line.whole)
    elif isinstance(line, BytesLine):
        counts.files += 1
    else:
        counts.owners += 1


def _check_end(end: End, counts: Counts, sha256: str) -> None:
    if end.counts != counts:
        raise Refused(f"lines are missing: the file says {end.counts}, and has {counts}.")
    if end.sha256 != sha256:
        raise Refused("the checksum is another: the file was changed or damaged.")


def _cut_off(number: int) -> Refused:
    return Refused(f"the file is cut off after line {number}: copy or make it again, whole.")
