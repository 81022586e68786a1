"""Which workers are alive: a lock on a file for each, held by the kernel for as long as the process
lives."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

_WORKER_ID = re.compile(r"[0-9a-f]{32}\Z")


class FileLocks:
    """WorkerLocks in a folder beside the database; one host."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held: dict[str, int] = {}

    def hold(self, worker_id: str) -> None:
        """Hold the lock of this worker until it is let go, or the process dies."""
        descriptor = os.open(self._path(worker_id), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[worker_id] = descriptor

    def let_go(self, worker_id: str) -> None:
        """Let the lock go and take its file away."""
        descriptor = self._held.pop(worker_id, None)
        if descriptor is not None:
            self._path(worker_id).unlink(missing_ok=True)
            os.close(descriptor)

    def is_gone(self, worker_id: str) -> bool:
        """Whether nobody holds that worker's lock; the file of one that is gone is taken away."""
        if not _WORKER_ID.match(worker_id) or worker_id in self._held:
            return False
        try:
            descriptor = os.open(self._path(worker_id), os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            self._path(worker_id).unlink(missing_ok=True)
            return True
        finally:
            os.close(descriptor)

    def tick(self) -> None:
        """Do nothing: the kernel knows who lives."""

    def _path(self, worker_id: str) -> Path:
        return self._folder / f"{worker_id}.lock"
