"""The process: how it starts, refuses to start, stays alive under load, and stops."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading

import pytest

from tests.support.server import Server, run_to_its_end
from tests.support.sse import stream_chat, text_of
from tests.support.upstream import PLANTED_KEY, delta, event_bytes, silent


@pytest.mark.parametrize(
    "name, value",
    [
        ("PORT", "70000"),
        ("ASYNC_MODE", "asyncio"),
        ("HEARTBEAT_S", "nan"),
        ("DATABASE_URL", "mysql://x"),
        ("CORS_ORIGINS", "example.com"),
        ("MAX_RUNS", "many"),
        ("LOG_LEVEL", "loud"),
        ("DEFAULT_PROVIDER", "openai"),
        ("OPENAI_BASE_URL", "api.openai.com"),
        ("HOST", "0.0.0.0"),
        ("TEXT_FILTER", "os:sep"),
    ],
)
def test_a_bad_setting_stops_the_start_with_its_name(tmp_path, name, value):
    code, output = run_to_its_end(tmp_path, **{name: value})
    assert code == 2
    assert name in output and value in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("HTTPS_PROXY", "socks://us:hush@proxy.test:1080", "socks://proxy.test:1080"),
        ("SSL_CERT_FILE", "/nowhere.pem", "/nowhere.pem"),
        ("SSL_CERT_DIR", "/nowhere", "/nowhere"),
        ("OPENAI_API_KEY", "Bearer hush", "(not shown)"),
        ("LOCAL_LLM_URL", "127.0.0.1:11434/api", "127.0.0.1:11434/api"),
    ],
)
def test_a_way_that_cannot_be_gone_stops_the_start(tmp_path, name, value, shown):
    code, output = run_to_its_end(tmp_path, **{"OPENAI_API_KEY": "sk-1", name: value})
    assert code == 2
    assert f"{name} is " in output and shown in output and "hush" not in output
    assert "Traceback" not in output


def test_a_port_in_use_is_one_helpful_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = run_to_its_end(tmp_path, PORT=str(port), DATABASE_URL="memory:")
    assert code == 2
    assert output.strip().count("\n") == 0 and f"PORT={port + 1} make run" in output


def test_dot_env_is_obeyed_and_the_environment_counts_more(tmp_path, upstream):
    env_file = f"OPENAI_BASE_URL={upstream.url}\nOPENAI_MODEL=from-file\nHEARTBEAT_S=\n"
    (tmp_path / ".env").write_text(env_file)
    server = Server(tmp_path, DATABASE_URL="memory:")
    try:
        assert server.post("/api/chat", {"message": "hi"}).json["model"] == "from-file"
    finally:
        server.stop()
    server = Server(tmp_path, OPENAI_MODEL="from-environment")
    try:
        assert server.post("/api/chat", {"message": "hi"}).json["model"] == "from-environment"
    finally:
        server.stop()


def test_sigterm_ends_an_idle_server_without_its_grace(start_server):
    server = start_server(SHUTDOWN_GRACE_S=600)
    server.get("/health")
    assert server.stop() == 0
    assert "Tandem has stopped." in server.output


def test_sigterm_interrupts_what_outlasts_its_grace(start_server, upstream):
    server = start_server(SHUTDOWN_GRACE_S=0.3)
    upstream.reply = silent
    stream = stream_chat(server, "go", session_id="cut")
    upstream.wait_for(1)
    assert server.stop() == 0
    ended = stream.rest()[-1].data
    assert (ended["code"], ended["finish_reason"]) == ("shutting_down", "interrupted")
    server.restart()
    assert server.get(f"/api/runs/{stream.run_id}").json["status"] == "interrupted"


def test_a_planted_message_and_key_are_in_no_log(server):
    stream_chat(server, "planted-message-7f3a").rest()
    server.post("/api/chat", {"message": "planted-message-7f3a", "temperature": "x"})
    assert "planted-message" not in server.logs()
    assert PLANTED_KEY not in server.logs()


def test_a_flood_holds_nobody_up(start_server, upstream):
    """A model that never pauses, and a client that takes all: others are answered before the end,
    which comes when they have been."""
    server = start_server(MAX_REPLY_BYTES=10**9)
    pieces, most = event_bytes(delta("0123456789")) * 100, 50_000
    is_enough, poured = threading.Event(), []

    def pour(exchange):
        exchange.start()
        while not is_enough.is_set() and len(poured) < most:
            exchange.chunk(pieces)
            poured.append(100)
        exchange.finish()

    upstream.replies = {"flood": pour}
    flooded = stream_chat(server, "flood", partial=False)
    # A process of its own reads it: this one's interpreter lock would be what is measured.
    path = f"{server.url}/api/runs/{flooded.run_id}/events?partial=false"
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import urllib.request as r; print(len(r.urlopen({path!r}).read()))",
        ],
        stdout=subprocess.PIPE,
    )
    flooded.close()
    assert server.wait_until(lambda: len(poured) > 100)
    for _ in range(5):
        assert server.get("/health").status == 200
    assert text_of(stream_chat(server, "other").rest()) == "Hello there"
    assert len(poured) < most and reader.poll() is None
    is_enough.set()
    assert int(reader.communicate()[0]) > sum(poured) * 10
    record = server.get(f"/api/runs/{flooded.run_id}").json
    assert (record["status"], record["seq"]) == ("completed", sum(poured) + 1)


def test_status_counts(server):
    stream_chat(server, "hi").rest()
    nobody = {"sse": 0, "socket": 0}
    assert server.wait_until(lambda: server.status()["viewers"] == nobody)
    status = json.loads(server.get("/api/status").body)
    assert {
        "version",
        "uptime_s",
        "async_mode",
        "store",
        "providers",
        "runs",
        "viewers",
        "sessions",
    } <= set(status)
    assert status["runs"]["ended"] >= 1
    assert server.get("/health").json == {"status": "ok"}


def test_a_file_that_is_no_database_stops_the_start(tmp_path):
    (tmp_path / "notes.db").write_text("these are notes, and no database at all" * 100)
    code, output = run_to_its_end(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/notes.db")
    assert code == 2 and "notes.db" in output and "Traceback" not in output
