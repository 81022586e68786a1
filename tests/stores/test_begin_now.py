"""A turn begun in the hub: at once or not at all, and equal in every row to one that took the
store's thread. What both ways promise is in test_turns.py and test_trees.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ChatError
from app.core.messages import KnownBranch, Message, text_parts
from app.core.runs import AlreadyStarted, Turn
from app.core.sessions import ChatSession
from app.core.store import Batch, WorkerLost
from app.stores.sql.migrate import migrate
from app.stores.sql.turns import MAX_CHARACTERS, MAX_MESSAGES
from app.stores.sqlite.store import SqliteStore
from tests.conftest import WORKER
from tests.support.clock import START
from tests.support.manual import at_once
from tests.support.samples import continuing, ended, run_record, texts, turn_of

TABLES = ("sessions", "messages", "runs", "run_entries", "daily_usage")
KEY: dict[str, Any] = {"idempotency_key": "key-1", "request_hash": "hash-1"}


class Both:
    """Two stores that are told the same; one begins its turns in the hub, one in its thread."""

    def __init__(self, folder: Path) -> None:
        self._paths = [str(folder / "hub.db"), str(folder / "thread.db")]
        for path in self._paths:
            migrate(path)
        self.hub, self.thread = (SqliteStore(path) for path in self._paths)
        self.each(lambda store: store.register_worker(WORKER, 0.0))

    def each(self, call: Any) -> None:
        """Do the same to both."""
        call(self.hub)
        call(self.thread)

    def begin(self, turn: Turn) -> list[Message]:
        """Begin the turn in both ways; return the branch, which is one."""
        given = self.hub.begin_now(turn)
        assert given == self.thread.begin_turn(turn)
        assert self.hub_rows() == _rows(self._paths[1])
        return given

    def end(self, run_id: str) -> None:
        """End a run with a text of its own."""
        self.each(lambda store: store.append(WORKER, ended(run_record(run_id), texts(run_id))))

    def hub_rows(self) -> list[Any]:
        """Return all that the hub's store holds, as SQLite gives it."""
        return _rows(self._paths[0])


