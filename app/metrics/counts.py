"""What is counted since the start, in one place; /api/status is a view of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.core.errors import ChatError
from app.core.run_errors import RunError
from app.core.runs import RunRecord


class Counts:
    """A number for each name; thread-safe."""

    def __init__(self, *names: str) -> None:
        self._lock = threading.Lock()
        self._counts = Counter(dict.fromkeys(names, 0))  # guarded by _lock

    def add(self, name: str, change: int = 1) -> None:
        """Change the number of that name."""
        with self._lock:
            self._counts[name] += change

    def all(self) -> dict[str, int]:
        """Return all numbers."""
        with self._lock:
            return dict(self._counts)


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that is counted."""

    viewers: Counts = field(default_factory=lambda: Counts("sse", "socket"))  # watching now
    # By code, whatever way a client got them: an answer, an ack, the end of a stream.
    errors: Counts = field(default_factory=Counts)
    # That have ended, by how.
    runs: Counts = field(
        default_factory=lambda: Counts("completed", "stopped", "failed", "interrupted")
    )

    @contextmanager
    def watching(self, transport: str) -> Iterator[None]:
        """Count a viewer while the block runs."""
        self.viewers.add(transport)
        try:
            yield
        finally:
            self.viewers.add(transport, -1)

    def answered(self, error: ChatError) -> None:
        """Count an error that a request was answered with; a run's is counted at its end."""
        if not isinstance(error, RunError):
            self.errors.add(error.code)

    def run_ended(self, record: RunRecord) -> None:
        """Count a run, once, at its end."""
        self.runs.add(record.status)
        if record.error:
            self.errors.add(record.error["code"])
