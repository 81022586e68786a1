"""Empty stores to import into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.attachments.shelf import FolderShelf
from app.stores.postgres.store import PostgresStore
from app.stores.sqlite.store import SqliteStore
from tests.moving.worlds import World


@pytest.fixture(params=["memory", "sql_store", "postgres_store"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "memory":
        yield World()
    else:
        store: SqliteStore | PostgresStore = request.getfixturevalue(request.param)
        yield World(store, FolderShelf(str(tmp_path / "shelf")))
