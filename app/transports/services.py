"""What the transports are handed: the services, and the few figures they need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.chats.session_service import SessionService
from app.runs.interfaces import Runtime
from app.runs.run_service import RunService
from app.transports.auth import Authenticator
from app.transports.origins import OriginPolicy


class ViewerCounts:
    """How many viewers are watching, by transport; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"sse": 0, "socket": 0}  # guarded by _lock

    @contextmanager
    def watching(self, transport: str) -> Iterator[None]:
        """Count one viewer while the block runs."""
        with self._lock:
            self._counts[transport] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[transport] -= 1

    def counts(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)


@dataclass(frozen=True, slots=True)
class Services:
    """All that a transport may call; sizes in bytes."""

    runs: RunService
    sessions: SessionService
    runtime: Runtime
    auth: Authenticator
    origins: OriginPolicy
    max_body_bytes: int
    max_message_bytes: int
    about: Callable[[], dict[str, Any]]
    is_healthy: Callable[[], bool]
    viewers: ViewerCounts = field(default_factory=ViewerCounts)
