"""Everything of one owner, or of all, out of a store: session by session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson

from app.core.store import MovableStore
from app.moving.lines import Counts, Header, Refused, owner_line, session_line
from app.moving.progress import Progress

PAGE = 500  # owners, and ids of sessions, that are held at a time


class Writer:
    """Writes lines, counts them, and ends them with a checksum."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self.counts = Counts()
        self.size = 0
        self._write = write
        self._sha256 = hashlib.sha256()
        write(orjson.dumps(header.model_dump()) + b"\n")

    def line(self, value: Any) -> None:
        """Write a line."""
        line = orjson.dumps(value) + b"\n"
        self._sha256.update(line)
        self._write(line)
        self.size += len(line)

    def end(self) -> None:
        """Write the last line."""
        sha256 = self._sha256.hexdigest()
        self.line({"type": "end", "counts": self.counts, "sha256": sha256})


def export_all(
    store: MovableStore,
    write: Callable[[bytes], object],
    made_at: float,
    owner: str | None,
    progress: Progress,
) -> Counts:
    """Write everything of the owner, or of all. Raises Refused for an owner who has nothing."""
    if owner is not None and not _has_anything(store, owner):
        raise Refused(f"nothing is stored of {owner!r}.")
    writer = Writer(write, Header(made_at=made_at, owner=owner))
    for one in _paged(store.owners) if owner is None else [owner]:
        writer.counts.owners += 1
        writer.line(owner_line(one, store.read_sums(one)))
        for session_id in _paged(partial(store.session_ids, one)):
            whole = store.read_whole(one, session_id)
            if whole is not None:  # else it was deleted since
                writer.line(session_line(whole))
                writer.counts.add_session(whole)
                progress.show(writer.counts.sessions, writer.size)
    writer.end()
    progress.finish(writer.counts.sessions, writer.size)
    return writer.counts


def _has_anything(store: MovableStore, owner: str) -> bool:
    return bool(store.session_ids(owner, None, 1)) or any(store.read_sums(owner))


def _paged(page: Callable[[str | None, int], list[str]]) -> Iterator[str]:
    names = page(None, PAGE)
    while names:
        yield from names
        names = page(names[-1], PAGE)
