"""Which broker a server has, by where it keeps everything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

from app.broker.bus import Bus
from app.broker.buses.notify import NotifyService
from app.broker.buses.redis import RedisService
from app.broker.buses.served import ServedBus
from app.broker.buses.unix import UnixBus, default_folder
from app.broker.local import LocalBroker
from app.broker.shared import SharedBroker
from app.runs.ports import Clock, Runtime

log = logging.getLogger(__name__)


class Shared(Protocol):
    """A database, as its processes know each other."""

    def group(self) -> str:
        """Return the name of the group of its processes; empty where there can be one alone."""


@runtime_checkable
class Notifying(Protocol):
    """A database whose connections can listen."""

    def connect(self) -> Any:
        """Return a connection of psycopg's that commits each statement; may wait."""


def make_broker(database: Shared, redis_url: str, runtime: Runtime, clock: Clock) -> LocalBroker:
    """Return the broker of a process on that database, which is there: one that reaches the others
    by Redis if it is set, else by the database if that can notify, else by Unix sockets. Raises
    StorageUnavailable."""
    group = database.group()
    bus = _bus(database, group, redis_url, runtime, clock.monotonic) if group else None
    if bus is None:
        return LocalBroker(runtime.new_waiter, clock.monotonic)
    return SharedBroker(bus, runtime, clock.monotonic)


def _bus(
    database: Shared,
    group: str,
    redis_url: str,
    runtime: Runtime,
    monotonic: Callable[[], float],
) -> Bus | None:
    if redis_url:
        return ServedBus(RedisService(redis_url), f"tandem_{group}", runtime)
    if isinstance(database, Notifying):
        service = NotifyService(partial(runtime.run_apart, database.connect))
        return ServedBus(service, f"tandem_{group}", runtime)
    try:
        return UnixBus(default_folder(), group, runtime, monotonic)
    except OSError as error:
        log.warning("other processes on this database are reached by it alone: %s", error)
        return None
