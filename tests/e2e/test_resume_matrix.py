"""Start on any transport, be cut anywhere, resume on any other: nothing is lost or said twice."""

from __future__ import annotations

import random
import threading

import pytest

from tests.support.raw_sse import RawSse
from tests.support.sse import SseStream, follow_run
from tests.support.upstream import Exchange

PIECES = [f"{n}\u00e9\U0001f600 " for n in range(60)]
TEXT = "".join(PIECES)


class Held:
    """A reply that says so many pieces, then waits to be let go."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.go = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        for number, piece in enumerate(PIECES):
            if number == self.first:
                assert self.go.wait(20)
            exchange.delta(piece)
        exchange.finish()


def start_sse(server, connect, cut):
    stream = SseStream(server, "POST", "/api/chat/stream", {"message": "go", "partial": False})
    seen = [event.data for event in stream.take(cut)]
    stream.close()
    return stream.run_id, seen


def start_socket(transport):
    def start(server, connect, cut):
        client = connect(transport=transport)
        run_id = client.call("chat_stream", {"message": "go", "partial": False})["run_id"]
        client.wait_for(lambda events: max([d["seq"] for _, d in events], default=0) >= cut)
        client.close()
        return run_id, client.tokens()

    return start


def resume_get(server, connect, run_id, after):
    return [event.data for event in follow_run(server, run_id, after).rest()]


def resume_post(server, connect, run_id, after):
    body = {"message": "go", "partial": False}
    headers = {"Last-Event-ID": f"{run_id}:{after}"}
    stream = SseStream(server, "POST", "/api/chat/stream", body, headers)
    assert stream.status == 200 and stream.run_id == run_id
    return [event.data for event in stream.rest()]


def resume_socket(transport):
    def resume(server, connect, run_id, after):
        client = connect(transport=transport)
        client.call("chat_resume", {"run_id": run_id, "seq": after, "partial": False})
        client.wait_for_end()
        return [data for name, data in client.events if name != "chat_status"]

    return resume


STARTS = {
    "sse": start_sse,
    "websocket": start_socket("websocket"),
    "polling": start_socket("polling"),
}
RESUMES = {
    "get": resume_get,
    "re-post": resume_post,
    "websocket": resume_socket("websocket"),
    "polling": resume_socket("polling"),
}


def last_seq(seen):
    return seen[-1]["seq"] if seen else 0


def check(seen, rest, upstream):
    seqs = [event["seq"] for event in [*seen, *rest]]
    # A viewer that is behind gets larger pieces, so numbers may jump; none comes twice.
    assert seqs == sorted(set(seqs)) and seqs[-1] == len(PIECES) + 1
    text = "".join(event.get("token", "") for event in [*seen, *rest])
    assert text == rest[-1]["full_response"] == TEXT
    assert len(upstream.exchanges) == 1


@pytest.mark.parametrize("resume", RESUMES)
@pytest.mark.parametrize("cut", [0, 1, 7, 60])
@pytest.mark.parametrize("start", STARTS)
def test_cut_after_some_pieces(server, upstream, connect, start, cut, resume):
    held = upstream.reply = Held(cut)
    run_id, seen = STARTS[start](server, connect, cut)
    held.go.set()
    check(seen, RESUMES[resume](server, connect, run_id, last_seq(seen)), upstream)


@pytest.mark.parametrize("resume", RESUMES)
@pytest.mark.parametrize("seed", range(4))
def test_cut_at_any_byte(server, upstream, connect, resume, seed):
    chance = random.Random(seed)
    upstream.reply = Held(len(PIECES) + 1)
    raw = RawSse(server, {"message": "go", "partial": False})
    raw.read_head()
    raw.read_bytes(chance.randint(1, 9000))
    seen = [event.data for event in raw.cut()]
    seen = [event for event in seen if "token" in event]
    check(seen, RESUMES[resume](server, connect, raw.run_id, last_seq(seen)), upstream)
