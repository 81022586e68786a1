"""`run.py` on PostgreSQL, in both modes: what SQLite's users are promised, and no less."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_crashes import Watcher, endless
from tests.e2e.test_store_faults import Talking
from tests.support.postgres import PASSWORD, SHARED, Postgres
from tests.support.server import ROOT, Server
from tests.support.sse import follow_run, stream_chat, text_of

BOTH_MODES = pytest.mark.parametrize("mode", ["eventlet", "gevent"])


@pytest.fixture
def url(postgres: Postgres, postgres_url: str) -> str:
    """An empty database, over TCP."""
    return postgres.tcp_url(SHARED)


@BOTH_MODES
def test_kill_9_loses_nothing_that_anyone_saw(start_server, upstream, connect, url, mode):
    server = start_server(DATABASE_URL=url, ASYNC_MODE=mode)
    upstream.reply = endless
    stream = stream_chat(server, "hello", session_id="crash", partial=False)
    client = connect(server)
    client.call("chat_resume", {"run_id": stream.run_id, "after": 0})
    watcher = Watcher(stream)
    assert server.wait_until(lambda: len(watcher.events) >= 100)
    server.kill()
    watcher.join(30)
    server.restart()
    rest = follow_run(server, stream.run_id).rest()
    assert rest[-1].data["finish_reason"] == "interrupted"
    seen = "".join(event.get("token", "") for event in watcher.events)
    again = follow_run(server, stream.run_id, after=watcher.events[-1]["seq"]).rest()
    assert seen and seen + text_of(again) == text_of(rest)
    upstream.reply = lambda exchange: (exchange.start(), exchange.delta("ok"), exchange.finish())
    assert text_of(stream_chat(server, "next", session_id="crash", partial=False).rest()) == "ok"
    client = connect(server)
    client.call("chat_stream", {"message": "and then?", "session_id": "crash"})
    assert client.wait_for_end()["finish_reason"] == "stop"
    assert "Traceback" not in server.logs()
    assert server.status()["store"] == "postgresql"
    assert server.stop() == 0
    assert PASSWORD not in server.logs()


@BOTH_MODES
def test_connections_that_are_cut_lose_nothing(start_server, upstream, postgres, url, mode):
    server = start_server(DATABASE_URL=url, ASYNC_MODE=mode, HEARTBEAT_S=0.2)
    talking = upstream.reply = Talking()
    stream = stream_chat(server, "go", partial=False, session_id="cut")
    seen = stream.take(3)
    for _ in range(5):
        postgres.cut_all()
        seen += stream.take(3)
    talking.finish.set()
    rest = stream.rest()
    assert rest[-1].data["full_response"] == text_of([*seen, *rest])
    assert follow_run(server, stream.run_id).rest()[-1].data == rest[-1].data


def test_crash_of_the_database_delays_and_loses_nothing(start_server, upstream):
    database = Postgres()
    try:
        database.database()
        server = start_server(DATABASE_URL=database.tcp_url(SHARED), STORE_TIMEOUT_S=20)
        talking = upstream.reply = Talking()
        stream = stream_chat(server, "go", partial=False, session_id="crash")
        seen = stream.take(3)
        database.stop("immediate")
        assert server.get("/health").status in {200, 503}
        database.start()
        seen += stream.take(50)
        talking.finish.set()
        rest = stream.rest()
        assert rest[-1].data["full_response"] == text_of([*seen, *rest])
        assert server.wait_until(lambda: server.get("/health").status == 200)
        assert server.stop() == 0
    finally:
        database.remove()


def test_database_that_stays_away_fails_runs_and_comes_back(start_server, upstream):
    database = Postgres()
    try:
        database.database()
        server = start_server(DATABASE_URL=database.tcp_url(SHARED), STORE_TIMEOUT_S=1)
        talking = upstream.reply = Talking()
        stream = stream_chat(server, "go", partial=False, session_id="away")
        stream.take(3)
        database.stop("immediate")
        assert stream.rest()[-1].data["code"] == "storage_unavailable"
        assert talking.ended.wait(20)
        refused = server.post("/api/chat/stream", {"message": "no"})
        assert (refused.status, refused.code) == (503, "storage_unavailable")
        database.start()
        assert server.wait_until(lambda: server.get("/health").status == 200)
        record = server.get(f"/api/runs/{stream.run_id}")
        assert record.json["error"]["code"] == "storage_unavailable"
        talking.finish.set()
        assert "finish_reason" in stream_chat(server, "again", session_id="away").rest()[-1].data
    finally:
        database.remove()


def test_another_process_finds_a_crash_by_itself(start_server, upstream, url):
    first = start_server(DATABASE_URL=url)
    second = start_server("second", DATABASE_URL=url)
    upstream.reply = endless
    stream = stream_chat(first, "hello", session_id="two", partial=False)
    stream.take(5)
    watching = follow_run(second, stream.run_id)
    watching.take(3)
    first.kill()
    assert watching.rest()[-1].data["finish_reason"] == "interrupted"
    assert second.get("/api/chat/sessions/two").json["active_run"] is None


def test_start_that_cannot_use_its_database_says_why(tmp_path, postgres, url):
    wrong = postgres.tcp_url(SHARED, password="mistyped-password")
    with pytest.raises(AssertionError, match="password authentication failed") as refused:
        Server(tmp_path, DATABASE_URL=wrong)
    assert "mistyped" not in str(refused.value) and "Traceback" not in str(refused.value)


def moved(command: str, folder: Path, **environ: str) -> None:
    """Run tools/move.py."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tools/move.py"), command],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_all_moves_from_sqlite_and_back(start_server, upstream, tmp_path, url):
    server = start_server()
    data = b"in the file\n" * 100
    file = server.request("POST", "/api/attachments", data, {"X-File-Name": "a.txt"}).json
    server.post("/api/chat", {"message": "What is this?", "attachments": [file["id"]]})
    whole = stream_chat(server, "move", session_id="moved").rest()
    server.stop()
    first = f"sqlite:///{server.folder}/tandem.db"
    places = [(first, None), (url, "there"), (f"sqlite:///{tmp_path}/back.db", "back")]
    for number, (place, folder) in enumerate(places):
        settings = {"DATABASE_URL": place}
        if folder:
            settings["ATTACHMENTS_DIR"] = str(tmp_path / folder)
            moved("import", tmp_path, FROM=f"{number - 1}.jsonl", **settings)
        moved("export", tmp_path, TO=f"{number}.jsonl", **settings)
    files = [(tmp_path / f"{number}.jsonl").read_bytes().split(b"\n", 1)[1] for number in range(3)]
    assert files[0] == files[1] == files[2]
    other = start_server("other", DATABASE_URL=url, ATTACHMENTS_DIR=tmp_path / "there")
    again = follow_run(other, whole[0].data["run_id"]).rest()
    assert [event.data for event in again] == [event.data for event in whole]
    assert other.get(f"/api/attachments/{file['id']}").body == data


def test_a_backup_is_pg_dumps(tmp_path, url):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/backup.py")],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "pg_dump" in done.stderr and PASSWORD not in done.stderr
