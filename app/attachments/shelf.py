"""The shelf: bytes by their SHA-256, and what was made of them (a smaller picture, a PDF's text).

A folder has `ab/abcd..` for bytes whose SHA-256 begins with `ab`, `ab/abcd...<name>` for what was
made of them, and `incoming` for what is still coming; or all of it is in memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FOLDERS = 256
HEAD_BYTES = 16
INCOMING = "incoming"


class Incoming(ABC):
    """Bytes that come: written, read once more, then put on the shelf, or dropped by `close`."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0
        self._hash = hashlib.sha256()
        self._head = b""

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._hash.hexdigest()

    def begins_with(self, data: bytes) -> bool:
        """Whether what was written begins so."""
        return self._head.startswith(data)

    def write(self, data: bytes) -> None:
        """Take more. Raises OSError."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[:HEAD_BYTES]
        self.file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def finish(self) -> None:
        """Have all of it kept, whatever dies now; reads begin at the start. Raises OSError."""
        self.file.flush()
        self.file.seek(0)

    def set_aside(self) -> None:
        """Hold no open file until it is put: many may be waiting."""

    @abstractmethod
    def put(self) -> None:
        """Put it on the shelf, in one step. Raises OSError."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; what was not put is gone."""


class Shelf(ABC):
    """Where bytes are; thread-safe. All methods may block, but those that read memory."""

    @abstractmethod
    def receive(self) -> Incoming:
        """Return a place for bytes that come. Raises OSError."""

    @abstractmethod
    def open(self, sha256: str) -> BinaryIO:
        """Return the bytes as a file. Raises KeyError."""

    def read(self, sha256: str) -> bytes:
        """Return the bytes. Raises KeyError."""
        with self.open(sha256) as file:
            return file.read()

    @abstractmethod
    def made(self, sha256: str, name: str) -> bytes | None:
        """Return what was made of the bytes under that name, if it was."""

    @abstractmethod
    def keep(self, sha256: str, name: str, data: bytes) -> None:
        """Keep what was made of the bytes, for as long as they are here. Raises OSError."""

    @abstractmethod
    def drop(self, sha256: str) -> None:
        """Drop the bytes, and what was made of them; nothing if they are not here."""

    @abstractmethod
    def listed(self, folder: int) -> list[str]:
        """Return the SHA-256 of all bytes in one of the FOLDERS."""

    def drop_abandoned(self, before: float) -> None:
        """Drop what was still coming then, and never came whole."""


class FolderShelf(Shelf):
    """A folder of files, which processes may share."""

    def __init__(self, path: str) -> None:
        self._root = Path(path)

    def receive(self) -> Incoming:
        folder = self._root / INCOMING
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / secrets.token_hex(16)
        return _IncomingFile(path, open(path, "xb+"), self._place)

    def _place(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        try:
            return open(self._place(sha256), "rb")
        except FileNotFoundError:
            raise KeyError(sha256) from None

    def made(self, sha256: str, name: str) -> bytes | None:
        try:
            return self._made(sha256, name).read_bytes()
        except FileNotFoundError:
            return None

    def _made(self, sha256: str, name: str) -> Path:
        place = self._place(sha256)
        return place.with_name(f"{place.name}.{name}")

    def keep(self, sha256: str, name: str, data: bytes) -> None:
        incoming = self.receive()
        try:
            incoming.write(data)
            incoming.finish()
            if self._place(sha256).exists():
                os.replace(incoming.file.name, self._made(sha256, name))
        finally:
            incoming.close()

    def drop(self, sha256: str) -> None:
        place = self._place(sha256)
        place.unlink(missing_ok=True)
        for path in place.parent.glob(f"{sha256}.*"):
            path.unlink(missing_ok=True)

    def listed(self, folder: int) -> list[str]:
        names = _names_in(self._root / f"{folder:02x}")
        return sorted({name.partition(".")[0] for name in names})

    def drop_abandoned(self, before: float) -> None:
        for name in _names_in(self._root / INCOMING):
            path = self._root / INCOMING / name
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


class _IncomingFile(Incoming):
    def __init__(self, path: Path, file: BinaryIO, place: Callable[[str], Path]) -> None:
        super().__init__(file)
        self._path = path
        self._place = place

    def finish(self) -> None:
        super().finish()
        os.fsync(self.file.fileno())

    def set_aside(self) -> None:
        self.file.close()

    def put(self) -> None:
        place = self._place(self.sha256)
        place.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(self._path, place)

    def close(self) -> None:
        self.file.close()
        self._path.unlink(missing_ok=True)


class MemoryShelf(Shelf):
    """A dict, for the store that forgets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}  # guarded by _lock
        self._all_made: dict[str, dict[str, bytes]] = {}  # guarded by _lock

    def receive(self) -> Incoming:
        return _IncomingBytes(self._put)

    def _put(self, sha256: str, data: bytes) -> None:
        with self._lock:
            self._kept[sha256] = data

    def open(self, sha256: str) -> BinaryIO:
        with self._lock:
            return io.BytesIO(self._kept[sha256])

    def made(self, sha256: str, name: str) -> bytes | None:
        with self._lock:
            return self._all_made.get(sha256, {}).get(name)

    def keep(self, sha256: str, name: str, data: bytes) -> None:
        with self._lock:
            if sha256 in self._kept:
                self._all_made.setdefault(sha256, {})[name] = data

    def drop(self, sha256: str) -> None:
        with self._lock:
            self._kept.pop(sha256, None)
            self._all_made.pop(sha256, None)

    def listed(self, folder: int) -> list[str]:
        with self._lock:
            return [sha256 for sha256 in self._kept if int(sha256[:2], 16) == folder]


class _IncomingBytes(Incoming):
    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes)
        self._put = put

    def put(self) -> None:
        self._put(self.sha256, self._bytes.getvalue())

    def close(self) -> None:
        self.file.close()


def shelf_of(folder: str, usual: str | None) -> Shelf:
    """Return the shelf of a store: that folder, else the usual one of its database, else memory."""
    folder = folder or usual or ""
    return FolderShelf(folder) if folder else MemoryShelf()
