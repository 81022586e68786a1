"""What several threads and processes do at once in one PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from app.core.attachments import Attachment
from app.core.errors import AttachmentInUse, ChatError, InvalidRequest, NotFound, SessionBusy
from app.core.run_errors import RunInterrupted
from app.core.runs import AlreadyStarted
from app.core.store import Batch, WorkerLost
from app.stores.postgres.store import PostgresStore
from tests.conftest import WORKER
from tests.stores.test_waiting import OUTPUT, YES, waiting
from tests.support.clock import START
from tests.support.manual import WAIT_S, at_once
from tests.support.samples import ended, run_record, texts, turn_of

LOST = RunInterrupted().end_data()


@pytest.fixture
def raw(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Another process's connection."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@contextmanager
def held(raw: psycopg.Connection[Any], statement: str) -> Iterator[None]:
    """Be in the middle of a transaction that has run the statement; it is committed at the end."""
    with raw.transaction():
        raw.execute(statement.encode())
        yield


def waiting_for_a_lock(raw: psycopg.Connection[Any], count: int = 1) -> None:
    """Return once so many others wait for a lock."""
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    while raw.execute(waiting).fetchone()[0] < count:  # type: ignore[index]
        pass


class Beside:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except Exception as error:
            self._outcome = error

    def outcome(self) -> Any:
        """Return what it returned or raised."""
        self._thread.join(WAIT_S)
        return self._outcome


def outcomes(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Return what the calls returned or raised, all made at once."""

    def run(index: int) -> Any:
        try:
            return call(index)
        except (ChatError, AlreadyStarted, WorkerLost) as error:
            return error

    return at_once(count, run)


@pytest.mark.parametrize("is_there", [False, True])
def test_of_many_turns_in_one_session_one_begins_and_all_others_are_told(
    postgres_store: PostgresStore, is_there: bool
) -> None:
    if is_there:
        postgres_store.begin_turn(turn_of())
        postgres_store.append(WORKER, ended(run_record(), texts("a")))

    told = outcomes(12, lambda index: postgres_store.begin_turn(turn_of(f"run-{index + 2}")))
    busy = [one for one in told if isinstance(one, SessionBusy)]
    found = postgres_store.find_session("ann", "s-1")
    assert len(busy) == 11 and found is not None
    assert {one.run_id for one in busy} == {found.active_run_id}
    assert found.message_count == (4 if is_there else 2)


def test_of_many_sends_with_one_key_one_begins(postgres_store: PostgresStore) -> None:
    def begin(index: int) -> Any:
        fields = {"idempotency_key": "k", "request_hash": "h"}
        turn = turn_of(f"run-{index}", session_id=f"s-{index}", **fields)
        return postgres_store.begin_turn(turn)

    told = outcomes(12, begin)
    joined = [one.run_id for one in told if isinstance(one, AlreadyStarted)]
    assert len(joined) == 11 and len(set(joined)) == 1
    assert postgres_store.count_sessions() == 1


def test_numbers_are_given_once(postgres_store: PostgresStore) -> None:
    given = at_once(20, lambda _: postgres_store.next_number("ann"))

    assert sorted(given) == list(range(1, 21))


def test_branch_is_not_changed_under_a_run_that_begins(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any]
) -> None:
    postgres_store.begin_turn(turn_of())
    postgres_store.append(WORKER, ended(run_record(), texts("a")))
    begun = """
    UPDATE sessions SET updated_at = updated_at + 1;
    UPDATE runs SET ended_at = NULL, status = 'running'
    """
    with held(raw, begun):
        using = Beside(lambda: postgres_store.use_leaf("ann", "s-1", "run-1-message"))
        waiting_for_a_lock(raw)

    assert isinstance(using.outcome(), SessionBusy)


