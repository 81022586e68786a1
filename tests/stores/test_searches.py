"""Searches: what every store finds, and that they wait for each other and for nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import OverCapacity, StorageUnavailable
from app.core.messages import text_parts
from app.core.sessions import ChatSession, Page
from app.runtimes.threads import ThreadRuntime
from app.stores.searches import MOST_WAITING, Searches
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.stores.conftest import Store
from tests.support.clock import START
from tests.support.manual import ManualRuntime
from tests.support.samples import ended, run_record, texts, turn_of

PICTURE = {"type": "image", "url": "https://needle.org"}


def say(store: Store, number: int, text: str, owner: str = "ann", title: str = "") -> None:
    """Store a session of that number, with one message and its answer."""
    run_id = f"run-{number}"
    turn = turn_of(run_id, owner, f"s-{number}", text, START + number)
    turn = replace(turn, session=replace(turn.session, title=title))
    store.begin_turn(turn)
    record = run_record(run_id, owner, f"s-{number}")
    store.append(WORKER, ended(record, texts(f"the answer to {number}")))


def found(store: Store, query: str, owner: str = "ann", **page: Any) -> list[str]:
    wanted = Page(query=query, **page)
    return [one.id for one in store.search_sessions(owner, wanted, lambda: False)]


@pytest.mark.parametrize(
    "query,ids",
    [
        ("needle", ["s-3", "s-1"]),
        ("NEEDLE in", ["s-1"]),
        ("answer to 2", ["s-2"]),
        ("of the third", ["s-3"]),
        ("cafe\u0301", ["s-2"]),
        ("\uff43\uff21\uff46\u00c9", ["s-2"]),
        ("strasse", ["s-2"]),
        ('"', ["s-1"]),
        ('a "needle" in', ["s-1"]),
        ("type", []),
        ("%", []),
        ("image", []),
        ("none of it", []),
    ],
)
def test_session_is_found_by_its_title_and_by_what_was_said(
    store: Store, query: str, ids: list[str]
) -> None:
    say(store, 1, 'a "Needle" in hay, a needle in a haystack')
    say(store, 2, "Caf\u00e9, Stra\u00dfe")
    say(store, 3, "hay", title="Needle of the third")
    say(store, 4, "a needle", owner="bob")

    assert found(store, query) == ids


def test_parts_that_are_no_text_are_not_looked_through(store: Store) -> None:
    turn = turn_of()
    message = replace(turn.messages[0], content=(PICTURE, *text_parts("hi")))
    store.begin_turn(replace(turn, messages=(message,)))

    assert (found(store, "needle"), found(store, "hi")) == ([], ["s-1"])


def test_found_sessions_come_in_pages_as_they_are_listed(store: Store) -> None:
    for number in range(1, 6):
        say(store, number, "needle" if number != 3 else "hay")

    assert found(store, "needle", limit=2) == ["s-5", "s-4"]
    last = store.find_session("ann", "s-4")
    assert last is not None
    assert found(store, "needle", limit=2, before=(last.updated_at, last.id)) == ["s-2", "s-1"]
    listed = store.list_sessions("ann", Page())
    assert store.search_sessions("ann", Page(query="needle"), lambda: False) == [
        one for one in listed if one.id != "s-3"
    ]


def test_sessions_that_are_not_listed_are_not_found(store: Store) -> None:
    store.create_session(ChatSession("ann", "s-1", START, START, "needle", listed=False))

    assert found(store, "needle") == []


def test_search_that_is_given_up_finds_nothing(store: Store) -> None:
    for number in range(1, 4):
        say(store, number, "needle " * 1000)

    assert store.search_sessions("ann", Page(query="needle"), lambda: True) == []
    assert len(found(store, "needle")) == 3


def test_search_sees_what_was_just_stored_and_is_in_no_writers_way(sql_store: SqliteStore) -> None:
    say(sql_store, 1, "needle")

    def written_meanwhile() -> bool:
        if sql_store.find_session("ann", "s-2") is None:
            say(sql_store, 2, "needle")
        return False

    first = sql_store.search_sessions("ann", Page(query="needle " * 9), written_meanwhile)
    assert (first, found(sql_store, "needle")) == ([], ["s-2", "s-1"])


def test_broken_file_is_said_to_be_unavailable(sql_store: SqliteStore) -> None:
    sql_store._searches.close()

    with pytest.raises(StorageUnavailable):
        found(sql_store, "needle")


# --- their line ---------------------------------------------------------------------------------


class Shelf:
    """A store whose searches take until they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.going = threading.Semaphore(0)
        self.has_begun = threading.Semaphore(0)
        self.at_once = 0
        self.most_at_once = 0

    def search_sessions(
        self, owner: str, page: Page, given_up: Callable[[], bool]
    ) -> list[ChatSession]:
        """Note the search, and wait."""
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.begun.append(page.query)
        self.has_begun.release()
        while not self.going.acquire(timeout=0.01):
            if given_up():
                break
        self.at_once -= 1
        return [] if given_up() else [ChatSession(owner, page.query, START, START)]


