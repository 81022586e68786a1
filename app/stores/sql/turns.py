"""How a turn begins: in one transaction, whose connection is a hub's or the store's thread's.

In plain SQL, since a hub runs it too: 0.2 ms, where SQLAlchemy takes 0.8.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from app.core.errors import NotFound, SessionBusy
from app.core.messages import Message, branch
from app.core.runs import KEY_TTL_S, Turn
from app.core.store import WorkerLost
from app.stores.decisions import branch_for_model, chain, check_key, check_parent, with_prompt
from app.stores.sql.attachments import name_attachments
from app.stores.sql.driver import Driver, dumped, insert_into
from app.stores.sql.rows import message_from, message_row, run_row, session_row
from app.stores.sql.tables import messages, runs, sessions
from app.stores.sql.waiting import check_room, end_waiting, find

# A hub does nothing else meanwhile: the longest turn takes it about 3 ms. More than that, of the
# session or of the turn itself, is left to the store's thread.
MAX_MESSAGES = 200
MAX_CHARACTERS = 250_000
# Messages that are read one by one after a branch that is known: a session of which more is new is
# cheaper to read whole.
MOST_ONE_BY_ONE = 8

_ALIVE = "SELECT 1 FROM workers WHERE id = :worker_id AND lost_at IS NULL"
_FIND_KEY = """
SELECT id, request_hash FROM runs
WHERE owner = :owner AND idempotency_key = :key AND created_at >= :since
"""
_ADD_SESSION = f"{insert_into(sessions)} ON CONFLICT DO NOTHING"
_FIND_SESSION = """
SELECT leaf_id, system,
  (SELECT id FROM runs WHERE owner = sessions.owner AND session_id = sessions.id
    AND ended_at IS NULL)
FROM sessions WHERE owner = :owner AND id = :id
"""
_MESSAGE = [column.name for column in messages.columns]
_JSON = ("content", "usage")
_READ_TREE = f"""
SELECT {", ".join(_MESSAGE)} FROM messages WHERE owner = :owner AND session_id = :id
"""
_READ_MESSAGE = f"{_READ_TREE.rstrip()} AND id = :message_id"
_ADD_MESSAGE = insert_into(messages)
_CARRY_ON = "UPDATE messages SET status = 'running', run_id = :run_id WHERE id = :id"
_ADD_RUN = insert_into(runs)
_MOVE_SESSION = """
UPDATE sessions SET leaf_id = :leaf_id, updated_at = :at,
  title = CASE WHEN title = '' THEN :title ELSE title END, listed = listed OR :listed
WHERE owner = :owner AND id = :id
"""


class TooLong(Exception):
    """The turn, or the session that it belongs to, would hold up the hub."""


def begin_turn(driver: Driver, turn: Turn, in_hub: bool = False) -> list[Message]:
    """Store the turn in the transaction that is open; return the branch the model is to answer.

    Raises what the store's begin_turn raises, the driver's errors, and in a hub TooLong.
    """
    size = sum(len(message.text) for message in turn.messages)
    if in_hub and (len(turn.messages) > MAX_MESSAGES or size > MAX_CHARACTERS):
        raise TooLong()
    run = turn.run
    if driver.execute(_ALIVE, {"worker_id": run.worker_id}).fetchone() is None:
        raise WorkerLost(run.worker_id)
    if run.idempotency_key is not None:
        _check_key(driver, turn)
    if turn.most_running:
        check_room(driver, run.caller, turn.most_running)
    leaf_id, system = _open_session(driver, turn, in_hub)
    check_parent(
        turn, leaf_id, lambda parent_id: _read_message(driver, turn, parent_id) is not None
    )
    linked = chain(turn, leaf_id)
    before = linked[0].parent_id if linked else leaf_id
    answered = _branch(driver, turn, before, in_hub) + linked
    _write(driver, turn, linked)
    answered[-1] = replace(answered[-1], status="running", run_id=run.id)
    return with_prompt(branch_for_model(turn, answered), system)


def _check_key(driver: Driver, turn: Turn) -> None:
    run = turn.run
    since = run.created_at - KEY_TTL_S
    values = {"owner": run.owner, "key": run.idempotency_key, "since": since}
    started = driver.execute(_FIND_KEY, values).fetchone()
    if started is not None:
        run_id, request_hash = started
        check_key(run_id, request_hash, turn)


def _open_session(driver: Driver, turn: Turn, in_hub: bool) -> tuple[str | None, str | None]:
    """Return the leaf and the prompt of the turn's session, made if it is new and may be."""
    wanted = turn.session
    if not turn.must_exist:
        driver.execute(_ADD_SESSION, session_row(wanted))
    found = driver.execute(_FIND_SESSION, {"owner": wanted.owner, "id": wanted.id}).fetchone()
    if found is None:
        raise NotFound()
    leaf_id, system, active_run_id = found
    if active_run_id is not None:
        _end_waiting(driver, turn, active_run_id, in_hub)
    return leaf_id, system


