"""Runs that wait for results or answers: how one begins to wait, is answered, and is ended.

In plain SQL, in a transaction that is open; all entries of such a run are in `run_entries`.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from app.core.entries import Entry
from app.core.errors import NotFound
from app.core.messages import Content, Message
from app.core.runs import RunPause, RunRecord
from app.core.store import WorkerLost
from app.core.tools import Answered, Reply, Why, taken
from app.stores.decisions import answered, check_places, ended_waiting
from app.stores.sql.attachments import name_attachments
from app.stores.sql.driver import Driver, dumped, insert_into, json_text
from app.stores.sql.ends import END_MESSAGE, end_run
from app.stores.sql.rows import entries_from, entries_json, run_from, run_row
from app.stores.sql.tables import run_entries, runs

_COLUMNS = [column.name for column in runs.columns]
_JSON = ("error", "usage", "attempts", "cost", "asked", "pending", "options")
_READ_RUN = f"SELECT {', '.join(_COLUMNS)} FROM runs"
_FIND = f"{_READ_RUN} WHERE owner = :owner AND id = :id"
_EXPIRED = f"{_READ_RUN} WHERE waits_until < :now ORDER BY waits_until LIMIT :most"
_READ_ENTRIES = "SELECT seq, entries FROM run_entries WHERE run_id = :id ORDER BY seq"
_ADD_ENTRIES = insert_into(run_entries)
_CHANGED = (
    "status",
    "worker_id",
    "caller",
    "usage",
    "cost",
    "duration_s",
    "ttft_s",
    "provider",
    "model",
    "pending",
    "waits_until",
    "last_seq",
)
_CHANGE = f"""
UPDATE runs SET {", ".join(f"{name} = :{name}" for name in _CHANGED)}
WHERE id = :id AND worker_id = :was_worker_id AND ended_at IS NULL
"""
_GOES_ON = "UPDATE messages SET status = 'running' WHERE id = :message_id"
_ALIVE = "SELECT 1 FROM workers WHERE id = :worker_id AND lost_at IS NULL"
# By the index of runs under way, a look into it for each worker that is alive.
_RUNNING = """
SELECT count(*) FROM runs WHERE ended_at IS NULL AND caller = :caller
  AND worker_id IN (SELECT id FROM workers WHERE lost_at IS NULL)
"""


def check_room(driver: Driver, caller: str, most: int) -> None:
    """Raise OverCapacity if the caller has that many runs under way, 0: do not count. What is
    counted stays so until the transaction ends: no other of its caller's may be open."""

    def running() -> int:
        (count,) = driver.execute(_RUNNING, {"caller": caller}).fetchone()
        return int(count)

    check_places(most, running)


def pause_run(
    driver: Driver,
    worker_id: str,
    record: RunRecord,
    pause: RunPause,
    content: Content,
    last_seq: int,
) -> None:
    """Write that a run of this worker waits, its entries being there."""
    paused = record.waiting(pause, last_seq)
    if _change(driver, paused, worker_id):
        said = {"content": json_text(content), "status": paused.status, "usage": None}
        driver.execute(END_MESSAGE, {**said, "message_id": record.message_id})
        name_attachments(driver, record.owner, record.message_id, content)


def _change(driver: Driver, record: RunRecord, was_worker_id: str) -> bool:
    row = dumped(run_row(record))
    row = {name: row[name] for name in (*_CHANGED, "id")}
    return bool(driver.execute(_CHANGE, {**row, "was_worker_id": was_worker_id}).rowcount)


def find(driver: Driver, owner: str, run_id: str) -> RunRecord | None:
    """Return the record, or None."""
    row = driver.execute(_FIND, {"owner": owner, "id": run_id}).fetchone()
    return _record(row) if row is not None else None


def _record(row: Sequence[object]) -> RunRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _JSON:
        value = values[name]
        values[name] = orjson.loads(value) if isinstance(value, str) else value
    return run_from({**values, "folded": bool(values["folded"])})


def _entries(driver: Driver, run_id: str) -> list[Entry]:
    cursor = driver.execute(_READ_ENTRIES, {"id": run_id})
    found: list[Entry] = []
    while rows := cursor.fetchmany(100):
        for seq, stored in rows:
            found += entries_from(seq, stored)
    return found


def _add(driver: Driver, run_id: str, entries: Sequence[Entry]) -> None:
    row = {"run_id": run_id, "seq": entries[0].seq, "last_seq": entries[-1].seq}
    driver.execute(_ADD_ENTRIES, {**row, "entries": entries_json(entries)})


def answer(
    driver: Driver,
    owner: str,
    run_id: str,
    replies: Sequence[Reply],
    worker_id: str,
    now: float,
    caller: str = "",
    most_running: int = 0,
) -> Answered:
    """Do what the store's `answer` does, but for the branch of a run that goes on: it is empty."""
    record = find(driver, owner, run_id)
    if record is None:
        raise NotFound()
    if not record.waits:
        return Answered(record)
    if driver.execute(_ALIVE, {"worker_id": worker_id}).fetchone() is None:
        raise WorkerLost(worker_id)
    left, entries = taken(record.pending or (), replies, record.last_seq, now)
    if not entries:
        return Answered(record)
    if not left:
        check_room(driver, caller, most_running)
    changed = answered(record, left, entries, worker_id, caller)
    _add(driver, run_id, entries)
    _change(driver, changed, "")
    if left:
        return Answered(changed, entries)
    driver.execute(_GOES_ON, {"message_id": record.message_id})
    branch: list[Message] = []
    return Answered(changed, entries, branch, _entries(driver, run_id))


def end_waiting(driver: Driver, owner: str, run_id: str, why: Why, now: float) -> list[Entry]:
    """End a run that waits; return what its log got by it."""
    record = find(driver, owner, run_id)
    if record is None or not record.waits:
        return []
    log = _entries(driver, run_id)
    entries, end, content = ended_waiting(record, log, why, now)
    _add(driver, run_id, entries)
    end_run(driver, "", record, end, content, now)
    return entries


def expired(driver: Driver, now: float, limit: int) -> list[RunRecord]:
    """Return runs that wait for what has expired."""
    rows = driver.execute(_EXPIRED, {"now": now, "most": limit}).fetchmany(limit)
    return [_record(row) for row in rows]
