"""Everything of one owner, or of all, out of a store: session by session."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

import orjson

from app.core.attachments import Attachment
from app.core.store import MovableStore
from app.moving.lines import Counts, Header, Refused, owner_line, session_line
from app.moving.ports import Shelf
from app.moving.progress import Progress

PIECE = 3 * 65536  # bytes of a file that are held at a time
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
        self._add(orjson.dumps(value) + b"\n")

    def file(self, sha256: str, file: BinaryIO) -> None:
        """Write a line that has a file, a piece at a time."""
        self._add(b'{"type":"bytes","sha256":"%s","data":"' % sha256.encode())
        while piece := file.read(PIECE):
            self._add(base64.b64encode(piece))
        self._add(b'"}\n')
        self.counts.files += 1

    def _add(self, data: bytes) -> None:
        self._sha256.update(data)
        self._write(data)
        self.size += len(data)

    def end(self) -> None:
        """Write the last line."""
        sha256 = self._sha256.hexdigest()
        self.line({"type": "end", "counts": self.counts, "sha256": sha256})


class Exporter:
    """Writes everything of one owner, or of all."""

    def __init__(self, store: MovableStore, shelf: Shelf, progress: Progress) -> None:
        self._store = store
        self._shelf = shelf
        self._progress = progress
        self._written = set[bytes]()  # SHA-256 of bytes that are in the file

    def export(
        self, write: Callable[[bytes], object], made_at: float, owner: str | None = None
    ) -> Counts:
        """Write it, and return how much it was.

        Raises Refused for an owner who has nothing, and for bytes that are lost.
        """
        if owner is not None and not _has_anything(self._store, owner):
            raise Refused(f"nothing is stored of {owner!r}.")
        writer = Writer(write, Header(made_at=made_at, owner=owner))
        for one in _paged(self._store.owners) if owner is None else [owner]:
            writer.counts.owners += 1
            writer.line(owner_line(one, self._store.read_sums(one)))
            for session_id in _paged(partial(self._store.session_ids, one)):
                self._export_session(writer, one, session_id)
                self._progress.show(writer.counts.sessions, writer.size)
        writer.end()
        self._progress.finish(writer.counts.sessions, writer.size)
        return writer.counts

    def _export_session(self, writer: Writer, owner: str, session_id: str) -> None:
        whole = self._store.read_whole(owner, session_id)
        if whole is None:
            return  # deleted since
        for attachment in whole.attachments:
            try:
                self._export_bytes(writer, attachment.sha256)
            except KeyError:
                if self._store.read_whole(owner, session_id) is None:
                    return  # deleted since, and its bytes with it
                raise _lost(attachment, session_id) from None
        writer.line(session_line(whole))
        writer.counts.add_session(whole)

    def _export_bytes(self, writer: Writer, sha256: str) -> None:
        if bytes.fromhex(sha256) not in self._written:
            with self._shelf.open(sha256) as file:
                writer.file(sha256, file)
            self._written.add(bytes.fromhex(sha256))


def _lost(attachment: Attachment, session_id: str) -> Refused:
    return Refused(
        f"the bytes of attachment {attachment.id} ({attachment.name!r}, session {session_id} of "
        f"{attachment.owner!r}) are not on the shelf. Put the attachments' folder back from a "
        "backup, or delete that session."
    )


def _has_anything(store: MovableStore, owner: str) -> bool:
    return bool(store.session_ids(owner, None, 1)) or any(store.read_sums(owner))


def _paged(page: Callable[[str | None, int], list[str]]) -> Iterator[str]:
    names = page(None, PAGE)
    while names:
        yield from names
        names = page(names[-1], PAGE)
