"""PostgreSQL that fails: what was acknowledged stays, what is tried again is stored once, nobody
waits for ever, and service comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.core.errors import StorageUnavailable
from app.core.store import Batch, EndedRun
from app.runs.offered import behind_what_is_stored
from app.stores.postgres.store import PostgresStore
from tests.conftest import WORKER
from tests.support.cables import Cable
from tests.support.clock import START
from tests.support.postgres import SHARED, Postgres
from tests.support.samples import end_entry, ended, run_end, run_record, texts, turn_of


@pytest.fixture
def cable(postgres: Postgres) -> Iterator[Cable]:
    with closing(Cable(postgres.port)) as cable:
        yield cable


@pytest.fixture
def far(postgres: Postgres, postgres_url: str, cable: Cable) -> Iterator[PostgresStore]:
    """A store behind the cable, with a run that has said `a`."""
    store = PostgresStore(postgres.tcp_url(SHARED, port=cable.port))
    store.register_worker(WORKER, 0.0)
    store.begin_turn(turn_of())
    store.append(WORKER, Batch([("run-1", texts("a"))]))
    yield store
    store.close()


def lose_the_answer(store: PostgresStore, cable: Cable, batch: Batch) -> None:
    """Append a batch that is stored, which nobody is told."""
    cable.swallows = True
    with pytest.raises(StorageUnavailable):
        store.append(WORKER, batch)
    cable.swallows = False


def test_connections_that_are_cut_while_idle_cost_nobody_anything(
    postgres: Postgres, postgres_store: PostgresStore
) -> None:
    for number in range(3):
        run_id = f"run-{number}"
        postgres.cut_all()
        postgres_store.begin_turn(turn_of(run_id, session_id=run_id))
        postgres.cut_all()
        record = run_record(run_id, session_id=run_id)
        postgres_store.append(WORKER, ended(record, texts("a")))
        postgres.cut_all()
        assert len(postgres_store.read_entries(run_id)) == 2


def test_commit_whose_answer_was_lost_is_stored_once(far: PostgresStore, cable: Cable) -> None:
    batch = Batch([("run-1", texts("b", first=2))])
    lose_the_answer(far, cable, batch)
    assert far.read_entries("run-1") == texts("a", "b")
    far.append(WORKER, batch)
    assert far.read_entries("run-1") == texts("a", "b")

    far.append(WORKER, ended(run_record(), texts("c", first=3)))
    assert [entry.data for entry in far.read_entries("run-1")[:3]] == ["a", "b", "c"]


def test_end_whose_answer_was_lost_is_stored_once(far: PostgresStore, cable: Cable) -> None:
    batch = ended(run_record(), texts("b", first=2))
    lose_the_answer(far, cable, batch)
    far.append(WORKER, batch)

    assert [entry.seq for entry in far.read_entries("run-1")] == [1, 2, 3]
    assert [used.runs for used in far.used_by_day("ann", "")] == [1]


def test_batch_that_was_given_up_is_not_in_the_log_that_goes_on_without_it(
    far: PostgresStore, cable: Cable
) -> None:
    far.begin_turn(turn_of("run-2", session_id="s-2"))
    lose_the_answer(far, cable, Batch([("run-1", texts("never seen", first=2))]))
    far.append(WORKER, Batch([("run-2", texts("x"))]))
    end = EndedRun(run_record(), run_end("failed", "error"), (), START)
    far.append(WORKER, Batch([("run-1", [end_entry(2, end.end)])], [end]))

    assert [entry.kind for entry in far.read_entries("run-1")] == ["text", "end"]
    assert far.read_entries("run-2") == texts("x")


def test_batch_that_was_given_up_belongs_to_the_log_if_somebody_may_have_read_it(
    far: PostgresStore, cable: Cable
) -> None:
    lose_the_answer(far, cable, Batch([("run-1", texts("b", first=2))]))
    assert far.read_entries("run-1") == texts("a", "b")
    end = EndedRun(run_record(), run_end("failed", "error"), (), START)
    owed = Batch([("run-1", [end_entry(2, end.end)])], [end])
    owed, otherwise = behind_what_is_stored(owed, far.read_entries)
    far.append(WORKER, owed)

    assert otherwise == ["run-1"]
    assert far.read_entries("run-1") == [*texts("a", "b"), end_entry(3, end.end)]


def test_compaction_whose_answer_was_lost_loses_nothing(far: PostgresStore, cable: Cable) -> None:
    later = START + 60
    cable.swallows = True
    with pytest.raises(StorageUnavailable):
        far.tidy(later)
    cable.swallows = False
    far.append(WORKER, Batch([("run-1", texts("b", first=2))]))
    far.tidy(later)

    assert far.read_entries("run-1") == texts("a", "b")


def test_turn_whose_answer_was_lost_is_found_by_its_key(far: PostgresStore, cable: Cable) -> None:
    turn = turn_of("run-2", session_id="s-2", idempotency_key="k", request_hash="h")
    cable.swallows = True
    with pytest.raises(StorageUnavailable):
        far.begin_turn(turn)
    cable.swallows = False

    assert (far.find_key("ann", "k", 0.0) is None) == (far.find_session("ann", "s-2") is None)


def test_connection_that_is_dead_holds_nobody_up_for_longer_than_it_may(
    far: PostgresStore, cable: Cable
) -> None:
    cable.is_dead = True
    far.set_patience(0.2)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        far.append(WORKER, Batch([("run-1", texts("b", first=2))]))
    assert time.monotonic() - began < 5
    cable.is_dead = False

    far.set_patience(5)
    far.append(WORKER, Batch([("run-1", texts("b", first=2))]))
    assert far.read_entries("run-1") == texts("a", "b")


def test_crash_of_the_database_takes_nothing_that_was_acknowledged() -> None:
    server = Postgres(settings=("fsync=on",))
    try:
        store = PostgresStore(server.database())
        store.register_worker(WORKER, 0.0)
        store.begin_turn(turn_of())
        for seq in range(1, 51):
            store.append(WORKER, Batch([("run-1", texts("x", first=seq))]))
        server.stop("immediate")
        store.set_patience(0.1)
        with pytest.raises(StorageUnavailable):
            store.append(WORKER, Batch([("run-1", texts("x", first=51))]))
        server.start()
        store.set_patience(5)
        store.append(WORKER, Batch([("run-1", texts("y", first=51))]))
        assert [entry.seq for entry in store.read_entries("run-1")] == list(range(1, 52))
        store.close()
    finally:
        server.remove()
