"""kill -9, a worker taken for dead, SIGTERM: what was seen is stored; each run has one end."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from tests.support import topology
from tests.support.server import ROOT, Server
from tests.support.sse import SseStream, follow_run, stream_chat, text_of
from tests.support.upstream import Exchange

KILLS = int(os.environ.get("TEST_KILLS", "5"))


def endless(exchange: Exchange) -> None:
    """Say a piece every millisecond until the client goes."""
    exchange.start()
    for number in range(100_000):
        exchange.delta(f"{number} ")
        if exchange.wait_closed(0.001):
            return


class Watcher(threading.Thread):
    """Reads a stream until it breaks, and keeps what it saw."""

    def __init__(self, stream: SseStream) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.events: list = []
        self.start()

    def run(self) -> None:
        try:
            while (event := self.stream.next()) is not None:
                self.events.append(event.data)
        except (OSError, ValueError, AttributeError):
            pass
        except Exception as error:  # http.client's IncompleteRead
            assert "IncompleteRead" in repr(error)


@pytest.mark.parametrize("seed", range(KILLS))
def test_kill_9_loses_nothing_that_anyone_saw(start_server, upstream, seed):
    server = start_server()
    upstream.reply = endless
    stream = stream_chat(server, "hello", session_id="crash", partial=False)
    watchers = [Watcher(stream)]
    watchers += [Watcher(follow_run(server, stream.run_id)) for _ in range(2)]
    enough = random.Random(seed).randint(1, 200)
    assert server.wait_until(lambda: len(watchers[0].events) >= enough)
    assert server.wait_until(lambda: all(watcher.events for watcher in watchers))
    server.kill()
    [watcher.join(30) for watcher in watchers]
    server.restart()
    rest = follow_run(server, stream.run_id).rest()
    assert (rest[-1].data["code"], rest[-1].data["finish_reason"]) == (
        "shutting_down",
        "interrupted",
    )
    stored = text_of(rest)
    for watcher in watchers:
        seen = "".join(event.get("token", "") for event in watcher.events)
        assert stored.startswith(seen) and seen
        assert not any("finish_reason" in event for event in watcher.events)
        last = watcher.events[-1]["seq"]
        again = follow_run(server, stream.run_id, after=last).rest()
        assert seen + text_of(again) == stored
    messages = server.get("/api/chat/sessions/crash/messages").json["messages"]
    assert [(m["role"], m["status"]) for m in messages] == [
        ("user", "completed"),
        ("assistant", "interrupted"),
    ]
    assert messages[1]["content"] == text_of(rest)
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("ok"), exchange.finish())
    assert text_of(stream_chat(server, "next", session_id="crash", partial=False).rest()) == "ok"
    server.stop()
    if topology.CHOSEN.engine != "sqlite":
        return
    with sqlite3.connect(server.folder / "tandem.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ends = "SELECT count(*) FROM run_entries WHERE run_id = ? AND entries LIKE '%interrupted%'"
        assert database.execute(ends, (stream.run_id,)).fetchone() == (1,)
    database.close()


@topology.on_sqlite
def test_another_process_finds_a_crash_by_itself(start_server, upstream):
    first = start_server()
    second = Server(
        first.folder / "second",
        **{**first.settings, "DATABASE_URL": f"sqlite:///{first.folder}/tandem.db"},
    )
    upstream.reply = endless
    try:
        stream = stream_chat(first, "hello", session_id="two", partial=False)
        stream.take(5)
        watching = follow_run(second, stream.run_id)  # a run of another process
        seen = watching.take(3)
        first.kill()
        rest = watching.rest()
        assert rest[-1].data["finish_reason"] == "interrupted"
        assert [e.data["seq"] for e in [*seen, *rest]][-1] == rest[-1].data["seq"]
        assert second.get("/api/chat/sessions/two").json["active_run"] is None
    finally:
        second.stop()


@topology.on_sqlite
@topology.in_one_process
def test_a_worker_taken_for_dead_is_refused_and_goes_on(start_server, upstream):
    server = start_server()
    upstream.reply = endless
    stream = stream_chat(server, "hello", session_id="fenced", partial=False)
    seen = stream.take(3)
    take_over_by_force(server)
    events = stream.rest()
    assert events[-1].data["finish_reason"] == "interrupted"
    again = follow_run(server, stream.run_id).rest()
    assert again[-1].data == events[-1].data
    assert text_of(again) == text_of([*seen, *events])
    assert upstream.exchanges[0].closed.wait(20)
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("ok"), exchange.finish())
    assert text_of(stream_chat(server, "next", session_id="fenced").rest()) == "ok"


def take_over_by_force(server):
    """End the runs of the living worker as another process would that takes it for dead."""
    from app.core.run_errors import RunInterrupted
    from app.stores.sqlite.store import SqliteStore

    store = SqliteStore(str(server.folder / "tandem.db"))
    [worker_id] = store.other_workers("somebody else")
    assert store.take_over(worker_id, RunInterrupted().end_data(), time.time())
    store.close()


def test_sigterm_tells_forty_viewers_and_a_new_start_continues(start_server, upstream, connect):
    server = start_server(SHUTDOWN_GRACE_S=2, MAX_RUNS_PER_USER=200)
    upstream.reply = endless
    streams = [stream_chat(server, "go", partial=False, session_id=f"s{n}") for n in range(20)]
    clients = [connect(server) for _ in range(20)]
    for client in clients:
        client.call("chat_stream", {"message": "go", "partial": False})
    watchers = [Watcher(stream) for stream in streams]
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert server.wait_until(lambda: server.get("/health").status == 503)
    refused = server.post("/api/chat", {"message": "no"})
    assert (refused.status, refused.code) == (503, "shutting_down")
    assert refused.headers["retry-after"]
    stopping.join()
    assert server.process.returncode == 0
    [watcher.join(30) for watcher in watchers]
    assert all(w.events[-1]["finish_reason"] == "interrupted" for w in watchers)
    assert all(c.wait_for_end()["finish_reason"] == "interrupted" for c in clients)
    server.restart()
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("!"), exchange.finish())
    more = SseStream(server, "POST", f"/api/runs/{streams[0].run_id}/continue", {"partial": False})
    assert text_of(more.rest()) == "!"
    text = server.get("/api/chat/sessions/s0/messages").json["messages"][-1]["content"]
    assert text == "".join(e.get("token", "") for e in watchers[0].events) + "!"


@topology.on_sqlite
def test_a_database_newer_than_the_code_stops_the_start(start_server):
    server = start_server()
    server.stop()
    with sqlite3.connect(server.folder / "tandem.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
    database.close()
    with pytest.raises(AssertionError, match="newer Tandem"):
        server.restart()


@topology.on_sqlite
def test_a_backup_taken_while_a_reply_comes_restores_it(start_server, upstream, tmp_path):
    server = start_server()
    data = b"in the file\n" * 1000
    file = server.request("POST", "/api/attachments", data, {"X-File-Name": "a.txt"}).json
    server.post("/api/chat", {"message": "What is this?", "attachments": [file["id"]]})
    whole = stream_chat(server, "before").rest()
    upstream.reply = endless
    stream_chat(server, "go", partial=False).take(5)
    backup = tmp_path / "backup.db"
    environ = {"PATH": os.environ["PATH"], "TO": str(backup)}
    environ["DATABASE_URL"] = f"sqlite:///{server.folder}/tandem.db"
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/backup.py")],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{backup}.attachments (1 attachments)" in done.stdout
    restored = start_server("restored", DATABASE_URL=f"sqlite:///{backup}")
    again = follow_run(restored, whole[0].data["run_id"]).rest()
    assert [event.data for event in again] == [event.data for event in whole]
    assert restored.get(f"/api/attachments/{file['id']}").body == data
