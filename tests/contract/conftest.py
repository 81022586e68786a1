"""The stores that the contract is tested over."""

from __future__ import annotations

import pytest

from app.stores.memory import MemoryStore
from app.stores.sql import SqlStore

Store = MemoryStore | SqlStore


@pytest.fixture(params=["memory_store", "sql_store"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]
