"""What the tests of chats share: a map and a service of sessions, in memory."""

from __future__ import annotations

import pytest

from app.chats.chat_interface import ChatInterface
from app.chats.session_map import SessionMap
from app.chats.session_service import SessionService
from app.providers.catalog import ProviderCatalog
from app.runs.run_service import RunService
from app.stores.memory import MemoryStore
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime

IDLE_S = 60.0
MAX_SIZE = 3


@pytest.fixture
def session_map(runs: RunService, catalog: ProviderCatalog, clock: HandClock) -> SessionMap:
    def make(owner: str, session_id: str) -> ChatInterface:
        return ChatInterface(owner, session_id, runs, catalog, clock.clock)

    return SessionMap(make, IDLE_S, MAX_SIZE, clock.clock.monotonic)


@pytest.fixture
def sessions(
    memory_store: MemoryStore,
    session_map: SessionMap,
    runs: RunService,
    runtime: ManualRuntime,
    clock: HandClock,
) -> SessionService:
    return SessionService(memory_store, session_map, runs, runtime, clock.clock)
