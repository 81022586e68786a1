"""Commits that PostgreSQL is given in the hub: stored as by `append`, once and in order, whatever
becomes of their connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from app.core.errors import StorageUnavailable
from app.core.run_errors import RunInterrupted
from app.core.store import Batch, WorkerLost
from app.stores.postgres.store import PostgresStore
from tests.conftest import WORKER
from tests.support.cables import Cable
from tests.support.clock import START
from tests.support.hand_hub import HandHub
from tests.support.manual import WAIT_S
from tests.support.postgres import SHARED, Postgres
from tests.support.samples import ended, run_record, texts, turn_of

TIMEOUT_S = 1.0


class Hubbed:
    """A store with a hub, and a run; `a` is stored, after which it knows its journal."""

    def __init__(self, url: str) -> None:
        self.hub = HandHub()
        self.store = PostgresStore(url, TIMEOUT_S, self.hub)
        self.store.register_worker(WORKER, 0.0)
        self.store.begin_turn(turn_of())
        self.last_seq = 0
        self.connect()

    def next(self, text: str) -> Batch:
        """Return a batch that goes on with the run."""
        self.last_seq += 1
        return Batch([("run-1", texts(text, first=self.last_seq))])

    def begin(self, batch: Batch) -> list[bool] | None:
        """Begin to store it; return what is told of it, as it comes, or None if it is refused."""
        told: list[bool] = []
        return told if self.store.append_soon(WORKER, batch, told.append) else None

    def soon(self, batch: Batch) -> bool:
        """Store it in the hub; return whether that is known."""
        told = self.begin(batch)
        assert told is not None
        self.hub.turn_until(lambda: told)
        assert len(told) == 1
        return told[0]

    def append(self, batch: Batch) -> None:
        """Store it by the other way, tried until it works, as the committer does."""

        def is_stored() -> bool:
            try:
                self.store.append(WORKER, batch)
            except StorageUnavailable:
                return False
            return True

        self.hub.turn_until(is_stored)

    def connect(self) -> None:
        """Store by either way until it goes by the hub again."""

        def is_soon() -> bool:
            batch = self.next("a")
            told = self.begin(batch)
            if told is not None:
                self.hub.turn_until(lambda: told)
            if not told or not told[0]:
                self.append(batch)
            return bool(told and told[0])

        self.hub.turn_until(is_soon)

    def check(self) -> None:
        """Everything is stored once."""
        seqs = [entry.seq for entry in self.store.read_entries("run-1")]
        assert seqs == list(range(1, self.last_seq + 1))


@pytest.fixture
def hubbed(postgres_url: str) -> Iterator[Hubbed]:
    hubbed = Hubbed(postgres_url)
    yield hubbed
    hubbed.store.close()


@pytest.fixture
def cable(postgres: Postgres) -> Iterator[Cable]:
    with closing(Cable(postgres.port)) as cable:
        yield cable


@pytest.fixture
def far(postgres: Postgres, postgres_url: str, cable: Cable) -> Iterator[Hubbed]:
    hubbed = Hubbed(postgres.tcp_url(SHARED, port=cable.port))
    yield hubbed
    hubbed.store.close()


def test_without_a_hub_nothing_is_stored_soon(postgres_store: PostgresStore) -> None:
    postgres_store.begin_turn(turn_of())
    batch = Batch([("run-1", texts("a"))])
    assert not postgres_store.append_soon(WORKER, batch, pytest.fail)
    assert not postgres_store.read_entries("run-1")


def test_batches_are_stored_in_order(hubbed: Hubbed) -> None:
    before = hubbed.last_seq
    for text in "xyz":
        assert hubbed.soon(hubbed.next(text))
    hubbed.check()
    entries = hubbed.store.read_entries("run-1", before)
    assert "".join(entry.data for entry in entries) == "xyz"


def test_it_is_not_told_before_it_is_stored(hubbed: Hubbed) -> None:
    told = hubbed.begin(hubbed.next("x"))
    assert told == []
    hubbed.hub.turn_until(lambda: told)
    hubbed.check()


def test_one_batch_at_a_time(hubbed: Hubbed) -> None:
    told = hubbed.begin(hubbed.next("x"))
    second = hubbed.next("y")
    assert hubbed.begin(second) is None
    hubbed.hub.turn_until(lambda: told)
    assert hubbed.soon(second)
    hubbed.check()


def test_an_end_is_left_to_the_threads_and_what_follows_it_is_not(hubbed: Hubbed) -> None:
    hubbed.store.begin_turn(turn_of("run-2", session_id="s-2"))
    assert hubbed.soon(Batch([("run-2", texts("p"))]))
    end = ended(run_record("run-2", session_id="s-2"), texts("q", first=2))
    assert hubbed.begin(end) is None
    hubbed.store.append(WORKER, end)
    assert hubbed.soon(hubbed.next("x"))
    hubbed.check()
    assert [entry.seq for entry in hubbed.store.read_entries("run-2")] == [1, 2, 3]


def test_what_is_compacted_is_left_to_the_threads(hubbed: Hubbed) -> None:
    for _ in range(300):
        batch = hubbed.next("x")
        told = hubbed.begin(batch)
        if told is None:
            hubbed.store.append(WORKER, batch)
            break
        hubbed.hub.turn_until(lambda: told)
    else:
        pytest.fail("nothing is ever compacted")
    hubbed.connect()  # after some that also delete what is compacted
    hubbed.check()


def test_a_batch_that_does_not_follow_is_refused(hubbed: Hubbed) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        hubbed.begin(Batch([("run-1", texts("x", first=hubbed.last_seq + 5))]))
    assert hubbed.soon(hubbed.next("y"))
    hubbed.check()


def test_more_than_a_socket_takes_at_once_is_stored(hubbed: Hubbed) -> None:
    assert hubbed.soon(hubbed.next("x" * 3_000_000))
    hubbed.check()


def test_worker_that_was_taken_for_dead_stores_nothing(hubbed: Hubbed) -> None:
    hubbed.store.take_over(WORKER, RunInterrupted().end_data(), START)
    stored = hubbed.store.read_entries("run-1")
    batch = hubbed.next("late")
    assert not hubbed.soon(batch)
    with pytest.raises(WorkerLost):
        hubbed.store.append(WORKER, batch)
    assert hubbed.store.read_entries("run-1") == stored


def test_worker_that_is_another_now_goes_on(hubbed: Hubbed) -> None:
    hubbed.store.register_worker("another", 0.0)
    hubbed.store.begin_turn(turn_of("run-2", session_id="s-2", worker_id="another"))
    batch = Batch([("run-2", texts("x"))])
    assert not hubbed.store.append_soon("another", batch, pytest.fail)
    hubbed.store.append("another", batch)
    told: list[bool] = []
    assert hubbed.store.append_soon("another", Batch([("run-2", texts("y", first=2))]), told.append)
    hubbed.hub.turn_until(lambda: told)
    assert hubbed.store.read_entries("run-2") == texts("x", "y")


def test_compaction_waits_for_the_batch_that_is_under_way(
    hubbed: Hubbed, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM workers FOR UPDATE")  # as who takes it over does
        told = hubbed.begin(hubbed.next("x"))
        compacting = threading.Thread(target=hubbed.store.tidy, args=(START + 60,))
        compacting.start()
        other.rollback()
        hubbed.hub.turn_until(lambda: told)
    compacting.join(WAIT_S)
    assert told == [True] and not compacting.is_alive()
    assert hubbed.soon(hubbed.next("y"))
    hubbed.check()


def test_batch_whose_answer_was_lost_is_stored_once(far: Hubbed, cable: Cable) -> None:
    batch = far.next("b")
    cable.swallows = True
    assert not far.soon(batch)
    cable.swallows = False
    far.check()

    far.store.append(WORKER, batch)
    far.connect()
    far.check()


def test_batch_that_was_given_up_leaves_its_number_behind(far: Hubbed, cable: Cable) -> None:
    far.store.begin_turn(turn_of("run-2", session_id="s-2"))
    cable.swallows = True
    assert not far.soon(far.next("never seen"))
    cable.swallows = False
    far.last_seq -= 1
    far.store.append(WORKER, Batch([("run-2", texts("x"))]))
    far.store.append(WORKER, ended(run_record(), texts("b", first=far.last_seq + 1)))

    assert far.store.read_entries("run-2") == texts("x")
    assert "never seen" not in [entry.data for entry in far.store.read_entries("run-1")]


def test_answer_that_does_not_come_is_not_waited_for_and_its_connection_is_closed(
    far: Hubbed, cable: Cable
) -> None:
    batch = far.next("b")
    cable.is_dead = True
    assert not far.soon(batch)
    cable.is_dead = False

    far.store.append(WORKER, batch)
    far.connect()
    far.check()


def test_connections_that_are_cut_while_idle_are_made_anew(
    hubbed: Hubbed, postgres: Postgres
) -> None:
    for _ in range(3):
        postgres.cut_all()
        hubbed.connect()
    hubbed.check()


def test_connection_that_is_cut_under_a_batch_is_made_anew(
    hubbed: Hubbed, postgres: Postgres
) -> None:
    for _ in range(3):
        batch = hubbed.next("x")
        told = hubbed.begin(batch)
        postgres.cut_all()
        hubbed.hub.turn_until(lambda told=told: told)
        if told == [False]:
            hubbed.append(batch)
        hubbed.connect()
    hubbed.check()


def test_database_that_is_stopped_and_started_is_found_again() -> None:
    server = Postgres()
    try:
        hubbed = Hubbed(server.database())
        server.stop("immediate")
        batch = hubbed.next("x")
        told = hubbed.begin(batch)
        if told is not None:
            hubbed.hub.turn_until(lambda: told)
            assert told == [False]
        assert hubbed.begin(batch) is None
        server.start()
        hubbed.append(batch)
        hubbed.connect()
        hubbed.check()
        hubbed.store.close()
    finally:
        server.remove()
