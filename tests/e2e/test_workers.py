"""Several processes on one port: how they start, share, hand over, die, are renewed and stop."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from tests.support.polling import Polling, ask, connection_to
from tests.support.raw_socket import RawSocket
from tests.support.server import ROOT, Server, run_to_its_end
from tests.support.services import missing
from tests.support.sockets import SocketClient
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import silent

CLIENTS = int(os.environ.get("TEST_CLIENTS", "40"))
COUNT = 4
PIECES = ("one ", "two ", "three ")
MODES = ("eventlet", "gevent")


class Held:
    """A reply that says its first piece at once, and the rest when the test lets it."""

    def __init__(self):
        self.release = threading.Event()

    def __call__(self, exchange):
        exchange.start()
        exchange.delta(PIECES[0])
        self.release.wait(60)
        for piece in PIECES[1:]:
            exchange.delta(piece)
        exchange.finish()


@pytest.fixture(scope="module", params=MODES)
def server_of_mode(request, tmp_path_factory, shared_upstream):
    server = Server(
        tmp_path_factory.mktemp("workers"),
        WORKERS=COUNT,
        ASYNC_MODE=request.param,
        OPENAI_BASE_URL=shared_upstream.url,
        MAX_SOCKETS_PER_USER=10_000,
        SHUTDOWN_GRACE_S=20,
        HEARTBEAT_S=30,  # none comes where a test counts events
    )
    yield server
    assert server.stop() == 0, server.output
    assert "Traceback" not in server.logs()
    assert not descendants_of(server), "a child outlived its parent"


@pytest.fixture
def workers(server_of_mode, upstream):
    """The server that the tests of a mode share."""
    return server_of_mode


def processes(server):
    return server.status()["processes"]


def pids(server):
    return {one["number"]: one.get("pid") for one in processes(server)}


def all_serve(server, count=COUNT):
    found = processes(server)
    return [one["number"] for one in found if one["state"] == "serving"] == list(
        range(1, count + 1)
    ) and len(found) == count


def descendants_of(server):
    """Return the processes that have the server's folder for theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.readlink() == server.folder:
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def sessions_of_two(server, connection):
    """Return two sessions of different processes."""
    first = Polling(connection)
    for _ in range(100):
        other = Polling(fresh := connection_to(server))
        fresh.close()
        if other.owner != first.owner:
            return first, other
    raise AssertionError("one process accepts everything")


def descriptors(server):
    """Return how many descriptors each of the processes has open."""
    return {n: len(os.listdir(f"/proc/{pid}/fd")) for n, pid in pids(server).items()}


# --- Starting, and what they say of themselves ---


def test_every_process_is_in_the_banner_the_status_and_the_log(workers):
    assert workers.output.count("Tandem ") == 1 and f"{COUNT} processes" in workers.output
    assert all_serve(workers)
    assert len(set(pids(workers).values())) == COUNT
    for number in range(20):
        assert workers.post("/api/chat", {"message": "hi"}).status == 200
    status = workers.status()
    assert status["runs"]["completed"] >= 20 and status["sessions"]["stored"] >= 20
    assert "details" not in status
    lines = [
        json.loads(line) for line in (workers.folder / "logs/app.log").read_text().splitlines()
    ]
    assert len({line["worker"] for line in lines if line["message"] == "run completed"}) > 1


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"WORKERS": "many"}, "WORKERS is 'many'; it must be a whole number from 1 to 64, or auto"),
        (
            {"WORKERS": "2", "DATABASE_URL": "memory:"},
            "WORKERS is 2, and DATABASE_URL is 'memory:'",
        ),
        ({"WORKERS": "2", "HOST": "0.0.0.0"}, "HOST is '0.0.0.0'"),
        ({"WORKERS": "2", "OPENAI_BASE_URL": "nowhere"}, "OPENAI_BASE_URL is 'nowhere'"),
    ],
)
def test_what_stops_the_start_is_said_once(tmp_path, settings, said):
    code, output = run_to_its_end(tmp_path, **settings)
    assert code == 2
    assert output.count(said) == 1 and "Traceback" not in output and "Tandem 0" not in output


def test_a_port_in_use_stops_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = run_to_its_end(tmp_path, WORKERS="2", PORT=str(port))
    assert code == 2 and f"PORT={port + 1} make run" in output


# --- Sharing ---


def test_streams_are_spread(workers, upstream):
    upstream.reply = held = Held()
    streams = [stream_chat(workers, "go", session_id=f"spread-{n}") for n in range(60)]
    running = [one["running"] for one in processes(workers)]
    held.release.set()
    assert {text_of(stream.rest()) for stream in streams} == {"".join(PIECES)}
    assert sum(running) == 60 and max(running) <= 60 / COUNT * 2, running


def test_whoever_polls_finds_its_process(workers):
    """Clients as they come, polling first, and clients that go on polling: all at once."""
    failed = []

    def chat(transports):
        client = None
        try:
            client = SocketClient(workers, transports)
            client.call("chat_stream", {"message": "hi"})
            client.wait_for_end()
            assert client.text() == "Hello there"
            assert not client.disconnected.is_set()
        except Exception as error:
            failed.append(repr(error))
        finally:
            if client is not None:
                client.close()

    kinds = [("polling", "websocket"), ("polling",)] * CLIENTS
    threads = [threading.Thread(target=chat, args=(kind,)) for kind in kinds]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failed == []