class Line:
    """Searches, each in a thread of its own, begun one after the other."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.searches = Searches(self.shelf, ThreadRuntime())  # type: ignore[arg-type]
        self.found: dict[str, list[str]] = {}
        self.gone: set[str] = set()
        self.threads: list[threading.Thread] = []

    def ask(self, owner: str, query: str) -> None:
        """Search, once all that were asked before stand in line."""
        before = self.waiting()
        thread = threading.Thread(target=self._search, args=(owner, query))
        self.threads.append(thread)
        thread.start()
        if len(self.threads) == 1:
            self.shelf.has_begun.acquire()
        else:
            while self.waiting() == before:
                pass

    def _search(self, owner: str, query: str) -> None:
        found = self.searches(owner, Page(query=query), lambda: query in self.gone)
        self.found[query] = [one.id for one in found]

    def waiting(self) -> int:
        """Return how many stand in line."""
        return sum(map(len, self.searches._waiting.values()))

    def finish(self, searches: int) -> None:
        """Let so many go, and wait until all are over."""
        for _ in range(searches):
            self.shelf.going.release()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def line() -> Line:
    return Line()


def test_searches_go_one_after_another_and_owners_take_turns(line: Line) -> None:
    for query in ("ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "cid 1"):
        line.ask(query.split()[0], query)
    line.finish(6)

    assert line.shelf.begun == ["ann 1", "ann 2", "bob 1", "cid 1", "ann 3", "bob 2"]
    assert line.shelf.most_at_once == 1
    assert line.found == {query: [query] for query in line.shelf.begun}


def test_search_whose_client_has_gone_is_given_up(line: Line) -> None:
    for query in ("ann 1", "ann 2", "ann 3"):
        line.ask("ann", query)
    line.gone = {"ann 1", "ann 2"}
    line.searches.tick()
    for given_up in line.threads[:2]:
        given_up.join(30)
    line.finish(1)

    assert line.shelf.begun == ["ann 1", "ann 3"]
    assert line.found == {"ann 1": [], "ann 2": [], "ann 3": ["ann 3"]}


@pytest.fixture
def alone(runtime: ManualRuntime) -> Searches:
    """Searches that are never let go of: somebody else's is under way for ever."""
    searches = Searches(Shelf(), runtime)  # type: ignore[arg-type]
    searches._under_way = object()  # type: ignore[assignment]
    return searches


def test_no_more_than_so_many_wait(alone: Searches) -> None:
    waiting: Any = [object()] * MOST_WAITING
    alone._waiting["bob"] = waiting

    with pytest.raises(OverCapacity):
        alone("ann", Page(query="needle"))
    assert list(alone._waiting) == ["bob"]


def test_failed_search_lets_the_next_one_go() -> None:
    class Broken:
        def search_sessions(self, *asked: Any) -> list[ChatSession]:
            raise StorageUnavailable()

    searches = Searches(Broken(), ThreadRuntime())  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            searches("ann", Page(query="needle"))
