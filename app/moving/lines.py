"""What a file of an export is: lines of JSON, each with its type.

A header; for each owner a line of what is counted, then a line for each session; the bytes of an
attachment once, before the first session that has it; an end with counts, and the SHA-256 of all
lines between the header and itself. The same content is the same bytes, but for the header's time.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.core.attachments import Attachment
from app.core.entries import KINDS, Entry
from app.core.messages import Message
from app.core.runs import RunRecord
from app.core.sessions import ChatSession
from app.core.store import OwnerSums, WholeRun, WholeSession
from app.core.usage import UsedTokens

FORMAT = "tandem-export"
VERSION = 1
STEP = 4 * 65536  # characters of base64 that are decoded at a time
SHA256 = re.compile("[0-9a-f]{64}")


class Refused(Exception):
    """What was asked for cannot be done; the text says why, and what to do."""


class _Line(BaseModel):
    model_config = ConfigDict(strict=True)


class Header(_Line):
    """The first line; `owner` where the export is one owner's."""

    type: Literal["header"] = "header"
    format: str = FORMAT
    version: int = VERSION
    made_at: float
    owner: str | None = None


class OwnerLine(_Line):
    """What is counted of an owner."""

    type: Literal["owner"]
    owner: str
    number: int
    used: tuple[UsedTokens, ...]

    @property
    def sums(self) -> OwnerSums:
        """What the store takes."""
        return OwnerSums(self.number, list(self.used))


class BytesLine(_Line):
    """The bytes of attachments, in base64."""

    type: Literal["bytes"]
    sha256: str
    data: str


class LoggedRun(_Line):
    """A run, and its entries without their numbers: these follow on `first_seq`."""

    record: RunRecord
    first_seq: int
    entries: list[tuple[str, Any, float]]

    @property
    def whole(self) -> WholeRun:
        """What the store takes."""
        numbered = enumerate(self.entries, self.first_seq)
        return WholeRun(self.record, [Entry(seq, *entry) for seq, entry in numbered])


class SessionLine(_Line):
    """A session with all that belongs to it."""

    type: Literal["session"]
    record: ChatSession
    messages: list[Message]
    runs: list[LoggedRun]
    attachments: list[Attachment]

    @property
    def whole(self) -> WholeSession:
        """What the store takes."""
        runs = [run.whole for run in self.runs]
        return WholeSession(self.record, self.messages, runs, self.attachments)


@dataclass(slots=True)
class Counts:
    """How much lines say."""

    owners: int = 0
    sessions: int = 0
    messages: int = 0
    runs: int = 0
    entries: int = 0
    attachments: int = 0
    files: int = 0  # of which equal ones are one

    def add_session(self, whole: WholeSession) -> None:
        """Count a session."""
        self.sessions += 1
        self.messages += len(whole.messages)
        self.runs += len(whole.runs)
        self.entries += sum(len(run.entries) for run in whole.runs)
        self.attachments += len(whole.attachments)


class End(_Line):
    """The last line."""

    type: Literal["end"]
    counts: Counts
    sha256: str


Line = OwnerLine | BytesLine | SessionLine | End
LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="type")])


def decoded(data: str) -> Iterator[bytes]:
    """Yield what the base64 has, a piece at a time. Raises binascii.Error, ValueError."""
    for start in range(0, len(data), STEP):
        yield base64.b64decode(data[start : start + STEP], validate=True)


def owner_line(owner: str, sums: OwnerSums) -> Mapping[str, Any]:
    """Return what an OwnerLine is read from."""
    return {"type": "owner", "owner": owner, "number": sums.number, "used": list(sums.used)}


def session_line(whole: WholeSession) -> Mapping[str, Any]:
    """Return what a SessionLine is read from."""
    return {
        "type": "session",
        "record": whole.record,
        "messages": whole.messages,
        "runs": [
            {
                "record": _kept(run),
                "first_seq": entries[0].seq if entries else 1,
                "entries": [entry[1:] for entry in entries],
            }
            for run, entries in whole.runs
        ],
        "attachments": whole.attachments,
    }


def _kept(run: RunRecord) -> Mapping[str, Any]:
    """Return the run without what counts only while it is under way."""
    return {name: getattr(run, name) for name in RunRecord.__slots__ if name != "caller"}


def fault_of(line: SessionLine) -> str:
    """Return what a store could not keep of a session that has the right form; empty if nothing."""
    ids = {message.id for message in line.messages}
    if len(ids) < len(line.messages) or len({r.record.id for r in line.runs}) < len(line.runs):
        return "an id is there twice"
    known = set[str]()
    for message in line.messages:
        if message.parent_id in ids and message.parent_id not in known:
            return f"message {message.id} comes before its parent"
        known.add(message.id)
    for run in line.runs:
        if fault := _fault_of_run(run, line.record, ids):
            return f"run {run.record.id} {fault}"
    for attachment in line.attachments:
        if attachment.owner != line.record.owner or not SHA256.fullmatch(attachment.sha256):
            return f"attachment {attachment.id} is not one of its owner's"
    return "" if _going(line.runs) < 2 else "it has two runs under way"


def _fault_of_run(run: LoggedRun, chat_session: ChatSession, ids: set[str]) -> str:
    record = run.record
    if (record.owner, record.session_id) != (chat_session.owner, chat_session.id):
        return "belongs to another session"
    if record.message_id not in ids:
        return "has no message"
    unknown = {kind for kind, _, _ in run.entries} - KINDS.keys()
    return f"has entries of no known kind: {', '.join(sorted(unknown))}" if unknown else ""


def _going(runs: Sequence[LoggedRun]) -> int:
    return sum(run.record.ended_at is None for run in runs)
