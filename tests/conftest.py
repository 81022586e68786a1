"""What the fast tests share: a clock moved by hand, a scripted provider, stores, a runtime that
waits to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from app.providers.catalog import ProviderCatalog
from app.runs.service import RunService
from app.stores.memory import MemoryStore
from app.stores.postgres.store import PostgresStore
from app.stores.sql.migrate import migrate
from app.stores.sqlite.store import SqliteStore
from app.wiring import RunParts
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.options import RunOptions
from tests.support.postgres import Postgres
from tests.support.running import running
from tests.support.scripted import ScriptedProvider
from tests.support.sse import SseStream
from tests.support.upstream import Reply, Upstream, say

WORKER = "worker"

# A slow machine is no failure, and a run in CI is to be the same as the one before.
settings.register_profile("tandem", deadline=None, derandomize=True)
settings.load_profile("tandem")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def scripted() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def catalog(scripted: ScriptedProvider) -> ProviderCatalog:
    return ProviderCatalog({}, {}, scripted, "")


@pytest.fixture
def runtime(clock: HandClock) -> ManualRuntime:
    return ManualRuntime(clock)


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def sql_path(tmp_path: Path) -> str:
    """A SQLite file with this code's schema."""
    path = str(tmp_path / "tandem.db")
    migrate(path)
    return path


@pytest.fixture
def sql_store(sql_path: str) -> Iterator[SqliteStore]:
    store = SqliteStore(sql_path, busy_timeout_s=0.05)
    store.register_worker(WORKER, 0.0)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """A PostgreSQL database with this code's schema."""
    return postgres.database()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres_url, timeout_s=5)
    store.register_worker(WORKER, 0.0)
    yield store
    store.close()


@pytest.fixture
def parts(memory_store: MemoryStore, runtime: ManualRuntime, clock: HandClock) -> RunParts:
    """What runs are made of, with small limits, in memory."""
    limits = RunOptions(
        max_runs=2,
        max_runs_per_user=2,
        max_reply_bytes=1000,
        first_delta_timeout_s=10,
        run_timeout_s=60,
        store_timeout_s=1,
        heartbeat_s=5,
    )
    return running(memory_store, runtime, clock.clock, limits)


@pytest.fixture
def runs(parts: RunParts) -> RunService:
    """The service."""
    return parts.runs


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """The upstream, as new."""
    shared_upstream.reply = say(
        ["Hello", " there"], usage={"prompt_tokens": 5, "completion_tokens": 2}
    )
    shared_upstream.replies = {}
    shared_upstream.exchanges = []
    return shared_upstream


@pytest.fixture
def make_upstream() -> Iterator[Callable[[Reply], Upstream]]:
    """Start further upstreams, each with its reply."""
    made: list[Upstream] = []

    def make(reply: Reply) -> Upstream:
        made.append(Upstream())
        made[-1].reply = reply
        return made[-1]

    yield make
    for upstream in made:
        upstream.close()


@pytest.fixture(autouse=True)
def no_stream_left_open() -> Iterator[None]:
    yield
    while SseStream.opened:
        SseStream.opened.pop().close()
