"""What each fault does to several processes: whoever watches a run, through any of them, ends with
what is stored, nothing twice and nothing missing, one end; and new messages are answered.

Each test prints what it has measured; `pytest -s` shows that. What is asserted is the promise.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.cables import Cable
from tests.support.ends import stored_seqs
from tests.support.postgres import SHARED, Postgres
from tests.support.redis import Redis
from tests.support.server import Server
from tests.support.sse import SseStream, follow_run, stream_chat, text_of
from tests.support.upstream import Upstream, say
from tests.support.viewers import Counting, Viewer, numbers_in

STREAMS = int(os.environ.get("TEST_CLIENTS", "30"))
REPEATED = int(os.environ.get("TEST_KILLS", "3"))
SEEN = "other processes work on this database"
ON_REDIS = pytest.mark.parametrize("on", ["redis"])
ON_POSTGRES = pytest.mark.parametrize("on", ["notify", "redis"])
ON_EACH = pytest.mark.parametrize("on", ["sqlite", "notify", "redis"])


class Nodes:
    """Three processes on one database, that tests share: who was killed starts again."""

    def __init__(self, folder: Path, upstream: Upstream, **settings: Any) -> None:
        given = {"OPENAI_BASE_URL": upstream.url, "MAX_RUNS_PER_USER": 1000, **settings}
        given.setdefault("DATABASE_URL", f"sqlite:///{folder}/tandem.db")
        self.servers = [Server(folder / name, SHUTDOWN_GRACE_S=3, **given) for name in "abc"]

    def ready(self) -> list[Server]:
        """Return them, once all know that they are not alone."""
        for server in self.servers:
            if server.process.poll() is not None:
                server.restart()
        return know_each_other(self.servers)


def know_each_other(servers: list[Server]) -> list[Server]:
    assert all(one.wait_until(lambda one=one: SEEN in one.output) for one in servers)
    return servers


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def to_redis(redis) -> Iterator[Cable]:
    """What all processes reach Redis by."""
    with closing(Cable(redis.socket)) as cable:
        yield cable


@pytest.fixture(scope="module")
def nodes_on(request, tmp_path_factory, shared_upstream) -> Iterator[Callable[[str], Nodes]]:
    started: dict[str, Nodes] = {}

    def start(on: str) -> Nodes:
        if on not in started:
            settings = {}
            if on != "sqlite":
                settings["DATABASE_URL"] = request.getfixturevalue("postgres").new_database()
            if on == "redis":
                port = request.getfixturevalue("to_redis").port
                settings["REDIS_URL"] = f"redis://127.0.0.1:{port}"
            started[on] = Nodes(tmp_path_factory.mktemp(on), shared_upstream, **settings)
        return started[on]

    yield start
    for nodes in started.values():
        for server in nodes.servers:
            server.end()


@pytest.fixture
def nodes(nodes_on, on, upstream) -> list[Server]:
    """Three processes that know of each other, and may be taken for lost."""
    servers = nodes_on(on).ready()
    may_be_taken_for_lost(servers[0])
    return servers


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """One that may be stopped, with a database `shared`."""
    server = Postgres()
    server.database()
    yield server
    server.remove()


@pytest.fixture
def start_pair(start_server, own_postgres) -> Callable[..., list[Server]]:
    """Start two processes on that."""

    def start(**settings: Any) -> list[Server]:
        settings = {"DATABASE_URL": own_postgres.url(SHARED), **settings}
        return know_each_other([start_server(name, **settings) for name in "ab"])

    return start


@pytest.fixture
def watch() -> Iterator[Callable[..., Viewer]]:
    """Watch a run through these processes, at random."""
    viewers: list[Viewer] = []

    def start(run_id: str, *servers: Server, chance: random.Random | None = None) -> Viewer:
        viewers.append(Viewer(run_id, servers, chance or random.Random(len(viewers))))
        return viewers[-1]

    yield start
    for viewer in viewers:
        viewer.give_up()


@pytest.fixture
def counting(upstream) -> Iterator[Counting]:
    """What the model says, but for the message `new`."""
    reply = upstream.reply = Counting()
    upstream.replies = {"new": say(["0/0 "])}
    yield reply
    reply.finish.set()


def url_of(server: Server) -> str:
    return str(server.settings["DATABASE_URL"])


def begin(server: Server, **fields: str) -> SseStream:
    """Start a run and see its first pieces."""
    stream = stream_chat(server, "go", partial=False, **fields)
    stream.take(3)
    return stream


def says_more(server: Server, *viewers: Viewer) -> None:
    """Wait until each of them has something that was said just now."""
    since = time.monotonic()
    assert server.wait_until(lambda: all(viewer.has_come_since(since) for viewer in viewers), 60)


def live_again_s(server: Server, *viewers: Viewer, since: float = 0.0) -> float:
    """Wait until all get what is said as it is said, for two seconds; return when that began."""
    since = since or time.monotonic()
    assert server.wait_until(lambda: all(viewer.is_live(since) for viewer in viewers), 60)
    return max(viewer.live_after_s(since) for viewer in viewers)


def whole(
    server: Server, *viewers: Viewer, reason: str, database: str = "", unstored: bool = False
) -> dict[str, Any]:
    """Each has seen what is stored, once, with one end, after which nothing is; return that.

    An end may have been shown `unstored`: a commit that was given up may have stored more.
    """
    ends = [viewer.wait_for_end() for viewer in viewers]
    run_id = viewers[0].run_id
    events = follow_run(server, run_id).rest()
    end, text = events[-1].data, text_of(events)
    assert (end["finish_reason"], end["run_id"]) == (reason, run_id)
    if unstored:
        assert {one["finish_reason"] for one in ends} == {reason}
        assert all(text.startswith(viewer.text) for viewer in viewers)
    else:
        assert ends == [end] * len(ends)
        assert [viewer.text for viewer in viewers] == [text] * len(viewers)
    assert numbers_in(text) == list(range(len(text.split())))
    record = server.get(f"/api/runs/{run_id}").json
    messages = server.get(f"/api/chat/sessions/{record['session_id']}/messages").json["messages"]
    assert [one["content"] for one in messages if one.get("run_id") == run_id][-1] == text
    seqs = stored_seqs(database or url_of(server), run_id)
    assert seqs == list(range(1, end["seq"] + 1))
    return end


def answer_s(server: Server) -> float:
    """Return how long it takes until a new message is answered, sent again where it is refused."""
    began = time.monotonic()
    assert server.wait_until(lambda: server.post("/api/chat", {"message": "new"}).status == 200, 60)
    return time.monotonic() - began


def may_be_taken_for_lost(server: Server) -> None:
    """Wait until the database has been there for so long that its processes are taken for gone."""
    if url_of(server).startswith("sqlite"):
        return
    query = "SELECT now() - pg_postmaster_start_time() > interval '11 s'"
    with psycopg.connect(url_of(server), autocommit=True) as connection:
        assert server.wait_until(lambda: bool(connection.execute(query).fetchone()[0]), 60)


# --- One of the processes -------------------------------------------------------------------------


@ON_EACH
def test_kill_9_of_the_owner(nodes, counting, watch, on):
    first, second, third = nodes
    run_id = begin(first, session_id=f"killed-{on}").run_id
    viewers = [watch(run_id, first, third), watch(run_id, second), watch(run_id, third)]
    says_more(second, *viewers)
    first.kill()
    killed = time.monotonic()
    new_s = answer_s(second)
    viewers[1].wait_for_end()
    elsewhere_s = time.monotonic() - killed
    whole(third, *viewers, reason="interrupted")
    assert third.get(f"/api/chat/sessions/killed-{on}").json["active_run"] is None
    counting.finish.set()
    more = stream_chat(third, "and", session_id=f"killed-{on}")
    assert more.rest()[-1].data["finish_reason"] == "stop"
    print(f"\nkill -9, {on}: interrupted after {elsewhere_s:.1f} s, new message {new_s:.2f} s")


@ON_EACH
def test_sigterm_of_the_owner(nodes, upstream, watch, on):
    first, second, _ = nodes
    ending, endless = Counting(), Counting()
    upstream.replies = {"new": say(["0/0 "]), "go": ending, "go on": endless}
    kept = stream_chat(first, "go", partial=False).run_id
    cut = stream_chat(first, "go on", partial=False).run_id
    keeping = [watch(kept, first, second), watch(kept, second)]
    cutting = [watch(cut, first, second), watch(cut, second)]
    says_more(second, *keeping, *cutting)
    first.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    new_s = answer_s(second)
    ending.finish.set()
    keeping[1].wait_for_end()
    kept_s = time.monotonic() - told
    cutting[1].wait_for_end()
    cut_s = time.monotonic() - told
    assert first.process.wait(30) == 0
    gone_s = time.monotonic() - told
    whole(second, *keeping, reason="stop")
    whole(second, *cutting, reason="interrupted")
    print(
        f"\nSIGTERM, grace 3 s, {on}: an end elsewhere after {kept_s:.1f} s, interrupted after"
        f" {cut_s:.1f} s, gone after {gone_s:.1f} s, new message {new_s:.2f} s"
    )


@ON_EACH
def test_owner_that_stands_still_for_a_moment(nodes, counting, watch, on):
    first, second, _ = nodes
    run_id = begin(first).run_id
    viewers = [watch(run_id, first), watch(run_id, second)]
    says_more(second, *viewers)
    stood = time.monotonic()
    with standing_still(first.process.pid):
        new_s = answer_s(second)
        assert second.wait_until(lambda: time.monotonic() - stood >= 3)
    says_more(second, *viewers)
    counting.finish.set()
    whole(second, *viewers, reason="stop")
    print(f"\nSIGSTOP 3 s, {on}: {gaps(viewers, stood)}; new message elsewhere {new_s:.2f} s")


@ON_POSTGRES
def test_owner_that_stands_still_for_long(nodes, upstream, counting, watch, on):
    first, second, _ = nodes
    run_id = begin(first).run_id
    here, elsewhere = watch(run_id, first), watch(run_id, second)
    says_more(second, here, elsewhere)
    stood = time.monotonic()
    with standing_still(first.process.pid):
        elsewhere.wait_for_end()
        lost_s = time.monotonic() - stood
        whole(second, elsewhere, reason="interrupted")
        new_s = answer_s(second)
    woken = time.monotonic()
    here.wait_for_end()
    told_s = time.monotonic() - woken
    assert upstream.exchanges[0].closed.wait(30)
    assert first.wait_until(lambda: first.get("/health").status == 200)
    answer_s(first)
    assert "taken for dead" in first.logs()
    whole(first, here, elsewhere, reason="interrupted")
    print(
        f"\nSIGSTOP, {on}: interrupted after {lost_s:.1f} s, its own viewer {told_s:.1f} s after"
        f" SIGCONT, new message elsewhere {new_s:.2f} s"
    )


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process, and let it go on whatever happens."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def gaps(viewers: list[Viewer], since: float) -> str:
    """Say for how long nothing came, to who watched through the owner and to who did elsewhere."""
    here, elsewhere = (viewer.longest_gap_s(since) for viewer in viewers)
    return f"a gap of {here:.2f} s at the owner, {elsewhere:.2f} s elsewhere"


# --- The bus --------------------------------------------------------------------------------------


@ON_REDIS
@pytest.mark.parametrize("fault", ["killed", "paused"])
def test_redis_is_away(nodes, counting, redis, watch, on, fault):
    first, second, _ = nodes
    run_id = begin(first).run_id
    viewers = [watch(run_id, first), watch(run_id, second)]
    live_again_s(second, *viewers)
    began = time.monotonic()
    with away(redis, fault):
        says_more(second, *viewers)
        new_s = answer_s(second)
        fails = "the bus fails"
        assert second.wait_until(lambda: all(fails in one.output for one in (first, second)))
        says_more(second, *viewers)
        away_gaps = gaps(viewers, began)
    back = time.monotonic()
    live_s = live_again_s(second, *viewers, since=back)
    counting.finish.set()
    whole(second, *viewers, reason="stop")
    print(f"\nRedis {fault}: {away_gaps}; live {live_s:.1f} s after; new message {new_s:.2f} s")


@contextmanager
def away(redis: Redis, fault: str) -> Iterator[None]:
    """Kill it, or let it stand still, and then have it back."""
    if fault == "killed":
        redis.kill()
    else:
        redis.stand_still()
    try:
        yield
    finally:
        if fault == "killed":
            redis.start()
        else:
            redis.go_on()


@ON_REDIS
@pytest.mark.parametrize("how", ["ended", "dead"])
def test_bus_is_cut_both_ways(nodes, counting, to_redis, watch, on, how):
    first, second, _ = nodes
    here, there = begin(first).run_id, begin(second).run_id
    viewers = [watch(here, first), watch(here, second)]
    others = [watch(there, second), watch(there, first)]
    live_again_s(second, *viewers, *others)
    began = time.monotonic()
    to_redis.is_dead = True
    try:
        if how == "ended":
            to_redis.cut()
        new_s = answer_s(second)
        assert second.wait_until(lambda: time.monotonic() - began >= 4)
        says_more(second, *viewers, *others)
        away_gaps = gaps(viewers, began)
    finally:
        to_redis.mend()
    back = time.monotonic()
    live_s = live_again_s(second, *viewers, *others, since=back)
    counting.finish.set()
    whole(second, *viewers, reason="stop")
    whole(first, *others, reason="stop")
    live = f"live {live_s:.1f} s after; new message {new_s:.2f} s"
    print(f"\nbus cut both ways, {how}: {away_gaps}; {live}")


# --- The database ---------------------------------------------------------------------------------


@ON_POSTGRES
def test_all_connections_to_the_database_are_cut(nodes, counting, postgres, watch, on):
    first, second, _ = nodes
    run_id = begin(first).run_id
    viewers = [watch(run_id, first), watch(run_id, second)]
    for _ in range(3):
        says_more(second, *viewers)
        cut = time.monotonic()
        postgres.cut_all()
        live_s = live_again_s(second, *viewers, since=cut)
    counting.finish.set()
    whole(second, *viewers, reason="stop")
    print(f"\nall connections cut, {on}: {gaps(viewers, cut)}; live {live_s:.1f} s after")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_database_that_starts_again(start_pair, counting, own_postgres, watch, mode):
    first, second = start_pair(STORE_TIMEOUT_S=60)
    run_id = begin(first).run_id
    viewers = [watch(run_id, first), watch(run_id, second)]
    says_more(second, *viewers)
    stopped = time.monotonic()
    own_postgres.stop(mode)
    own_postgres.start()
    away_s = time.monotonic() - stopped
    new_s = answer_s(second)
    says_more(second, *viewers)
    counting.finish.set()
    whole(second, *viewers, reason="stop")
    gap = gaps(viewers, stopped)
    print(f"\nPostgreSQL {mode}, away {away_s:.1f} s: {gap}; new message {new_s:.2f} s")


@ON_POSTGRES
def test_database_that_stays_away(request, start_pair, upstream, counting, own_postgres, watch, on):
    settings = {"REDIS_URL": request.getfixturevalue("redis").url} if on == "redis" else {}
    first, second = start_pair(STORE_TIMEOUT_S=2, **settings)
    run_id = begin(first).run_id
    viewers = [watch(run_id, first), watch(run_id, second)]
    says_more(second, *viewers)
    stopped = time.monotonic()
    own_postgres.stop()
    assert viewers[0].wait_for_end()["code"] == "storage_unavailable"
    shown_s = time.monotonic() - stopped
    assert upstream.exchanges[0].closed.wait(30)
    for server in (first, second):
        refused = server.post("/api/chat/stream", {"message": "no"})
        assert (refused.status, refused.code) == (503, "storage_unavailable")
    own_postgres.start()
    back = time.monotonic()
    for server in (first, second):
        assert server.wait_until(lambda server=server: server.get("/health").status == 200)
    serves_s = time.monotonic() - back
    assert second.wait_until(
        lambda: second.get(f"/api/runs/{run_id}").json["status"] == "failed", 60
    )
    stored_s = time.monotonic() - back
    whole(second, *viewers, reason="error", unstored=True)
    print(
        f"\nPostgreSQL away, {on}, STORE_TIMEOUT_S=2: storage_unavailable after {shown_s:.1f} s;"
        f" back, it serves after {serves_s:.1f} s, the end is stored after {stored_s:.1f} s"
    )


@pytest.mark.parametrize("how, patience_s", [("dead", 2), ("ended", 60)])
def test_process_that_does_not_reach_the_database(
    start_server, upstream, postgres, counting, watch, how, patience_s
):
    """Its own viewers see `storage_unavailable` once it has lost patience, before the others end
    its run; what is stored is theirs."""
    database = postgres.new_database()
    name = urlsplit(database).path[1:]
    with closing(Cable(postgres.port)) as cable:
        settings = {"STORE_TIMEOUT_S": patience_s, "DATABASE_URL": database}
        second = start_server("direct", **settings)
        far = {**settings, "DATABASE_URL": postgres.tcp_url(name, port=cable.port)}
        first = start_server("far", **far)
        know_each_other([first, second])
        may_be_taken_for_lost(second)
        run_id = begin(first).run_id
        here, elsewhere = watch(run_id, first), watch(run_id, second)
        says_more(second, here, elsewhere)
        cut = time.monotonic()
        cable.is_dead = True
        if how == "ended":
            cable.cut()
        if patience_s == 2:
            assert here.wait_for_end()["code"] == "storage_unavailable"
            own_s = time.monotonic() - cut
        elsewhere.wait_for_end()
        lost_s = time.monotonic() - cut
        new_s = answer_s(second)
        whole(second, elsewhere, reason="interrupted")
        cable.mend()
        back = time.monotonic()
        if patience_s == 60:
            here.wait_for_end()
            own_s = time.monotonic() - back
            whole(second, here, elsewhere, reason="interrupted")
        assert elsewhere.text.startswith(here.text)
        assert upstream.exchanges[0].closed.wait(30)
        assert first.wait_until(lambda: first.get("/health").status == 200)
        answer_s(first)
        serves_s = time.monotonic() - back
        end = whole(second, elsewhere, reason="interrupted")
        assert first.wait_until(lambda: follow_run(first, run_id).rest()[-1].data == end)
    own = f"{own_s:.1f} s after " + ("it is back" if patience_s == 60 else "the cut")
    print(
        f"\nprocess cut from PostgreSQL, {how}, STORE_TIMEOUT_S={patience_s}: interrupted after"
        f" {lost_s:.1f} s elsewhere, its own viewer told {own}; new message elsewhere"
        f" {new_s:.2f} s; serves again {serves_s:.1f} s after it is back"
    )


# --- Again and again, while many watch ------------------------------------------------------------


class Crowd:
    """Many runs, each watched by who started it and by others, through any process."""

    def __init__(self, servers: list[Server], watch: Callable[..., Viewer], name: str) -> None:
        self._chance = random.Random(name)
        self._watch = watch
        self.viewers: dict[str, list[Viewer]] = {}
        for number in range(STREAMS):
            owner = self._chance.choice(servers)
            stream = stream_chat(owner, "go", session_id=f"{name}-{number}", partial=False)
            stream.close()
            self.viewers[stream.run_id] = [
                watch(stream.run_id, *servers, chance=random.Random(f"{name} {number} {again}"))
                for again in range(2)
            ]

    def all(self) -> list[Viewer]:
        return [viewer for both in self.viewers.values() for viewer in both]

    def check(self, server: Server) -> dict[str, int]:
        """Return how the runs ended, each of them whole."""
        found: dict[str, int] = {}
        for viewers in self.viewers.values():
            reason = viewers[0].wait_for_end()["finish_reason"]
            whole(server, *viewers, reason=reason)
            found[reason] = found.get(reason, 0) + 1
        return found


def test_kill_9_of_one_of_three_children(start_server, tmp_path, upstream, watch):
    url = f"sqlite:///{tmp_path}/tandem.db"
    server = start_server(WORKERS=3, DATABASE_URL=url, MAX_RUNS_PER_USER=1000)
    for again in range(REPEATED):
        assert server.wait_until(lambda: serving(server) == 3, 60)
        counting = upstream.reply = Counting(0.1)
        crowd = Crowd([server], watch, f"crowd-{again}")
        says_more(server, *crowd.all())
        child = random.Random(again).choice(server.status()["processes"])
        os.kill(child["pid"], signal.SIGKILL)
        killed = time.monotonic()
        says_more_or_ends(server, crowd)
        over_s = time.monotonic() - killed
        counting.finish.set()
        ends = crowd.check(server)
        assert set(ends) == {"stop", "interrupted"}
        print(f"\nkill -9 of a child: {ends}, all served again after {over_s:.1f} s")


def serving(server: Server) -> int:
    return [one["state"] for one in server.status()["processes"]].count("serving")


def says_more_or_ends(server: Server, crowd: Crowd) -> None:
    since = time.monotonic()
    assert server.wait_until(
        lambda: all(one.ends or one.has_come_since(since) for one in crowd.all()), 60
    )


@ON_REDIS
def test_kill_9_of_one_of_three_hosts(nodes, upstream, watch, on):
    for again in range(REPEATED):
        counting = upstream.reply = Counting(0.1)
        crowd = Crowd(nodes, watch, f"killed-{again}")
        says_more(nodes[0], *crowd.all())
        one = random.Random(again).choice(nodes)
        one.kill()
        killed = time.monotonic()
        other = next(server for server in nodes if server is not one)
        says_more_or_ends(other, crowd)
        over_s = time.monotonic() - killed
        counting.finish.set()
        ends = crowd.check(other)
        assert set(ends) == {"stop", "interrupted"}
        print(f"\nkill -9 of a host: {ends}, all served again after {over_s:.1f} s")
        one.restart()


@pytest.mark.parametrize("on", ["sqlite", "redis"])
def test_each_of_three_stands_still_in_turn(nodes, upstream, watch, on):
    """For a moment, and each third time, where that is so long that it is taken for lost, until the
    others have ended its runs."""
    for again in range(REPEATED):
        counting = upstream.reply = Counting(0.1)
        crowd = Crowd(nodes, watch, f"still-{again}")
        says_more(nodes[0], *crowd.all())
        one, other = nodes[again % 3], nodes[(again + 1) % 3]
        run_id = begin(one).run_id
        beside = watch(run_id, other)
        crowd.viewers[run_id] = [beside]
        says_more(other, beside)
        stood = time.monotonic()
        for_long = on != "sqlite" and again % 3 == 2
        with standing_still(one.process.pid):
            if for_long:
                beside.wait_for_end()
            else:
                assert other.wait_until(lambda: time.monotonic() - stood >= 1.5)
        still_s = time.monotonic() - stood
        says_more_or_ends(other, crowd)
        counting.finish.set()
        ends = crowd.check(other)
        assert ("interrupted" in ends) == for_long
        assert "stop" in ends
        print(f"\nSIGSTOP of one of three for {still_s:.1f} s, {on}: {ends}")
