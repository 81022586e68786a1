"""Whatever happens, in whatever order: what the SQL store reads is what the memory store reads."""

from __future__ import annotations

import random
import sqlite3

import pytest

from app.core.entries import Entry
from app.core.run_errors import RunInterrupted
from app.core.store import Batch
from app.stores.memory import MemoryStore
from app.stores.sqlite.store import SqliteStore
from tests.support.clock import START
from tests.support.journals import begin, count
from tests.support.samples import ended, run_record, texts

LOST = RunInterrupted().end_data()


class Both:
    """Does the same to both stores, and compares what is read."""

    def __init__(self, path: str, memory: MemoryStore, seed: int) -> None:
        self.path = path
        self.sql = SqliteStore(path)
        self.memory = memory
        self.random = random.Random(seed)
        self.now = START
        self.workers = 0
        self.seqs: dict[str, int] = {}
        self.new_worker()

    def new_worker(self) -> None:
        self.workers += 1
        self.worker = f"worker-{self.workers}"
        self.sql.register_worker(self.worker, self.now)
        self.memory.register_worker(self.worker, self.now)

    def begin(self) -> None:
        run_id = f"run-{self.random.random()}"
        self.seqs[run_id] = 0
        for store in (self.sql, self.memory):
            begin(store, run_id, worker_id=self.worker)

    def append(self) -> None:
        batch = Batch()
        for run_id in [one for one in self.seqs if self.random.random() < 0.7]:
            number = self.random.choice([1, 1, 1, 2, 3, 300])
            new = texts(*"x" * number, first=self.seqs[run_id] + 1)
            self.seqs[run_id] += number
            batch.entries.append((run_id, [entry._replace(at=self.now) for entry in new]))
        if self.seqs and self.random.random() < 0.2:
            self.end(batch, self.random.choice(list(self.seqs)))
        way = self.random.choice(["append", "append_now"])
        for store in (self.sql, self.memory):
            getattr(store, way)(self.worker, batch)

    def end(self, batch: Batch, run_id: str) -> None:
        record = run_record(run_id, session_id=run_id, worker_id=self.worker)
        seq = self.seqs.pop(run_id)
        said = dict(batch.entries).get(run_id)
        last = Entry(seq + 1, "end", {}, self.now)
        if said is None:
            batch.entries.append((run_id, [last]))
        else:
            said.append(last)
        batch.ends += ended(record, []).ends

    def delete(self) -> None:
        if self.seqs:
            run_id = self.random.choice(list(self.seqs))
            for store in (self.sql, self.memory):
                store.delete_session("ann", run_id)

    def die(self) -> None:
        self.open_anew()
        before = self.worker
        self.new_worker()
        self.seqs.clear()
        taken = [set(one.take_over(before, LOST, self.now)) for one in (self.sql, self.memory)]
        assert taken[0] == taken[1]

    def open_anew(self) -> None:
        self.sql.close()
        self.sql = SqliteStore(self.path)

    def wait(self) -> None:
        self.now += self.random.choice([0.1, 0.5, 2, -1])
        self.sql.tidy(self.now)

    def compare(self, run_ids: set[str]) -> None:
        for run_id in run_ids:
            after = self.random.choice([0, 0, 1, 5, 300])
            assert self.sql.read_entries(run_id, after) == self.memory.read_entries(run_id, after)


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_things_reads_as_in_memory(
    sql_path: str, memory_store: MemoryStore, raw: sqlite3.Connection, seed: int
) -> None:
    both = Both(sql_path, memory_store, seed)
    known: set[str] = set()
    does = [both.begin, both.delete, both.die, both.open_anew, both.wait, both.append]
    for _ in range(120):
        both.random.choices(does, [2, 0.3, 0.2, 0.3, 3, 12])[0]()
        both.now += 0.05
        known |= both.seqs.keys()
        both.compare(known)
    both.die()
    both.compare(known)

    assert count(raw, "journal") == 0
    orphans = "SELECT count(*) FROM run_entries WHERE run_id NOT IN (SELECT id FROM runs)"
    assert raw.execute(orphans).fetchone() == (0,)
    both.sql.close()
