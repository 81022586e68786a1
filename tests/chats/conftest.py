"""What the tests of chats share: a map and a service of sessions, in memory or in threads."""

from __future__ import annotations

import pytest

from app.chats.chat_interface import ChatInterface
from app.chats.ports import Catalog
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.store import Store
from app.providers.catalog import ProviderCatalog
from app.runs.ports import Clock, Runtime
from app.runs.service import RunService
from app.runtimes.threads import ThreadRuntime
from app.stores.memory import MemoryStore
from app.stores.searches import Searches
from app.stores.sqlite.store import SqliteStore
from app.usage.limits import DailyLimits
from app.wiring import RunParts
from tests.support.clock import HandClock
from tests.support.manual import OneStoreThread
from tests.support.options import ChatOptions, DailyOptions
from tests.support.running import running

IDLE_S = 60.0
MAX_SIZE = 3
NO_LIMITS = DailyLimits(DailyOptions())


def make_map(runs: RunService, catalog: Catalog, clock: Clock) -> SessionMap:
    """Return a small map."""

    def make(owner: str, session_id: str) -> ChatInterface:
        return ChatInterface(owner, session_id, runs, catalog, clock, ChatOptions())

    return SessionMap(make, IDLE_S, MAX_SIZE, clock.monotonic)


def make_sessions(
    store: MemoryStore | SqliteStore, runtime: Runtime, clock: Clock, catalog: Catalog
) -> SessionService:
    """Return a service with runs of its own, which tell it how they end."""
    parts = running(store, runtime, clock)
    return service_of(parts, store, make_map(parts.runs, catalog, clock), clock)


def service_of(
    parts: RunParts,
    store: Store,
    session_map: SessionMap,
    clock: Clock,
    daily: DailyLimits = NO_LIMITS,
) -> SessionService:
    """Return the service of sessions whose runs are of these parts."""
    searches = Searches(store, ThreadRuntime())
    return SessionService(
        store, parts.calls, session_map, parts.runs, parts.broker, clock, daily, searches
    )


@pytest.fixture
def session_map(runs: RunService, catalog: ProviderCatalog, clock: HandClock) -> SessionMap:
    return make_map(runs, catalog, clock.clock)


@pytest.fixture
def sessions(
    memory_store: MemoryStore,
    session_map: SessionMap,
    parts: RunParts,
    clock: HandClock,
) -> SessionService:
    return service_of(parts, memory_store, session_map, clock.clock)


@pytest.fixture(params=["memory_store", "sql_store"])
def threaded(request: pytest.FixtureRequest, catalog: ProviderCatalog) -> SessionService:
    """A service whose callers are threads; its store is either."""
    store: MemoryStore | SqliteStore = request.getfixturevalue(request.param)
    return make_sessions(store, OneStoreThread(), Clock(), catalog)