def _rows(path: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    yield made
    made.each(SqliteStore.close)


def history(run_id: str, *said: str) -> Turn:
    """Return a turn of a client that holds the conversation: all of it at once, not listed."""
    turn = turn_of(run_id, at=START + int(run_id[-1]))
    messages = [
        Message(f"{run_id}-{index}", "assistant" if index % 2 else "user", text_parts(text), START)
        for index, text in enumerate(said)
    ]
    messages[-1] = replace(messages[-1], id=f"{run_id}-message")
    return replace(turn, session=replace(turn.session, listed=False), messages=tuple(messages))


NEW = turn_of("run-2", at=START + 2, text="and then? – ünïcødé \u2028 \"'")
LEFT = replace(NEW, at_leaf=False)
KINDS = {
    "second": NEW,
    "edit": replace(LEFT, parent_id=None),
    "after": replace(LEFT, parent_id="run-1-reply"),
    "under": replace(LEFT, parent_id="run-1-reply", parent_must_exist=True),
    "under the question": replace(LEFT, parent_id="run-1-message", parent_must_exist=True),
    "under nothing": replace(LEFT, parent_id=None, parent_must_exist=True),
    "after nobody": replace(LEFT, parent_id="gone"),
    "regenerate": replace(LEFT, messages=(), parent_id="run-1-message"),
    "continue": continuing("run-2", "run-1-reply", START + 5),
    "history": history("run-2", "one", "two", "three"),
    "must exist": replace(NEW, must_exist=True),
    "with a key": replace(NEW, run=replace(NEW.run, **KEY)),
    "other session": turn_of("run-2", session_id="s-2"),
    "other owner": turn_of("run-2", owner="bob"),
}


@pytest.mark.parametrize("turn", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("first", [turn_of(), history("run-1", "hi", "Hello", "go on")])
def test_both_ways_store_and_return_the_same(both: Both, first: Turn, turn: Turn) -> None:
    both.begin(first)
    both.end("run-1")

    assert both.begin(turn)


@pytest.mark.parametrize("title,system", [("", None), ("", "Be brief."), ("Mine", "")])
@pytest.mark.parametrize("listed", [True, False])
def test_session_that_is_there_keeps_what_it_says(
    both: Both, title: str, system: str | None, listed: bool
) -> None:
    made = ChatSession("ann", "s-1", START, START, title, listed=listed, system=system)
    both.each(lambda store: store.create_session(made))

    given = both.begin(turn_of())
    both.end("run-1")
    assert (given[0].text == system) is bool(system)
    assert both.begin(history("run-2", "more"))


REFUSED = {
    "busy": turn_of("run-3"),
    "busy other branch": replace(turn_of("run-3"), at_leaf=False),
    "same key": turn_of("run-3", session_id="s-3", **KEY),
    "key of another request": turn_of("run-3", idempotency_key="key-1", request_hash="other"),
    "not there": replace(turn_of("run-3", session_id="s-3"), must_exist=True),
    "under nobody": replace(
        turn_of("run-3", session_id="s-3"), at_leaf=False, parent_id="gone", parent_must_exist=True
    ),
    "under another session's": replace(
        turn_of("run-3", session_id="s-3"),
        at_leaf=False,
        parent_id="run-1-reply",
        parent_must_exist=True,
    ),
    "not the last reply": continuing("run-3", "run-1-reply", session_id="s-1"),
    "nothing to carry on": continuing("run-3", "gone", owner="bob"),
    "lost worker": turn_of("run-3", session_id="s-3", worker_id="lost"),
}


@pytest.mark.parametrize("turn", REFUSED.values(), ids=REFUSED)
def test_both_ways_refuse_alike_and_store_nothing(both: Both, turn: Turn) -> None:
    both.begin(turn_of(**KEY))
    both.end("run-1")
    both.begin(turn_of("run-2"))
    before = both.hub_rows()

    errors = []
    for begin in (both.hub.begin_now, both.thread.begin_turn):
        with pytest.raises((ChatError, AlreadyStarted, WorkerLost)) as refused:
            begin(turn)
        errors.append((type(refused.value), vars(refused.value) | {"error_id": ""}))
    assert errors[0] == errors[1]
    assert both.hub_rows() == before


# --- not now ------------------------------------------------------------------------------------


def test_nothing_is_begun_while_another_writes(both: Both, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert both.hub.begin_now(turn_of()) is None
        other.execute("ROLLBACK")

    assert both.hub_rows() == [[] for _ in TABLES]
    assert both.begin(turn_of())


def test_nothing_is_begun_while_the_connection_is_in_use(both: Both) -> None:
    both.begin(turn_of())
    before = both.hub_rows()

    with both.hub._hub_lock:  # as another thread, where there is no hub
        assert both.hub.begin_now(turn_of("run-2", session_id="s-2")) is None
        assert both.hub.append_now(WORKER, Batch([("run-1", texts("a"))])) is False
    assert both.hub_rows() == before


def test_turn_that_cannot_be_stored_is_left_to_the_store_thread(both: Both) -> None:
    both.begin(turn_of())
    both.end("run-1")
    before = both.hub_rows()

    assert both.hub.begin_now(turn_of("run-1", session_id="s-2")) is None
    assert both.hub_rows() == before
    assert both.begin(turn_of("run-2"))


LONG = "x" * (MAX_CHARACTERS // 2 + 1)
TOO_LONG = {
    "messages": ["hi"] * MAX_MESSAGES,
    "texts": [LONG, LONG],
}


@pytest.mark.parametrize("said", TOO_LONG.values(), ids=TOO_LONG)
def test_long_session_is_left_to_the_store_thread(both: Both, said: list[str]) -> None:
    both.each(lambda store: store.begin_turn(history("run-1", *said)))
    both.end("run-1")
    before = both.hub_rows()

    assert both.hub.begin_now(turn_of("run-2")) is None
    assert both.hub_rows() == before
    assert len(both.hub.begin_turn(turn_of("run-2"))) == len(said) + 2


@pytest.mark.parametrize("said", TOO_LONG.values(), ids=TOO_LONG)
def test_long_session_that_is_known_is_begun_in_the_hub(both: Both, said: list[str]) -> None:
    both.each(lambda store: store.begin_turn(history("run-1", *said)))
    both.end("run-1")
    read = both.hub.read_branch("ann", "s-1")[:-1]
    known = KnownBranch(read, {message.id: place for place, message in enumerate(read)})

    answered = both.begin(replace(turn_of("run-2"), known=known))
    assert len(answered) == len(said) + 2


@pytest.mark.parametrize("said", [["hi"] * (MAX_MESSAGES + 1), [LONG, LONG]])
def test_long_turn_is_left_to_the_store_thread(both: Both, said: list[str]) -> None:
    assert both.hub.begin_now(history("run-1", *said)) is None
    assert both.hub_rows() == [[] for _ in TABLES]


def test_longest_session_of_the_hub_is_begun_there(both: Both) -> None:
    both.begin(history("run-1", *["hi"] * (MAX_MESSAGES - 1)))
    both.end("run-1")

    assert len(both.begin(turn_of("run-2"))) == MAX_MESSAGES + 1


def test_many_threads_begin_at_once_or_not_at_all(both: Both) -> None:
    def begin(index: int) -> bool:
        turn = turn_of(f"run-{index}", session_id=f"s-{index}")
        return both.hub.begin_now(turn) is not None

    begun = at_once(50, begin)
    assert any(begun)
    stored = [both.hub.find_run("ann", f"run-{index}") is not None for index in range(50)]
    assert stored == begun