def test_a_connection_is_handed_to_and_fro(workers):
    connection = connection_to(workers)
    first, other = sessions_of_two(workers, connection)
    mine = connection.sock
    first.join(connection)
    other.join(connection)
    for _ in range(5):
        assert first.send(connection, "3") == other.send(connection, "3") == (200, b"ok")
        assert ask(connection, "GET", "/health")[0] == 200
    assert connection.sock is mine, "it was closed"
    connection.close()


def test_requests_that_wait_behind_another_go_with_it(workers):
    connection = connection_to(workers)
    first, other = sessions_of_two(workers, connection)
    sent = b"".join(
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n40" % one.path.encode()
        for one in (first, other)
    )
    sent += b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    connection.sock.sendall(sent)
    answers = b""
    while data := connection.sock.recv(65536):
        answers += data
    assert answers.count(b"HTTP/1.1 200") == 3 and answers.count(b"\r\nok") == 2, answers
    connection.close()


def test_a_body_that_comes_later_goes_with_its_head(workers):
    connection = connection_to(workers)
    first, other = sessions_of_two(workers, connection)
    for one in (first, other):
        one.join(connection)
        event = json.dumps(["chat_stop", {"run_id": "x" * 60_000}])
        body = f"420{event}".encode()
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        connection.sock.sendall(head % (one.path.encode(), len(body)) + body[:7])
        for begin in range(7, len(body), 20_000):
            connection.sock.sendall(body[begin : begin + 20_000])
        answer = http_answer(connection)
        assert answer.endswith(b"ok"), answer
        status, packets = one.poll(connection)
        assert status == 200 and packets.startswith(b"430[{"), packets
    connection.close()


def http_answer(connection):
    """Read an answer that is `ok`."""
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        data = connection.sock.recv(1000)
        assert data, answer
        answer += data
    return answer


def test_a_websocket_finds_the_session_that_it_upgrades(workers):
    connection = connection_to(workers)
    for _ in range(8):
        polling = Polling(connection)
        polling.join(connection)
        upgrade = RawSocket(workers, polling.sid)
        upgrade.send("2probe")
        assert upgrade.receive() == "3probe"
        upgrade.send("5")
        upgrade.send('421["chat_stop",{"run_id":"none"}]')
        assert upgrade.receive_until("431")[-1].startswith("431[")
        upgrade.close()
    connection.close()


def test_handing_over_leaves_no_descriptor_open(workers):
    connection = connection_to(workers)
    first, other = sessions_of_two(workers, connection)
    first.join(connection)
    other.join(connection)
    before = descriptors(workers)
    for _ in range(60):
        first.send(connection, "3")
        other.send(connection, "3")
    assert workers.wait_until(lambda: descriptors(workers) == before), (
        before,
        descriptors(workers),
    )
    connection.close()


def test_a_session_of_nobody_is_unknown(workers):
    connection = connection_to(workers)
    polling = Polling(connection)
    for owner in ("9g99", "1g0", "2", "..", "x/y"):
        polling.sid = f"{owner}-AAAA"
        assert polling.poll(connection)[0] == 400
    connection.close()


# --- Dying, and being renewed ---


def test_a_process_that_is_killed_is_replaced_and_its_replies_are_told(workers, upstream):
    upstream.reply = held = Held()
    streams = [stream_chat(workers, "go", session_id=f"kill-{n}") for n in range(12)]
    assert {stream.next().data["token"] for stream in streams} == {PIECES[0]}
    victim = max(processes(workers), key=lambda one: one["running"])
    idle = Polling(connection := connection_to(workers))
    os.kill(victim["pid"], signal.SIGKILL)
    assert workers.wait_until(lambda: all_serve(workers))
    assert pids(workers)[victim["number"]] != victim["pid"]
    assert '"how": "SIGKILL"' in (workers.folder / "logs/app.log").read_text()
    held.release.set()
    texts, ended = [], []
    for stream in streams:
        try:
            texts.append(text_of(stream.rest()))
        except Exception as error:  # http.client's IncompleteRead
            assert "IncompleteRead" in repr(error) or isinstance(error, OSError)
            ended.append(follow_run(workers, stream.run_id).rest()[-1].data)
    assert len(ended) == victim["running"] and len(texts) == 12 - len(ended)
    assert {end["finish_reason"] for end in ended} == {"interrupted"}
    assert set(texts) == {"".join(PIECES[1:])}
    is_its = idle.owner.startswith(f"{victim['number']}g")
    fresh = connection_to(workers)
    assert (idle.send(fresh, "3")[0] == 400) is is_its
    connection.close(), fresh.close()