def test_append_that_came_first_is_in_what_is_taken_over(
    postgres_store: PostgresStore, postgres_url: str, raw: psycopg.Connection[Any]
) -> None:
    postgres_store.begin_turn(turn_of())
    appended = f"""
    SELECT 1 FROM workers WHERE id = '{WORKER}' FOR KEY SHARE;
    INSERT INTO journal VALUES ('{WORKER}', 1, '[["run-1", 1, [["text", "seen", 1.0]]]]')
    """
    with held(raw, appended):
        taking = Beside(lambda: postgres_store.take_over(WORKER, LOST, START))
        waiting_for_a_lock(raw)

    assert taking.outcome() == ["run-1"]
    kinds = [(entry.seq, entry.kind) for entry in postgres_store.read_entries("run-1")]
    assert kinds == [(1, "text"), (2, "end")]


@pytest.mark.parametrize("ends", [False, True])
def test_append_that_comes_after_a_take_over_is_refused(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any], ends: bool
) -> None:
    postgres_store.begin_turn(turn_of())
    batch = ended(run_record(), texts("late")) if ends else Batch([("run-1", texts("late"))])
    taken = f"""
    SELECT 1 FROM workers WHERE id = '{WORKER}' FOR UPDATE;
    UPDATE workers SET lost_at = 1.0 WHERE id = '{WORKER}'
    """
    with held(raw, taken):
        appending = Beside(lambda: postgres_store.append(WORKER, batch))
        waiting_for_a_lock(raw)

    assert isinstance(appending.outcome(), WorkerLost)
    assert postgres_store.read_entries("run-1") == []


def test_turn_of_a_worker_that_is_taken_over_does_not_begin(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any]
) -> None:
    taken = (
        f"SELECT 1 FROM workers WHERE id = '{WORKER}' FOR UPDATE; UPDATE workers SET lost_at = 1"
    )
    with held(raw, taken):
        beginning = Beside(lambda: postgres_store.begin_turn(turn_of()))
        waiting_for_a_lock(raw)

    assert isinstance(beginning.outcome(), WorkerLost)
    assert postgres_store.find_run("ann", "run-1") is None


def test_many_take_over_one_worker_once(postgres_store: PostgresStore) -> None:
    for number in range(3):
        postgres_store.begin_turn(turn_of(f"run-{number}", session_id=f"s-{number}"))

    taken = outcomes(6, lambda _: postgres_store.take_over(WORKER, LOST, START))
    assert sorted(map(len, taken)) == [0, 0, 0, 0, 0, 3]
    for number in range(3):
        entries = postgres_store.read_entries(f"run-{number}")
        assert [entry.kind for entry in entries] == ["end"]


def test_sessions_are_deleted_while_their_runs_end(postgres_store: PostgresStore) -> None:
    count = 8
    for number in range(count):
        postgres_store.begin_turn(turn_of(f"run-{number}", session_id=f"s-{number}"))
    batch = Batch()
    for number in range(count):
        one = ended(run_record(f"run-{number}", session_id=f"s-{number}"), texts("a"))
        batch.entries += one.entries
        batch.ends += one.ends

    def act(index: int) -> Any:
        if index == count:
            return postgres_store.append(WORKER, batch)
        return postgres_store.delete_session("ann", f"s-{index}")

    assert outcomes(count + 1, act) == [True] * count + [None]
    assert postgres_store.count_sessions() == 0


def test_answers_that_come_at_once_are_all_taken(postgres_store: PostgresStore) -> None:
    entries = waiting(postgres_store)

    def answer(index: int) -> Any:
        reply = [YES, OUTPUT][index % 2]
        return postgres_store.answer("ann", "run-1", [reply], WORKER, START)

    answers = outcomes(6, answer)
    assert sorted(len(one.entries) for one in answers) == [0, 0, 0, 0, 1, 1]
    assert [one.branch is not None for one in answers].count(True) == 1
    seqs = [entry.seq for entry in postgres_store.read_entries("run-1")]
    assert seqs == list(range(1, len(entries) + 3))


