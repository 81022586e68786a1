"""httpx-sse, which many Python clients read event streams with, on the native stream and on 001."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse, connect_sse

from tests.e2e.test_streaming import AWKWARD, in_lockstep
from tests.support.speakers import COMPLETIONS, NATIVE, Speaker

SPOKEN = pytest.mark.parametrize("speaker", [NATIVE, COMPLETIONS], ids=lambda one: one.name)


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as made:
        yield made


def texts_of(speaker: Speaker, events: Iterator[ServerSentEvent]) -> Iterator[str]:
    """Yield the texts of the events that have one."""
    for event in events:
        if text := speaker.text(json.loads(event.data)):
            yield text


@SPOKEN
def test_a_stream_comes_piece_by_piece(client, upstream, speaker):
    may_send = threading.Semaphore(1)
    upstream.reply = in_lockstep(AWKWARD, may_send)
    with connect_sse(client, "POST", speaker.path, json=speaker.body("go")) as source:
        texts = texts_of(speaker, source.iter_sse())
        for text in AWKWARD:
            assert next(texts) == text
            may_send.release()
        assert list(texts) == []


@SPOKEN
def test_a_stream_with_heartbeats_is_read_to_its_end(lively, upstream, connect, speaker):
    go = threading.Event()
    upstream.reply = lambda e: (e.start(), e.delta("a"), go.wait(20), e.delta("b"), e.finish())
    url = lively.url + speaker.path
    with (
        httpx.Client(timeout=20) as client,
        connect_sse(client, "POST", url, json=speaker.body("go")) as source,
    ):
        beside = connect(lively)  # hears as many heartbeats
        beside.call("chat_resume", {"run_id": source.response.headers["x-run-id"]})
        beside.wait_for(lambda seen: sum(name == "chat_status" for name, _ in seen) >= 5)
        go.set()
        events = list(source.iter_sse())
    assert "".join(texts_of(speaker, iter(events))) == "ab"
    assert all(event.data and event.event == "message" for event in events)


def test_its_last_event_id_resumes(client, upstream):
    with connect_sse(client, "POST", NATIVE.path, json=NATIVE.body("go")) as source:
        first = next(source.iter_sse())
        run_id = source.response.headers["x-run-id"]
    headers = {"Last-Event-ID": first.id}
    with connect_sse(client, "GET", f"/api/runs/{run_id}/events", headers=headers) as source:
        rest = list(source.iter_sse())
    assert "".join(texts_of(NATIVE, iter(rest))) == " there"
    assert (first.id, rest[0].id) == (f"{run_id}:1", f"{run_id}:2")


@SPOKEN
def test_the_asynchronous_client_reads_a_stream(server, speaker):
    async def read() -> str:
        async with httpx.AsyncClient(base_url=server.url) as client:
            body = speaker.body("go")
            async with aconnect_sse(client, "POST", speaker.path, json=body) as source:
                events = [event async for event in source.aiter_sse()]
        return "".join(texts_of(speaker, iter(events)))

    assert asyncio.run(read()) == "Hello there"