def test_a_reload_interrupts_nothing(workers, upstream):
    (workers.folder / ".env").write_text("OPENAI_MODEL=renewed\n")
    upstream.replies = {"go": (held := Held())}
    before = pids(workers)
    kept = connection_to(workers)
    streams = [stream_chat(workers, "go", session_id=f"reload-{n}") for n in range(20)]
    workers.process.send_signal(signal.SIGHUP)
    refused = []

    def is_renewed():
        for ask_by in (workers.post, lambda path, body: chat_on(kept, path, body)):
            answer = ask_by("/api/chat", {"message": "meanwhile"})
            refused.extend([answer.status] if answer.status != 200 else [])
        found = processes(workers)
        numbers = [one["number"] for one in found if one.get("pid") not in before.values()]
        if len(numbers) == COUNT:  # the old ones end when their replies have
            held.release.set()
        return all_serve(workers) and len(numbers) == COUNT

    assert workers.wait_until(is_renewed, 60), processes(workers)
    assert {text_of(stream.rest()) for stream in streams} == {"".join(PIECES)}
    assert refused == []
    kept.close()
    (workers.folder / ".env").unlink()
    assert workers.post("/api/chat", {"message": "hi"}).json["model"] == "renewed"


def test_a_reload_that_cannot_be_is_given_up(workers):
    before = pids(workers)
    (workers.folder / ".env").write_text("MAX_RUNS=many\n")
    workers.process.send_signal(signal.SIGHUP)
    assert workers.wait_until(lambda: "the reload is given up" in workers.output)
    (workers.folder / ".env").unlink()
    assert "MAX_RUNS is 'many'" in workers.output
    assert all_serve(workers) and pids(workers) == before


def test_a_process_that_says_nothing_is_listed_as_silent(workers):
    stopped = processes(workers)[1]
    os.kill(stopped["pid"], signal.SIGSTOP)
    try:
        states = {one["number"]: one["state"] for one in processes(workers)}
    finally:
        os.kill(stopped["pid"], signal.SIGCONT)
    assert states == {n: "silent" if n == 2 else "serving" for n in range(1, COUNT + 1)}


class _Status(int):
    @property
    def status(self):
        return int(self)


def chat_on(connection, path, body):
    """POST on this connection; a connection that was closed between two requests is opened."""
    headers = {"Content-Type": "application/json"}
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
    except (ConnectionError, OSError):
        connection.close()
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
    answer.read()
    return _Status(answer.status)


def test_sigterm_ends_all_within_their_grace(start_server, upstream):
    server = start_server(WORKERS=2, SHUTDOWN_GRACE_S=1)
    upstream.reply = silent
    streams = [stream_chat(server, "go", session_id=f"cut-{n}") for n in range(6)]
    children = pids(server)
    assert server.stop() == 0
    for stream in streams:
        assert stream.rest()[-1].data["code"] == "shutting_down"
    assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
    assert server.output.count("Tandem has stopped.") == 1


def test_without_their_parent_they_end_and_the_port_is_free(start_server):
    folder = tempfile.mkdtemp(prefix="w-")  # a socket's name is short
    server = start_server(WORKERS=2, TMPDIR=folder)
    assert os.listdir(folder)
    children = pids(server).values()
    server.process.kill()  # the parent alone
    server.process.wait()
    gone = threading.Event()

    def are_gone():
        alive = [pid for pid in children if Path(f"/proc/{pid}").exists()]
        return not alive or gone.wait(0.05)

    assert any(are_gone() for _ in range(600))
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", server.port))
    assert "the parent is gone" in server.output
    assert os.listdir(folder) == [], "the last one tidies up"
    os.rmdir(folder)


# --- Several hosts ---

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    {config}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://$tandem;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def in_front(tmp_path):
    """Start nginx with the configuration of docs/scale.md before two servers."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("nginx is not installed", "apt-get install nginx")
    started = []

    def start(first, second):
        config = re.search(r"```nginx\n(.+?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)[
            1
        ]
        for address, server in (("10.0.0.1:5000", first), ("10.0.0.2:5000", second)):
            config = config.replace(address, f"127.0.0.1:{server.port}")
        port = free_port()
        (tmp_path / "nginx.conf").write_text(
            NGINX.format(folder=tmp_path, config=config, port=port)
        )
        command = [program, "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf"]
        started.append(subprocess.Popen(command))
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait()


def test_behind_nginx_whoever_polls_finds_its_host_and_process(start_server, in_front, upstream):
    settings = {"DATABASE_URL": "sqlite:///../shared.db", "MAX_SOCKETS_PER_USER": 1000}
    first = start_server("a", NODE="a", WORKERS=2, **settings)
    second = start_server("b", NODE="b", **settings)
    front = Front(in_front(first, second))
    assert first.wait_until(front.is_there)
    for kind in [("polling", "websocket"), ("polling",)] * 10:
        client = SocketClient(front, kind)
        client.call("chat_stream", {"message": "hi"})
        client.wait_for_end()
        assert client.text() == "Hello there" and not client.disconnected.is_set()
        client.close()
    assert first.status()["runs"]["completed"] and second.status()["runs"]["completed"]


class Front:
    """A proxy, as clients know it."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def is_there(self):
        try:
            return ask(connection_to(self), "GET", "/health")[0] == 200
        except OSError:
            return False
