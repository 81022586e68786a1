"""Empty stores to import into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.attachments.shelf import FolderShelf
from app.stores.sqlite.store import SqliteStore
from tests.moving.worlds import World


@pytest.fixture(params=["memory", "sql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "memory":
        yield World()
    else:
        store: SqliteStore = request.getfixturevalue("sql_store")
        yield World(store, FolderShelf(str(tmp_path / "shelf")))
