"""The stores that the contract is tested over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.core.messages import Message
from app.core.runs import Turn
from app.stores.memory import MemoryStore
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER

Store = MemoryStore | SqliteStore


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


@pytest.fixture(params=["memory_store", "sql_store", "hub_store"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def raw(sql_path: str) -> Iterator[sqlite3.Connection]:
    """Another process's connection."""
    with closing(sqlite3.connect(sql_path, isolation_level=None)) as connection:
        yield connection
