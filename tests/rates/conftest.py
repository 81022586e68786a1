"""The windows, by where they are kept; a Redis of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from limits.storage import MemoryStorage

from app.rates.memory import MemoryWindows
from app.rates.redis import RedisWindows
from app.rates.sqlite import SqliteWindows
from app.rates.windows import Windows
from tests.support.redis import Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def in_memory() -> MemoryWindows:
    storage = MemoryStorage()
    return MemoryWindows(lambda: storage)


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[SqliteWindows]:
    with closing(SqliteWindows(str(tmp_path / "tandem.db.rates"))) as windows:
        yield windows


@pytest.fixture
def in_redis(redis: Redis) -> Iterator[RedisWindows]:
    with closing(RedisWindows(redis.url, "g")) as windows:
        yield windows


@pytest.fixture(params=["in_memory", "in_file", "in_redis"])
def windows(request: pytest.FixtureRequest) -> Windows:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]
