"""A start's one transaction on the driver's own connection: 0.2 ms, where SQLAlchemy takes 0.8 and
the way through the store's thread comes on top.

What it stores and what it raises is what SqlStore.begin_turn does; the contract suite tests both.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Table

from app.core.errors import NotFound, SessionBusy
from app.core.messages import Message, branch
from app.core.runs import KEY_TTL_S, Turn
from app.core.sessions import ChatSession
from app.core.store import WorkerLost
from app.stores.decisions import branch_for_model, chain, check_key, with_prompt
from app.stores.sql.rows import message_from, message_row, run_row, session_row
from app.stores.sql.tables import messages, runs, sessions

# The hub does nothing else meanwhile: the longest turn takes it about 3 ms. More than that, of the
# session or of the turn itself, is left to the store's thread.
MAX_MESSAGES = 200
MAX_CHARACTERS = 250_000


def _insert(table: Table) -> str:
    names = [column.name for column in table.columns]
    values = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"


_ALIVE = "SELECT 1 FROM workers WHERE id = ? AND lost_at IS NULL"
_FIND_KEY = """
SELECT id, request_hash FROM runs WHERE owner = ? AND idempotency_key = ? AND created_at >= ?
"""
_ADD_SESSION = f"{_insert(sessions)} ON CONFLICT DO NOTHING"
_FIND_SESSION = """
SELECT leaf_id, system,
  (SELECT id FROM runs WHERE owner = sessions.owner AND session_id = sessions.id
    AND ended_at IS NULL)
FROM sessions WHERE owner = ? AND id = ?
"""
_MESSAGE = [column.name for column in messages.columns]
_READ_TREE = f"""
SELECT {", ".join(_MESSAGE)} FROM messages WHERE owner = ? AND session_id = ?
"""
_ADD_MESSAGE = _insert(messages)
_CARRY_ON = "UPDATE messages SET status = 'running', run_id = ? WHERE id = ?"
_ADD_RUN = _insert(runs)
_MOVE_SESSION = """
UPDATE sessions SET leaf_id = ?, updated_at = ?, title = iif(title = '', ?, title),
  listed = listed OR ?
WHERE owner = ? AND id = ?
"""


class TooLong(Exception):
    """The turn, or the session that it belongs to, would hold up the hub."""


def begin_turn(connection: sqlite3.Connection, turn: Turn) -> list[Message]:
    """Store the turn in one transaction, or nothing; return the branch the model is to answer.

    Raises TooLong, sqlite3.Error, and what the store's begin_turn raises.
    """
    if (
        len(turn.messages) > MAX_MESSAGES
        or sum(len(m.text) for m in turn.messages) > MAX_CHARACTERS
    ):
        raise TooLong()
    connection.execute("BEGIN IMMEDIATE")
    try:
        begun = _begin(connection, turn)
        connection.execute("COMMIT")
        return begun
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection, turn: Turn) -> list[Message]:
    run = turn.run
    if connection.execute(_ALIVE, (run.worker_id,)).fetchone() is None:
        raise WorkerLost(run.worker_id)
    if run.idempotency_key is not None:
        _check_key(connection, turn)
    leaf_id, system = _open_session(connection, turn)
    linked = chain(turn, leaf_id)
    tree = {} if leaf_id is None else _read_tree(connection, turn.session)
    _write(connection, turn, linked)
    tree.update((one.id, one) for one in linked)
    reply = tree[turn.reply.id]
    tree[reply.id] = replace(reply, status="running", run_id=run.id)
    return with_prompt(branch_for_model(turn, branch(tree, reply.id)), system)


def _check_key(connection: sqlite3.Connection, turn: Turn) -> None:
    run = turn.run
    of_key = (run.owner, run.idempotency_key, run.created_at - KEY_TTL_S)
    started = connection.execute(_FIND_KEY, of_key).fetchone()
    if started is not None:
        run_id, request_hash = started
        check_key(run_id, request_hash, turn)


def _open_session(connection: sqlite3.Connection, turn: Turn) -> tuple[str | None, str | None]:
    """Return the leaf and the prompt of the turn's session, made if it is new and may be."""
    wanted = turn.session
    if not turn.must_exist:
        connection.execute(_ADD_SESSION, session_row(wanted))
    found = connection.execute(_FIND_SESSION, (wanted.owner, wanted.id)).fetchone()
    if found is None:
        raise NotFound()
    leaf_id, system, active_run_id = found
    if active_run_id is not None:
        raise SessionBusy(run_id=active_run_id)
    return leaf_id, system


def _read_tree(connection: sqlite3.Connection, wanted: ChatSession) -> dict[str, Message]:
    rows, characters = [], 0
    for row in connection.execute(_READ_TREE, (wanted.owner, wanted.id)):
        rows.append(dict(zip(_MESSAGE, row)))
        characters += len(rows[-1]["content"])
        if len(rows) > MAX_MESSAGES or characters > MAX_CHARACTERS:
            raise TooLong()
    return {row["id"]: message_from(_loaded(row)) for row in rows}


def _write(connection: sqlite3.Connection, turn: Turn, linked: list[Message]) -> None:
    wanted, run = turn.session, turn.run
    if linked:
        rows = [_dumped(message_row(wanted.owner, wanted.id, one)) for one in linked]
        connection.executemany(_ADD_MESSAGE, rows)
    else:
        connection.execute(_CARRY_ON, (run.id, turn.reply.id))
    connection.execute(_ADD_RUN, _dumped(run_row(run)))
    connection.execute(
        _MOVE_SESSION,
        (turn.reply.id, run.created_at, wanted.title, wanted.listed, wanted.owner, wanted.id),
    )


def _dumped(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: orjson.dumps(value).decode() if isinstance(value, list | dict) else value
        for name, value in row.items()
    }


def _loaded(row: dict[str, Any]) -> dict[str, Any]:
    usage = row["usage"]
    return {**row, "content": orjson.loads(row["content"]), "usage": usage and orjson.loads(usage)}
