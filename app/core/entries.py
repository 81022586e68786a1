"""The entries of a run log, and the one table of their kinds.

Whoever treats kinds differently asks the table; a set of names of kinds elsewhere is a fault. A
kind that is added here is stored, packed, folded, recorded, replayed and resumed; a dialect that
has no place for it skips it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

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
    part: str = ""  # the type of part that it becomes in the stored message; "text": the reply
    survives_folding: bool = False
    on_request: bool = False  # shown only to those who ask for it; all others see every entry

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

# Those without `counts` are ours: what the server did, not what the model said.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(TEXT, 116, is_text=True, counts=True, part="text", survives_folding=True),
        Kind(REASONING, 114, is_text=True, counts=True, on_request=True),
        Kind(STATUS, 115),
        Kind(REFUSAL, 102, is_text=True, counts=True, part="refusal", survives_folding=True),
        Kind("tool_call", 99, counts=True, survives_folding=True),
        Kind("tool_args", 97, counts=True, on_request=True),  # tool_ready has all of them
        Kind("tool_ready", 121, survives_folding=True),
        Kind("approval", 63, survives_folding=True),
        Kind("approval_answer", 33, survives_folding=True),
        Kind("tool_started", 98, survives_folding=True),
        Kind("tool_result", 61, counts=True, survives_folding=True),
        Kind("step_end", 47, survives_folding=True),
        Kind("file", 105, survives_folding=True),
        Kind(END, 46, survives_folding=True),
    )
}
BY_CODE: dict[int, Kind] = {kind.code: kind for kind in KINDS.values()}


def is_content(kind: str) -> bool:
    """Whether that is a kind of entry by which the model says something."""
    return kind in KINDS and KINDS[kind].counts


def texts_of(entries: Iterable[Entry]) -> list[str]:
    """Return the texts of the reply among the entries, in order."""
    return [entry.data for entry in entries if KINDS[entry.kind].part == "text"]


def content_of(entries: Iterable[Entry]) -> Content:
    """Return the parts that the entries become in the stored message, neighbours joined."""
    parts: list[Part] = []
    kept = ((KINDS[entry.kind].part, entry.data) for entry in entries)
    for name, group in groupby((pair for pair in kept if pair[0]), key=lambda pair: pair[0]):
        parts.append({"type": name, "text": "".join(data for _, data in group)})
    return tuple(parts)


def output_beside_reply(entries: Iterable[Entry]) -> str:
    """Return all that the model said besides the reply; its server counts it as output too."""
    return "".join(
        entry.data if kind.is_text else json.dumps(entry.data)
        for entry in entries
        if (kind := KINDS[entry.kind]).counts and kind.part != "text"
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
