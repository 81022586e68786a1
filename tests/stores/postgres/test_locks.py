"""Which workers a PostgreSQL database knows to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from app.core.errors import StorageUnavailable
from app.runtimes.threads import ThreadRuntime
from app.stores.postgres.locks import PostgresLocks, Silence
from app.stores.postgres.store import PostgresStore
from tests.conftest import WORKER
from tests.support.postgres import Postgres

SETTLED = Silence(settled_s=0.0)


@pytest.fixture
def raw(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def other(postgres_store: PostgresStore, postgres_url: str) -> Iterator[PostgresLocks]:
    """Of another worker, on whom the first one may rely."""
    locks = PostgresLocks(postgres_url, ThreadRuntime(), SETTLED)
    postgres_store.register_worker("other", 0.0)
    locks.hold("other")
    yield locks
    locks.let_go("other")


@pytest.fixture
def holding(postgres_store: PostgresStore, postgres_url: str) -> Iterator[PostgresLocks]:
    locks = PostgresLocks(postgres_url, ThreadRuntime(), SETTLED)
    locks.hold(WORKER)
    yield locks
    locks.let_go(WORKER)


def silent_for(raw: psycopg.Connection[Any], seconds: float) -> None:
    """Let the worker have said nothing for so long."""
    now = "extract(epoch FROM clock_timestamp())"
    raw.execute(f"UPDATE workers SET seen_at = {now} - {seconds} WHERE id = 'worker'".encode())


@pytest.mark.parametrize("seconds,gone", [(0, False), (1, False), (3, True), (11, True)])
def test_silent_worker_whose_lock_is_free_is_gone_soon(
    other: PostgresLocks, raw: psycopg.Connection[Any], seconds: float, gone: bool
) -> None:
    silent_for(raw, seconds)
    other._beat()

    assert other.is_gone(WORKER) is gone


@pytest.mark.parametrize("seconds,gone", [(0, False), (3, False), (9, False), (11, True)])
def test_silent_worker_that_holds_its_lock_is_gone_late(
    other: PostgresLocks,
    holding: PostgresLocks,
    raw: psycopg.Connection[Any],
    seconds: float,
    gone: bool,
) -> None:
    silent_for(raw, seconds)
    other._beat()

    assert other.is_gone(WORKER) is gone


def test_worker_says_that_it_lives(
    other: PostgresLocks, holding: PostgresLocks, raw: psycopg.Connection[Any]
) -> None:
    silent_for(raw, 11)
    holding._beat()
    other._beat()

    assert not other.is_gone(WORKER)
    assert not other.is_gone("other")


def test_nobody_is_gone_soon_after_the_database_has_started(
    other: PostgresLocks, postgres_url: str, raw: psycopg.Connection[Any]
) -> None:
    silent_for(raw, 11)
    careful = PostgresLocks(postgres_url, ThreadRuntime(), Silence(settled_s=1e9))
    careful.hold("other")

    assert not careful.is_gone(WORKER)
    careful.let_go("other")


def test_nobody_is_gone_for_one_who_was_silent_itself(
    other: PostgresLocks, postgres_url: str, raw: psycopg.Connection[Any]
) -> None:
    slow = PostgresLocks(postgres_url, ThreadRuntime(), Silence(0.0, 10.0, 0.001))
    slow.hold("other")
    silent_for(raw, 11)
    slow._silence = Silence(0.0, 10.0, 1e6)
    slow._beat()
    slow._silence = SETTLED
    slow._beat()

    assert not slow.is_gone(WORKER)
    slow.let_go("other")


def test_lock_is_taken_again_on_a_new_connection(
    other: PostgresLocks, holding: PostgresLocks, postgres: Postgres, raw: psycopg.Connection[Any]
) -> None:
    [pid] = [row[0] for row in raw.execute(BACKEND_OF_LOCK).fetchall()]
    raw.execute("SELECT pg_terminate_backend(%s)", (pid,))
    while raw.execute(BACKEND_OF_LOCK).fetchall():
        pass
    with pytest.raises(StorageUnavailable):
        holding._beat()
    holding._beat()

    assert len(raw.execute(BACKEND_OF_LOCK).fetchall()) == 1


BACKEND_OF_LOCK = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory'
AND (classid::bigint << 32) + objid::bigint = hashtextextended('tandem worker worker', 0)
"""


def test_worker_that_leaves_lets_its_lock_go(
    holding: PostgresLocks, raw: psycopg.Connection[Any]
) -> None:
    assert raw.execute(BACKEND_OF_LOCK).fetchall()
    holding.let_go(WORKER)
    while raw.execute(BACKEND_OF_LOCK).fetchall():
        pass


def test_who_cannot_reach_the_database_holds_nothing() -> None:
    locks = PostgresLocks("postgresql:///x?host=/nowhere", ThreadRuntime())

    with pytest.raises(StorageUnavailable):
        locks.hold(WORKER)
    assert not locks.is_gone(WORKER)
