"""`make export` and `make import` as processes, beside a server that runs on the same database."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.support import topology
from tests.support.server import ROOT
from tests.support.sse import stream_chat
from tests.support.upstream import Exchange

pytestmark = topology.on_sqlite


def endless(exchange: Exchange) -> None:
    """Say a piece every millisecond until the client goes."""
    exchange.start()
    for number in range(100_000):
        exchange.delta(f"{number} ")
        if exchange.wait_closed(0.001):
            return


def command(name, database, **settings):
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{database}"}
    environ |= {key: str(value) for key, value in settings.items()}
    script = [sys.executable, "-W", "ignore", str(ROOT / "tools/move.py"), name]
    return {"args": script, "env": environ, "cwd": database.parent}


def move(name, database, **settings):
    """Run a command to its end; return (exit code, output)."""
    done = subprocess.run(
        **command(name, database, **settings), capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def content(file):
    """Return what an export has, without the header, whose time differs."""
    return file.read_bytes().partition(b"\n")[2]


def a_file(seed):
    """Return bytes that no other seed gives, of a kind that every model is sent."""
    return f"{seed} is the number of this file.\n".encode() * 5000


def talk(server, session_id, data):
    """Send a message with a file; return the file's id."""
    named = server.request("POST", "/api/attachments", data, {"X-File-Name": "a.txt"}).json
    body = {"session_id": session_id, "attachments": [named["id"]], "message": "What is this?"}
    answer = server.post("/api/chat", body)
    assert answer.status == 200, answer.json
    return named["id"]


def test_files_are_moved_to_an_empty_server_while_one_runs(start_server, upstream, tmp_path):
    server = start_server()
    files = {talk(server, f"s-{n}", a_file(n)): a_file(n) for n in range(3)}
    upstream.reply = endless
    stream_chat(server, "go", partial=False, session_id="going").take(5)
    file, again = tmp_path / "all.jsonl", tmp_path / "again.jsonl"

    code, said = move("export", server.folder / "tandem.db", TO=file)
    assert (code, file.stat().st_mode & 0o777) == (0, 0o600), said
    assert "4 sessions" in said and "3 attachments" in said
    database = tmp_path / "other" / "tandem.db"
    database.parent.mkdir()
    assert "4 sessions stored, 0 were there" in move("import", database, FROM=file)[1]
    other = start_server("other", DATABASE_URL=f"sqlite:///{database}")
    for attachment_id, data in files.items():
        assert other.get(f"/api/attachments/{attachment_id}").body == data
    [_, reply] = other.get("/api/chat/sessions/going/messages").json["messages"]
    assert reply["status"] == "interrupted" and reply["content"].startswith("0 1 2 ")
    code, said = move("import", database, FROM=file)
    assert (code, said.splitlines()[0]) == (
        0,
        "nothing changed: all 4 sessions were there already",
    )
    assert move("export", database, TO=again)[0] == 0
    assert again.stat().st_size > file.stat().st_size  # by the end of what was under way


def test_export_goes_through_a_pipe_into_another_database(start_server, tmp_path):
    server = start_server()
    talk(server, "s-1", a_file(1))
    database = tmp_path / "tandem.db"
    exported = subprocess.run(
        **command("export", server.folder / "tandem.db", TO="-"), capture_output=True, check=True
    )
    imported = subprocess.run(
        **command("import", database, FROM="-"), input=exported.stdout, capture_output=True
    )
    assert imported.stdout == b"1 sessions stored, 0 were there already\n"
    for name, path in (("one", server.folder / "tandem.db"), ("two", database)):
        assert move("export", path, TO=tmp_path / name)[0] == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_import_killed_half_way_goes_on_to_the_same(start_server, tmp_path):
    server = start_server()
    for number in range(40):
        talk(server, f"s-{number:02}", a_file(number))
    file, database, whole = tmp_path / "all.jsonl", tmp_path / "a" / "t.db", tmp_path / "b" / "t.db"
    assert move("export", server.folder / "tandem.db", TO=file)[0] == 0
    for path in (database, whole):
        path.parent.mkdir()
    lines = file.read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    started = subprocess.Popen(
        **command("import", database, FROM="-"), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # It waits for more than it gets, and is killed there: some sessions are stored, and bytes wait.
    started.stdin.write(b"".join(lines[:half]) + lines[half][:100])
    started.stdin.flush()
    assert server.wait_until(lambda: 0 < sessions_in(database))
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdin.close()
    started.stderr.close()
    stored = sessions_in(database)
    assert 0 < stored < 40

    said = move("import", database, FROM=file)[1]
    assert f"{40 - stored} sessions stored, {stored} were there already" in said
    assert move("import", whole, FROM=file)[0] == 0
    for path in (database, whole):
        assert move("export", path, TO=f"{path}.jsonl")[0] == 0
    assert content(database.with_name("t.db.jsonl")) == content(whole.with_name("t.db.jsonl"))
    assert content(database.with_name("t.db.jsonl")) == content(file)


def sessions_in(database):
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # its tables are being made


@pytest.mark.parametrize(
    "name, settings, said",
    [
        ("export", {}, "there is no database at"),
        ("export", {"DATABASE_URL": "memory:"}, "memory:"),
        ("import", {}, "name a file with FROM="),
        ("import", {"FROM": "nowhere.jsonl"}, "nowhere.jsonl: No such file"),
        ("import", {"FROM": __file__}, "no export of Tandem's"),
        ("import", {"FROM": "x", "PORT": "many"}, "PORT"),
    ],
)
def test_command_that_cannot_be_done_says_why(tmp_path, name, settings, said):
    code, output = move(name, tmp_path / "tandem.db", **settings)

    assert (code, output.startswith(f"No {name}: ")) == (2, True)
    assert said in output and output.count("\n") == 1
    assert not (tmp_path / "tandem.db").exists()


def test_file_cut_off_stores_nothing(start_server, tmp_path):
    server, file = start_server(), tmp_path / "all.jsonl"
    for session_id in ("s-1", "s-2"):
        server.post("/api/chat", {"session_id": session_id, "message": "hi"})
    assert move("export", server.folder / "tandem.db", TO=file)[0] == 0
    file.write_bytes(file.read_bytes()[:-50])

    code, said = move("import", tmp_path / "tandem.db", FROM=file)
    assert (code, "cut off after line 5" in said) == (2, True)
    assert not (tmp_path / "tandem.db").exists()
    assert "exists; name another" in move("export", server.folder / "tandem.db", TO=file)[1]
