"""The runs of this process, as other processes reach them."""

from __future__ import annotations

from collections.abc import Callable

from app.core.broker import Stop
from app.core.runs import Receipt
from app.runs.registry import RunRegistry
from app.runs.run import Run
from app.runs.worker import Worker


class OwnedRuns:
    """Implements `broker.Worker`."""

    def __init__(
        self, worker: Worker, registry: RunRegistry, stop: Callable[[str, str], Receipt]
    ) -> None:
        self._worker = worker
        self._registry = registry
        self._stop = stop

    @property
    def id(self) -> str:
        return self._worker.id

    def find(self, run_id: str) -> Run | None:
        return self._registry.get(run_id)

    def obey(self, command: Stop) -> Receipt:
        return self._stop(command.owner, command.run_id)