def _end_waiting(driver: Driver, turn: Turn, run_id: str, in_hub: bool) -> None:
    """End the run that is in the turn's way, if it waits. Raises SessionBusy if it does not."""
    active = find(driver, turn.session.owner, run_id)
    if active is None or not active.waits or turn.continues:
        raise SessionBusy(run_id=run_id)
    if in_hub:
        raise TooLong()
    end_waiting(driver, turn.session.owner, run_id, "denied", turn.run.created_at)


def _branch(driver: Driver, turn: Turn, leaf_id: str | None, in_hub: bool) -> list[Message]:
    """Return the messages from the root to that one: those that are known, and what is new."""
    known, newer = turn.known, list[Message]()
    whose = {"owner": turn.session.owner, "id": turn.session.id}
    at = leaf_id
    while at is not None:
        place = known.places.get(at) if known else None
        if known and place is not None:
            return [*known.messages[: place + 1], *reversed(newer)]
        if known is None or len(newer) == MOST_ONE_BY_ONE:
            return branch(_read_tree(driver, whose, in_hub), leaf_id)
        message = _read_message(driver, turn, at)
        if message is None:
            break
        newer.append(message)
        at = newer[-1].parent_id
    return newer[::-1]


def _read_message(driver: Driver, turn: Turn, message_id: str) -> Message | None:
    whose = {"owner": turn.session.owner, "id": turn.session.id}
    row = driver.execute(_READ_MESSAGE, {**whose, "message_id": message_id}).fetchone()
    return None if row is None else _message(row)


def _read_tree(driver: Driver, whose: dict[str, str], in_hub: bool) -> dict[str, Message]:
    cursor = driver.execute(_READ_TREE, whose)
    found: dict[str, Message] = {}
    characters = 0
    while rows := cursor.fetchmany(MAX_MESSAGES):
        for row in rows:
            message = _message(row)
            found[message.id] = message
            characters += len(row[_MESSAGE.index("content")])
            if in_hub and (len(found) > MAX_MESSAGES or characters > MAX_CHARACTERS):
                raise TooLong()
    return found


def _message(row: tuple[object, ...]) -> Message:
    values = dict(zip(_MESSAGE, row))
    return message_from({**values, **{name: _loaded(values[name]) for name in _JSON}})


def _loaded(value: object) -> object:
    """Return a column of JSON, which some drivers have read already."""
    return orjson.loads(value) if isinstance(value, str) else value


def _write(driver: Driver, turn: Turn, linked: list[Message]) -> None:
    wanted, run = turn.session, turn.run
    for message in linked:
        driver.execute(_ADD_MESSAGE, dumped(message_row(wanted.owner, wanted.id, message)))
        name_attachments(driver, wanted.owner, message.id, message.content, must_exist=True)
    if not linked:
        driver.execute(_CARRY_ON, {"run_id": run.id, "id": turn.reply.id})
    driver.execute(_ADD_RUN, dumped(run_row(run)))
    moved = {"leaf_id": turn.reply.id, "at": run.created_at}
    titled = {"title": wanted.title, "listed": wanted.listed}
    driver.execute(_MOVE_SESSION, {**moved, **titled, "owner": wanted.owner, "id": wanted.id})
