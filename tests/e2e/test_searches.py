"""Searches at once in a large database: they wait for each other, and hold up nothing else."""

from __future__ import annotations

import socket
import sqlite3
import threading
from contextlib import closing

import orjson
import pytest

from app.stores.sql.migrate import migrate
from tests.support.clock import START

SESSIONS = 600
MESSAGES = 20  # each of a kB: so many searches take longer together than the store may
SEARCHES = 14
TEXT = "Schnelle braune F\u00fcchse h\u00fcpfen; the quick brown fox jumps. " * 17
LIST = "/api/chat/sessions"


@pytest.fixture(scope="module")
def large(start_one, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("large") / "tandem.db")
    migrate(path)
    with closing(sqlite3.connect(path)) as database, database:
        for number in range(SESSIONS):
            fill(database, f"s-{number}", START + number)
    return start_one(DATABASE_URL=f"sqlite:///{path}", LOG_LEVEL="DEBUG")


def fill(database, session_id, at):
    ids = [f"{session_id}-{number}" for number in range(MESSAGES)]
    database.execute(
        "INSERT INTO sessions (owner, id, title, leaf_id, listed, created_at, updated_at) "
        "VALUES ('anonymous', ?, 'Fox', ?, 1, ?, ?)",
        (session_id, ids[-1], at, at),
    )
    content = orjson.dumps([{"type": "text", "text": TEXT}]).decode()
    database.executemany(
        "INSERT INTO messages "
        "(id, owner, session_id, parent_id, role, content, status, created_at) "
        "VALUES (?, 'anonymous', ?, ?, ?, ?, 'completed', ?)",
        [
            (one, session_id, before, "assistant" if index % 2 else "user", content, at)
            for index, (one, before) in enumerate(zip(ids, [None, *ids]))
        ],
    )


def test_searches_at_once_hold_up_neither_sends_nor_health(large):
    found = {}

    def search(number):
        answer = large.open("GET", f"{LIST}?q=no+such+words+{number}", None, {}, timeout_s=170)
        found[number] = answer.status, orjson.loads(answer.read())
        answer.close()

    threads = [threading.Thread(target=search, args=(number,)) for number in range(SEARCHES)]
    for thread in threads:
        thread.start()
    statuses, sent = set(), set()
    while any(thread.is_alive() for thread in threads):
        statuses.add(large.get("/health").status)
        sent.add(large.post("/api/chat", {"message": "hi", "session_id": "s-5"}).status)
    assert (statuses, sent) == ({200}, {200})
    nothing = (200, {"sessions": [], "next": None})
    assert found == {number: nothing for number in range(SEARCHES)}


def test_search_finds_a_page(large):
    first = large.get(f"{LIST}?q=QUICK+brown&limit=3").json
    second = large.get(f"{LIST}?q=fox&limit=3&before={first['next']}").json
    pages = [[one["session_id"] for one in page["sessions"]] for page in (first, second)]
    assert len({*pages[0], *pages[1]}) == 6


def test_searches_of_clients_that_have_gone_are_given_up(large):
    for number in range(SEARCHES):
        with socket.create_connection(("127.0.0.1", large.port)) as connection:
            asked = f"GET {LIST}?q=nothing+of+it+{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(asked.encode())
    assert large.wait_until(lambda: "a search is given up" in large.logs())
    assert large.get(f"{LIST}?q=fox&limit=1").json["sessions"]
