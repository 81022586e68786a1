"""Which broker a server has, by where it keeps everything."""

from __future__ import annotations

import logging

from app.broker.local import LocalBroker
from app.broker.shared import SharedBroker
from app.broker.unix_bus import UnixBus, default_folder, group_of
from app.runs.ports import Clock, Runtime

log = logging.getLogger(__name__)


def make_broker(path: str | None, runtime: Runtime, clock: Clock) -> LocalBroker:
    """Return the broker of a server on that SQLite file, None for memory: others on the file are
    reached by Unix sockets."""
    if path is None:
        return LocalBroker(runtime.new_waiter, clock.monotonic)
    try:
        bus = UnixBus(default_folder(), group_of(path), runtime, clock.monotonic)
    except OSError as error:
        log.warning("other processes on this database are reached by it alone: %s", error)
        return LocalBroker(runtime.new_waiter, clock.monotonic)
    return SharedBroker(bus, runtime, clock.monotonic)
