"""Searches in PostgreSQL, while others write and while the server is busy."""

from __future__ import annotations

from itertools import count

import psycopg

from app.core.sessions import Page
from app.stores.postgres.store import PostgresStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.postgres import Postgres
from tests.support.samples import ended, run_record, texts, turn_of


def say(store: PostgresStore, number: int, text: str) -> None:
    """Store a session of that number."""
    run_id, session_id = f"run-{number}", f"s-{number}"
    store.begin_turn(turn_of(run_id, session_id=session_id, text=text, at=START + number))
    store.append(WORKER, ended(run_record(run_id, session_id=session_id), texts("yes")))


def found(store: PostgresStore, query: str, **page: int) -> list[str]:
    wanted = Page(query=query, **page)  # type: ignore[arg-type]
    return [one.id for one in store.search_sessions("ann", wanted, lambda: False)]


def test_search_sees_what_was_just_stored_and_is_in_no_writers_way(
    postgres_store: PostgresStore,
) -> None:
    say(postgres_store, 1, "needle")

    def written_meanwhile() -> bool:
        if postgres_store.find_session("ann", "s-2") is None:
            say(postgres_store, 2, "needle")
        return False

    page = Page(query="needle " * 9)
    assert postgres_store.search_sessions("ann", page, written_meanwhile) == []
    assert found(postgres_store, "needle") == ["s-2", "s-1"]


def test_page_is_found_whatever_the_number_of_messages(postgres_store: PostgresStore) -> None:
    for number in range(150):
        say(postgres_store, number, "needle \u00e9" if number % 50 == 0 else "hay \u00e9")

    assert found(postgres_store, "NEEDLE") == ["s-50", "s-100", "s-0"]
    assert found(postgres_store, "needle", limit=2) == ["s-50", "s-100"]


def test_search_that_the_server_is_busy_with_is_given_up(
    postgres_store: PostgresStore, postgres_url: str
) -> None:
    say(postgres_store, 1, "needle")
    looks = count()
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        gone = postgres_store.search_sessions("ann", Page(query="needle"), lambda: next(looks) > 1)

    assert gone == []
    assert found(postgres_store, "needle") == ["s-1"]


def test_search_goes_on_after_its_connection_was_cut(
    postgres: Postgres, postgres_store: PostgresStore
) -> None:
    say(postgres_store, 1, "needle")
    assert found(postgres_store, "needle") == ["s-1"]
    postgres.cut_all()

    assert found(postgres_store, "needle") == ["s-1"]
