"""A built server and its life: what time brings while it runs, and how it stops."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import StorageUnavailable
from app.runs.ports import Clock, Provider
from app.runs.registry import RunRegistry
from app.runs.run import interrupted
from app.runtimes.runtime import Runtime
from app.workers.siblings import Siblings

log = logging.getLogger(__name__)
TICK_S = 0.1  # how exact heartbeats and deadlines are
TICKS_A_SECOND = 10
LAST_EVENTS_S = 0.3  # for the ends to reach their viewers before the process goes


@dataclass(slots=True)
class Tandem:
    """The Flask app, and what its life needs. Implements `runtime.Server`; times in seconds."""

    app: Any  # of Flask, which only the transports know
    runtime: Runtime
    registry: RunRegistry
    clock: Clock
    answers: Provider  # where a request names nobody
    head_timeout_s: float
    viewer_stall_s: float
    requests_per_s: int
    shutdown_grace_s: float
    siblings: Siblings | None = None  # where there are several processes
    each_tick: list[Callable[[], object]] = field(default_factory=list)
    each_second: list[Callable[[], object]] = field(default_factory=list)
    at_end: list[Callable[[], object]] = field(default_factory=list)
    stopped: bool = False

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The WSGI application."""
        wsgi: Callable[..., Any] = self.app
        return wsgi

    def started(self) -> None:
        """Start the tasks that do what time brings; connections are accepted now."""
        self.runtime.spawn(self._repeat, self.each_tick, TICK_S)
        self.runtime.spawn(self._repeat, self.each_second, TICK_S * TICKS_A_SECOND)

    def _repeat(self, duties: list[Callable[[], object]], pause_s: float) -> None:
        while not self.stopped:
            self.runtime.sleep(pause_s)
            for duty in duties:
                try:
                    duty()
                except StorageUnavailable:
                    log.debug("a duty waits for the store")
                except Exception:
                    log.exception("a duty failed")

    def stopping(self) -> None:
        """Refuse new runs, give those going their grace, then interrupt them, stored and told."""
        log.info("stopping: no new replies")
        self.registry.refuse_new()
        deadline = self.clock.monotonic() + self.shutdown_grace_s
        while self.registry.going() and self.clock.monotonic() < deadline - LAST_EVENTS_S:
            self.runtime.sleep(TICK_S)
        cut = self.registry.going()
        for run in cut:
            self.runtime.spawn(run.end_with, interrupted())
        until = self.clock.monotonic() + LAST_EVENTS_S
        while self.registry.going() and self.clock.monotonic() < until:
            self.runtime.sleep(TICK_S / 10)
        if cut or self.registry.counts()["ended"]:
            self.runtime.sleep(LAST_EVENTS_S)
        self.stopped = True
        for duty in self.at_end:
            try:
                duty()
            except StorageUnavailable:
                log.warning("the store fails; the next start ends what is left")
