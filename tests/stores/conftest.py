"""The stores that the contract is tested over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.core.messages import Message
from app.core.runs import Turn
from app.core.store import Batch
from app.stores.memory import MemoryStore
from app.stores.postgres.store import PostgresStore
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER


class HubStore(SqliteStore):
    """Begins every turn in the hub, where nothing is in the way."""

    def begin_turn(self, turn: Turn) -> list[Message]:
        branch = self.begin_now(turn)
        assert branch is not None
        return branch


@pytest.fixture
def hub_store(sql_path: str) -> Iterator[HubStore]:
    store = HubStore(sql_path, busy_timeout_s=0.05)
    store.register_worker(WORKER, 0.0)
    yield store
    store.close()


class WaitingStore(PostgresStore):
    """Has no hub to write in: what would be written there waits here."""

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        self.append(worker_id, batch)
        return True

    def begin_now(self, turn: Turn) -> list[Message] | None:
        return self.begin_turn(turn)


Store = MemoryStore | SqliteStore | WaitingStore


@pytest.fixture
def waiting_store(postgres_url: str) -> Iterator[WaitingStore]:
    store = WaitingStore(postgres_url)
    store.register_worker(WORKER, 0.0)
    yield store
    store.close()


@pytest.fixture(params=["memory_store", "sql_store", "hub_store", "waiting_store"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def raw(sql_path: str) -> Iterator[sqlite3.Connection]:
    """Another process's connection."""
    with closing(sqlite3.connect(sql_path, isolation_level=None)) as connection:
        yield connection
