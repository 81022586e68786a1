"""The entries of a run log, and the one table of their kinds.

Whoever treats kinds differently asks the table; a set of names of kinds elsewhere is a fault. A
kind that is added here is stored, packed, folded, recorded, replayed and resumed; a dialect that
has no place for it skips it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from app.core.errors import BadCursor
from app.core.messages import Content, Part


class Entry(NamedTuple):
    """One numbered entry of a run's log; `at` is seconds since the epoch."""

    seq: int
    kind: str
    data: Any
    at: float


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for all entries of a kind."""

    name: str
    code: int  # the byte that stands for it in a packed log; no two kinds share one
    is_text: bool = False  # data is a str, else a JSON value; neighbours of text may be joined
    counts: bool = False  # it is something the model said: counts toward MAX_REPLY_BYTES
    by_model: bool = True  # of what counts: the model said it in words, which are tokens of output
    part: str = ""  # the type of part that it becomes in the stored message; "text": the reply
    survives_folding: bool = False
    on_request: bool = False  # shown only to those who ask for it; all others see every entry
    hidden: bool = False  # shown to nobody: for the provider it came from

    def size(self, data: Any) -> int:
        """Return how many bytes of UTF-8 the data of such an entry takes."""
        return len(data.encode()) if self.is_text else len(self.pack(data))

    def pack(self, data: Any) -> bytes:
        """Return the data as bytes."""
        return str(data).encode() if self.is_text else json.dumps(data).encode()

    def unpack(self, packed: bytes) -> Any:
        """Return the data that `pack` was given."""
        return packed.decode() if self.is_text else json.loads(packed)


TEXT, REASONING, STATUS, REFUSAL, END = "text", "reasoning", "status", "refusal", "end"
TOOL_CALL, TOOL_ARGS, TOOL_READY = "tool_call", "tool_args", "tool_ready"
APPROVAL, APPROVAL_ANSWER = "approval", "approval_answer"
TOOL_STARTED, TOOL_RESULT, STEP_END = "tool_started", "tool_result", "step_end"
OPAQUE = "opaque"  # what a vendor wants back with the message: {vendor, n?, ...}
FILE = "file"  # what a model made: the part that it is in the message (core/attachments.py)
LOGPROBS = "logprobs"  # of the tokens before: {content: [..]}, in OpenAI's shape

# Those without `counts` are ours: what the server did, not what the model said.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(TEXT, 116, is_text=True, counts=True, part="text", survives_folding=True),
        Kind(REASONING, 114, is_text=True, counts=True, on_request=True),
        Kind(STATUS, 115),
        Kind(REFUSAL, 102, is_text=True, counts=True, part="refusal", survives_folding=True),
        Kind(TOOL_CALL, 99, counts=True, survives_folding=True),
        Kind(TOOL_ARGS, 97, counts=True, on_request=True),  # tool_ready has all of them
        Kind(TOOL_READY, 121, part="tool_call", survives_folding=True),
        Kind(APPROVAL, 63, survives_folding=True),
        Kind(APPROVAL_ANSWER, 33, survives_folding=True),
        Kind(TOOL_STARTED, 98, survives_folding=True),
        Kind(
            TOOL_RESULT, 61, counts=True, by_model=False, part="tool_result", survives_folding=True
        ),
        Kind(STEP_END, 47, survives_folding=True),
        Kind(OPAQUE, 111, part="opaque", survives_folding=True, hidden=True),
        Kind(LOGPROBS, 112, on_request=True),
        Kind(FILE, 105, counts=True, by_model=False, part="file", survives_folding=True),
        Kind(END, 46, survives_folding=True),
    )
}
BY_CODE: dict[int, Kind] = {kind.code: kind for kind in KINDS.values()}


MAX_DEPTH = 100  # of what a tool is given or gives; as of the bodies of requests
_LEAST, _MOST = -(2**63), 2**64 - 1  # integers that every store and client keeps


def storable(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value as every store keeps it: larger integers as floats, halves of surrogate
    pairs and NULs as U+FFFD, keys as texts, what is no JSON as text; None where it is too deep."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.isprintable():
            value = value.replace("\x00", "\ufffd")
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if isinstance(value, int):
        return value if _LEAST <= value <= _MOST else float(value) if value < 2**1023 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, Mapping | list | tuple):
        return storable(str(value))
    if not depth:
        return None
    if isinstance(value, Mapping):
        return {storable(str(name)): storable(one, depth - 1) for name, one in value.items()}
    return [storable(one, depth - 1) for one in value]


def is_content(kind: str) -> bool:
    """Whether that is a kind of entry by which the model says something."""
    return kind in KINDS and KINDS[kind].counts


def is_pause(entry: Entry) -> bool:
    """Whether the run waits here, for a client's results or a person's answers."""
    return entry.kind == STEP_END and bool(entry.data.get("requires_action"))


def texts_of(entries: Iterable[Entry]) -> list[str]:
    """Return the texts of the reply among the entries, in order."""
    return [entry.data for entry in entries if KINDS[entry.kind].part == "text"]


def content_of(entries: Iterable[Entry]) -> Content:
    """Return the parts that the entries become in the stored message, neighbouring texts joined."""
    return parts_of((entry.kind, entry.data) for entry in entries)


def parts_of(pieces: Iterable[tuple[str, Any]]) -> Content:
    """Return the same of kinds and their data. Of what is no text a part has the data's fields, its
    type too where they have one; of a result that more of its kind follow none is kept."""
    parts: list[Part] = []
    kept = ((KINDS[kind], data) for kind, data in pieces)
    for kind, group in groupby((pair for pair in kept if pair[0].part), key=lambda pair: pair[0]):
        if kind.is_text:
            parts.append({"type": kind.part, "text": "".join(data for _, data in group)})
        else:
            parts += [
                {"type": kind.part, **data} for _, data in group if not data.get("preliminary")
            ]
    return tuple(parts)


def output_beside_reply(entries: Iterable[Entry]) -> str:
    """Return all that the model said besides the reply; its server counts it as output too."""
    return "".join(
        entry.data if kind.is_text else json.dumps(entry.data)
        for entry in entries
        if (kind := KINDS[entry.kind]).counts and kind.by_model and kind.part != "text"
    )


def joined(entries: Iterable[Entry]) -> Iterator[tuple[Entry, int]]:
    """Yield the entries with neighbours of one kind of text joined, each with how many it stands
    for. A joined one has the seq of its last part: a cursor taken from it skips nothing."""
    for kind, group in groupby(entries, key=lambda entry: entry.kind):
        parts = list(group)
        if len(parts) > 1 and KINDS[kind].is_text:
            yield parts[-1]._replace(data="".join(part.data for part in parts)), len(parts)
        else:
            yield from ((entry, 1) for entry in parts)


def cut(text: str, most_bytes: int) -> Iterator[str]:
    """Yield a text in parts of at most so many bytes of UTF-8, 4 or more: whole characters each."""
    raw, start = text.encode(), 0
    while start < len(raw):
        end = start + most_bytes
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # in mid-character
            end -= 1
        yield raw[start:end].decode()
        start = end


def folded(entries: Sequence[Entry]) -> list[Entry]:
    """Return what is kept of an ended run's entries: neighbouring texts joined, numbered so that
    the end keeps its number and the others come right before it."""
    kept = [entry for entry, _ in joined(e for e in entries if KINDS[e.kind].survives_folding)]
    first = entries[-1].seq + 1 - len(kept)
    return [entry._replace(seq=first + index) for index, entry in enumerate(kept)]


# --- Cursors: a place in one run's log, `<run_id>:<seq>`, the `id:` line of every native event ----

MAX_SEQ_DIGITS = 12  # no log gets near 10^12 entries; a longer number is noise


def format_cursor(run_id: str, seq: int) -> str:
    """Return the cursor just after entry `seq` of the run."""
    return f"{run_id}:{seq}"


def parse_seq(text: str) -> int:
    """Return `text` as a sequence number (0 = from the start). Raises BadCursor."""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_SEQ_DIGITS:
        raise BadCursor()
    return int(text)


def parse_cursor(text: str) -> tuple[str, int]:
    """Split `<run_id>:<seq>`. Raises BadCursor."""
    run_id, colon, seq = text.rpartition(":")
    if not colon or not run_id:
        raise BadCursor()
    return run_id, parse_seq(seq)


def seq_of_run(text: str, run_id: str) -> int:
    """Return the seq of a cursor that must be of `run_id`; a bare number counts as one. Raises
    BadCursor."""
    if ":" not in text:
        return parse_seq(text)
    named, seq = parse_cursor(text)
    if named != run_id:
        raise BadCursor()
    return seq
