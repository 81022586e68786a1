"""A store that fails: nothing shown that is not stored, clear refusals, service back by itself."""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from contextlib import contextmanager

import pytest

from tests.support import topology
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import Exchange


class Talking:
    """A reply that says a piece every 20 ms until it is told to finish."""

    def __init__(self) -> None:
        self.finish = threading.Event()
        self.ended = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        while not self.finish.wait(0.02):
            try:
                exchange.delta("piece ")
            except OSError:
                self.ended.set()
                raise
        exchange.finish()


pytestmark = [topology.on_sqlite, topology.in_one_process]


@contextmanager
def locked(server):
    """Hold the database's write lock from another process's place."""
    other = sqlite3.connect(server.folder / "tandem.db", isolation_level=None, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def full_disk(server):
    """Let no file of the server grow over a few pages more than its write-ahead log has now."""
    size = (server.folder / "tandem.db-wal").stat().st_size + 20_000
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, -1))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def is_healthy(server):
    return server.get("/health").status == 200


def test_a_short_lock_delays_and_loses_nothing(start_server, upstream):
    server = start_server(HEARTBEAT_S=0.2)
    talking = upstream.reply = Talking()
    stream = stream_chat(server, "go", partial=False, session_id="short")
    seen = stream.take(3)
    with locked(server):
        assert is_healthy(server)  # told while the lock is held
        while "ping" not in stream.parser.comments:
            stream.read_some()
    talking.finish.set()
    rest = stream.rest()
    assert rest[-1].data["full_response"] == text_of([*seen, *rest])


def test_a_long_lock_fails_runs_and_refuses_new_ones(start_server, upstream, connect):
    server = start_server(STORE_TIMEOUT_S=1, HEARTBEAT_S=0.2)
    talking = upstream.reply = Talking()
    stream = stream_chat(server, "go", partial=False, session_id="long")
    stream.take(3)
    client = connect(server)
    with locked(server):
        rest = stream.rest()
        assert rest[-1].data["code"] == "storage_unavailable"
        assert talking.ended.wait(20)
        refused = server.post("/api/chat/stream", {"message": "no"})
        assert (refused.status, refused.code) == (503, "storage_unavailable")
        assert refused.headers["retry-after"]
        server.get("/api/chat/sessions/long")  # a read that works proves nothing
        assert server.get("/health").status == 503
        ack = client.call("chat_stream", {"message": "no"})
        assert ack["error"]["code"] == "storage_unavailable"
    assert server.wait_until(lambda: is_healthy(server))
    record = server.get(f"/api/runs/{stream.run_id}").json
    assert record["status"] == "failed" and record["error"]["code"] == "storage_unavailable"

    def is_free():
        return server.get("/api/chat/sessions/long").json["active_run"] is None

    assert server.wait_until(is_free)
    talking.finish.set()
    assert "finish_reason" in stream_chat(server, "again", session_id="long").rest()[-1].data
    server.stop()
    server.restart()
    stored = follow_run(server, stream.run_id).rest()
    assert stored[-1].data["code"] in {"storage_unavailable", "shutting_down"}


def test_other_runs_heartbeats_never_pause(start_server, upstream):
    # Whoever waited for the store would be silent for longer than its reader waits.
    server = start_server(STORE_TIMEOUT_S=60, HEARTBEAT_S=0.2)
    silent = threading.Event()
    upstream.replies = {"quiet": lambda e: (e.start(), silent.wait(30), e.finish())}
    talking = upstream.reply = Talking()
    quiet = stream_chat(server, "quiet")
    stream_chat(server, "go", partial=False).take(2)
    with locked(server):
        heard = quiet.parser.comments.count("ping")
        while quiet.parser.comments.count("ping") < heard + 10:
            quiet.read_some()
    silent.set()
    talking.finish.set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only files")
def test_a_file_made_read_only(start_server, upstream):
    server = start_server(STORE_TIMEOUT_S=0.5)
    files = [server.folder / f"tandem.db{suffix}" for suffix in ("", "-wal", "-shm")]
    [file.chmod(0o400) for file in files]
    assert server.post("/api/chat", {"message": "x"}).status in {200, 503}
    [file.chmod(0o600) for file in files]
    assert server.wait_until(lambda: is_healthy(server))


def test_a_full_disk_fails_closed_and_recovers(start_server, upstream):
    server = start_server(STORE_TIMEOUT_S=0.5)
    whole = stream_chat(server, "before", session_id="full").rest()
    upstream.reply = lambda e: (e.start(), [e.delta("x" * 2000) for _ in range(400)], e.finish())
    with full_disk(server):
        stream = stream_chat(server, "go", partial=False)
        if stream.status == 200:
            assert stream.rest()[-1].data["code"] == "storage_unavailable"
        else:
            assert stream.status == 503
    assert server.wait_until(lambda: is_healthy(server))
    again = follow_run(server, whole[0].data["run_id"]).rest()
    assert again[-1].data["full_response"] == "Hello there"
    answer = server.post("/api/chat", {"message": "after"})
    assert answer.status == 200


def test_sigterm_while_the_store_fails_still_ends_in_order(start_server, upstream):
    server = start_server(STORE_TIMEOUT_S=0.5, SHUTDOWN_GRACE_S=1)
    assert is_healthy(server)  # it serves: its signal handlers are there
    with locked(server):
        assert server.stop() == 0
    assert "Traceback" not in server.logs()
