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
    decoded,
    fault_of,
)
from app.moving.progress import Progress


class NumberedLine(NamedTuple):
    """A line, its number in the file, and where it ends."""

    number: int
    value: Header | OwnerLine | BytesLine | SessionLine
    read: int


def check(lines: Iterable[NumberedLine], progress: Progress) -> None:
    """Read them to the end. Raises Refused."""
    sessions = 0
    for line in lines:
        sessions += isinstance(line.value, SessionLine)
        progress.show(sessions, line.read)


def read_lines(file: Iterable[bytes]) -> Iterator[NumberedLine]:
    """Yield the lines, each checked, but for the end, which all of them are checked by. Raises
    Refused."""
    checks, number, size = _Checks(), 0, 0
    for number, raw in enumerate(file, 1):
        size += len(raw)
        if not raw.endswith(b"\n") and number > 1:
            raise _cut_off(number)
        if checks.ended:
            raise Refused(f"line {number} comes after the end: these are two files in one.")
        if number == 1:
            yield NumberedLine(number, _header(raw), size)
            continue
        line = _line(number, raw)
        checks.add(number, raw, line)
        if not isinstance(line, End):
            yield NumberedLine(number, line, size)
    if not checks.ended:
        raise _cut_off(number) if number else Refused("the file is empty.")


class _Checks:
    """What lines have to fit to those before them."""

    def __init__(self) -> None:
        self.ended = False
        self._counts = Counts()
        self._sha256 = hashlib.sha256()
        self._bytes = set[bytes]()  # by their SHA-256

    def add(self, number: int, raw: bytes, line: Line) -> None:
        """Take a line. Raises Refused."""
        if isinstance(line, End):
            self.ended = True
            _check_end(line, self._counts, self._sha256.hexdigest())
            return
        self._sha256.update(raw)
        if isinstance(line, OwnerLine):
            self._counts.owners += 1
        elif isinstance(line, BytesLine):
            self._counts.files += 1
            self._bytes.add(_digest_of(number, line))
        else:
            self._counts.add_session(line.whole)
            for attachment in line.attachments:
                if bytes.fromhex(attachment.sha256) not in self._bytes:
                    raise Refused(f"line {number}: the bytes of {attachment.id} are missing.")


def _digest_of(number: int, line: BytesLine) -> bytes:
    sha256 = hashlib.sha256()
    try:
        for piece in decoded(line.data):
            sha256.update(piece)
    except ValueError as error:
        raise Refused(f"line {number}: its data is no base64.") from error
    if sha256.hexdigest() != line.sha256:
        raise Refused(f"line {number}: its bytes do not have the SHA-256 {line.sha256}.")
    return sha256.digest()


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


def _check_end(end: End, counts: Counts, sha256: str) -> None:
    if end.counts != counts:
        raise Refused(f"lines are missing: the file says {end.counts}, and has {counts}.")
    if end.sha256 != sha256:
        raise Refused("the checksum is another: the file was changed or damaged.")


def _cut_off(number: int) -> Refused:
    return Refused(f"the file is cut off after line {number}: copy or make it again, whole.")
