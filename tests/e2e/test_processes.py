"""Several processes on one database: each serves what the others run, at once and whole."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.support.server import Server
from tests.support.sockets import SocketClient
from tests.support.sse import follow_run, stream_chat, text_of
from tests.support.upstream import Steps, say

PIECES = [f"{number:02} \U0001f600 " for number in range(12)]


def beside(first: Server, name: str, **settings: object) -> Server:
    """Start another process on the first one's database."""
    database = f"sqlite:///{first.folder}/tandem.db"
    return Server(first.folder / name, **{**first.settings, "DATABASE_URL": database, **settings})


@pytest.fixture
def pair(start_server, mode) -> Iterator[tuple[Server, Server]]:
    first = start_server(ASYNC_MODE=mode)
    second = beside(first, "second")
    yield first, second
    second.end()


@pytest.fixture(params=["eventlet", "gevent"])
def mode(request):
    return request.param


def begun(server, upstream):
    """Start a reply, and see its first piece; return what says more, and the stream."""
    reply = upstream.reply = Steps(*PIECES)
    stream = stream_chat(server, "go", session_id="s", partial=False)
    reply.go()
    stream.next()
    return reply, stream


def test_each_piece_comes_through_another_process(pair, upstream):
    """By the bus: the store is asked once a second, and this reply is far longer than that in
    steps, each of which waits for the one before to be seen."""
    first, second = pair
    reply, stream = begun(first, upstream)
    watching = follow_run(second, stream.run_id)
    assert watching.next().data["token"] == PIECES[0]
    for piece in PIECES[1:]:
        reply.go()
        assert watching.next().data["token"] == piece
    reply.finish()
    assert watching.rest()[-1].data["full_response"] == "".join(PIECES)
    assert text_of(stream.rest()) == "".join(PIECES[1:])


def test_a_socket_follows_through_another_process(pair, upstream):
    first, second = pair
    reply, stream = begun(first, upstream)
    client = SocketClient(second)
    client.call("chat_resume", {"run_id": stream.run_id, "partial": False})
    for _ in PIECES[1:]:
        reply.go()
    reply.finish()
    assert client.wait_for_end()["full_response"] == "".join(PIECES) == client.text()
    client.close()


@pytest.mark.parametrize("over", ["http", "socket"])
def test_a_stop_goes_through_another_process(pair, upstream, over):
    first, second = pair
    reply, stream = begun(first, upstream)
    if over == "http":
        stop = f"/api/runs/{stream.run_id}/stop"
        receipts = [second.post(stop).json, first.post(stop).json, second.post(stop).json]
    else:
        client = SocketClient(second)
        receipts = [client.call("chat_stop", {"run_id": stream.run_id}) for _ in range(2)]
        client.close()
    assert receipts[0]["status"] == "stopped"
    assert receipts[0]["upstream_closed"] is True
    assert receipts == [receipts[0]] * len(receipts)
    assert stream.rest()[-1].data["finish_reason"] == "stopped"


def test_a_process_that_does_not_answer_is_said_not_to(pair, upstream):
    first, second = pair
    reply, stream = begun(first, upstream)
    first.process.send_signal(signal.SIGSTOP)
    try:
        receipt = second.post(f"/api/runs/{stream.run_id}/stop").json
        assert (receipt["status"], receipt["upstream_closed"]) == ("running", False)
    finally:
        first.process.send_signal(signal.SIGCONT)
    # The question was waiting for it.
    assert stream.rest()[-1].data["finish_reason"] == "stopped"


def test_news_come_from_another_process(pair, upstream):
    first, second = pair
    upstream.reply = say(PIECES)
    stream_chat(first, "go", session_id="s", partial=False).rest()
    client = SocketClient(second)
    client.call("session_join", {"session_id": "s"})
    run_id = stream_chat(first, "more", session_id="s", partial=False).run_id
    client.wait_for(lambda seen: [name for name, _ in seen] == ["run_started", "run_ended"])
    assert {data["run_id"] for _, data in client.events} == {run_id}
    client.close()


def test_what_one_process_deletes_is_gone_in_the_other(pair, upstream):
    first, second = pair
    upstream.reply = say(PIECES)
    run_id = stream_chat(first, "go", session_id="s", partial=False).run_id
    assert first.wait_until(lambda: first.get(f"/api/runs/{run_id}").json["status"] == "completed")
    assert second.request("DELETE", "/api/chat/sessions/s").status == 200
    assert first.wait_until(lambda: first.get(f"/api/runs/{run_id}").status == 404)


def test_a_cut_reply_that_another_process_carried_on_is_known_whole(pair, upstream):
    first, second = pair
    reply = upstream.reply = Steps("one ", "two ")
    stream = stream_chat(first, "count", session_id="s", partial=False)
    reply.go()
    stream.next()
    first.post(f"/api/runs/{stream.run_id}/stop")
    upstream.reply = say(["and more"])
    text_of(follow_run(second, stream.run_id).rest())
    assert second.post(f"/api/runs/{stream.run_id}/continue", {}).status == 200
    stream_chat(first, "next", session_id="s", partial=False).rest()
    said = [message["content"] for message in upstream.exchanges[-1].body["messages"]]
    assert said[:3] == ["count", "one and more", "next"]


def test_a_process_that_dies_leaves_its_reply_to_the_other(pair, upstream):
    first, second = pair
    reply, stream = begun(first, upstream)
    watching = follow_run(second, stream.run_id)
    watching.next()
    reply.go()
    seen = watching.next().data["token"]
    first.kill()
    events = watching.rest()
    assert (seen, events[-1].data["finish_reason"]) == (PIECES[1], "interrupted")
    assert len([event for event in events if event.data.get("finish_reason")]) == 1


def test_many_viewers_at_random_processes_see_the_same(start_server, upstream):
    first = start_server(MAX_RUNS_PER_USER=100)
    processes = [first, beside(first, "second"), beside(first, "third")]
    upstream.reply = say([f"{number} " for number in range(300)])
    streams = [
        stream_chat(random.choice(processes), f"go {n}", session_id=f"s{n}", partial=False)
        for n in range(12)
    ]
    texts: dict[str, list[str]] = {stream.run_id: [] for stream in streams}

    def watch(run_id):
        texts[run_id].append(text_of(follow_run(random.choice(processes), run_id).rest()))

    watchers = [
        threading.Thread(target=watch, args=(run_id,)) for run_id in texts for _ in range(3)
    ]
    for watcher in watchers:
        watcher.start()
    for stream in streams:
        texts[stream.run_id].append(text_of(stream.rest()))
    for watcher in watchers:
        watcher.join(60)
    for process in processes[1:]:
        process.end()
    whole = "".join(f"{number} " for number in range(300))
    assert list(texts.values()) == [[whole] * 4] * 12