def test_waiting_run_is_ended_once(postgres_store: PostgresStore) -> None:
    waiting(postgres_store)

    told = outcomes(6, lambda _: postgres_store.end_waiting("ann", "run-1", "denied", START))
    assert [bool(entries) for entries in told].count(True) == 1
    assert postgres_store.read_entries("run-1")[-1].kind == "end"


def test_old_runs_are_folded_by_one(postgres_store: PostgresStore) -> None:
    postgres_store.begin_turn(turn_of())
    postgres_store.append(WORKER, ended(run_record(), texts("a", "b")))

    folded = at_once(6, lambda _: postgres_store.fold(START + 1e6, 10))
    assert sum(folded) == 1
    assert [entry.data for entry in postgres_store.read_entries("run-1")][0] == "ab"


class Shelf:
    """Which bytes are there, and whether two were ever at it at once."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.at_it = 0
        self.crowded = False

    def put(self, sha256: str) -> None:
        self._alone(lambda: self.there.add(sha256))

    def drop(self, sha256: str) -> None:
        self._alone(lambda: self.there.discard(sha256))

    def _alone(self, act: Callable[[], None]) -> None:
        self.at_it += 1
        self.crowded = self.crowded or self.at_it > 1
        act()
        self.at_it -= 1


def attachment(attachment_id: str, sha256: str = "a" * 64) -> Attachment:
    return Attachment(attachment_id, "ann", f"{attachment_id}.txt", "text/plain", 10, sha256, START)


def test_bytes_that_two_have_are_there_as_long_as_one_does(postgres_store: PostgresStore) -> None:
    shelf = Shelf()

    def act(index: int) -> Any:
        one = attachment(f"at-{index // 2}-{index % 2}")
        postgres_store.add_attachment(one, lambda: shelf.put(one.sha256), 10**9)
        if index % 2:
            postgres_store.delete_attachment("ann", one.id, shelf.drop)
        return None

    assert outcomes(16, act) == [None] * 16
    assert (shelf.there, shelf.crowded) == ({"a" * 64}, False)


def test_attachment_that_a_turn_names_meanwhile_is_not_swept(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any]
) -> None:
    shelf = Shelf()
    postgres_store.begin_turn(turn_of())
    postgres_store.add_attachment(attachment("at-1"), lambda: shelf.put("a" * 64), 10**9)
    named = """
    UPDATE attachments SET used = TRUE;
    INSERT INTO message_attachments VALUES ('at-1', 'run-1-message')
    """
    with held(raw, named):
        sweeping = Beside(lambda: postgres_store.sweep_attachments("", 10, START + 1e6, shelf.drop))
        deleting = Beside(lambda: postgres_store.delete_attachment("ann", "at-1", shelf.drop))
        waiting_for_a_lock(raw, 2)

    assert sweeping.outcome() is None
    assert isinstance(deleting.outcome(), AttachmentInUse)
    assert shelf.there == {"a" * 64}
    assert postgres_store.find_attachment("ann", "at-1") is not None


def test_turn_does_not_name_what_is_swept_meanwhile(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any]
) -> None:
    postgres_store.add_attachment(attachment("at-1"), lambda: None, 10**9)
    turn = turn_of()
    message = replace(turn.messages[0], content=(attachment("at-1").part,))
    with held(raw, "DELETE FROM attachments"):
        beginning = Beside(lambda: postgres_store.begin_turn(replace(turn, messages=(message,))))
        waiting_for_a_lock(raw)

    assert isinstance(beginning.outcome(), InvalidRequest)
    assert postgres_store.find_run("ann", "run-1") is None


def test_session_that_is_deleted_meanwhile_is_not_found(
    postgres_store: PostgresStore, raw: psycopg.Connection[Any]
) -> None:
    postgres_store.begin_turn(turn_of())
    postgres_store.append(WORKER, ended(run_record(), texts("a")))
    turn = replace(turn_of("run-2"), must_exist=True)
    with held(raw, "DELETE FROM sessions"):
        beginning = Beside(lambda: postgres_store.begin_turn(turn))
        waiting_for_a_lock(raw)

    assert isinstance(beginning.outcome(), NotFound)
