"""A model of one's own may take minutes to load: it is waited for, and by that it loads."""

from __future__ import annotations

import threading

import pytest

from tests.support.sse import stream_chat, text_of

WAIT_S = 60  # of the test: a server that takes longer is stuck


@pytest.fixture
def cold(start_server, upstream):
    """A server whose local model is being loaded until the event is set."""
    loaded = threading.Event()

    def reply(exchange):
        assert loaded.wait(WAIT_S)
        exchange.start()
        exchange.delta("Hello")
        exchange.finish()

    upstream.reply = reply
    server = start_server(
        LOCAL_LLM_URL=upstream.url,
        LOCAL_LLM_MODEL="large",
        FIRST_DELTA_TIMEOUT_S=0.3,
        DELTA_TIMEOUT_S=0.3,
        LOCAL_FIRST_DELTA_TIMEOUT_S=WAIT_S,
        HEARTBEAT_S=0.1,
    )
    yield server, loaded
    loaded.set()


def wait_until_older(stream, age_s):
    while (status := stream.next().data)["age_s"] < age_s:
        assert status["status"] == "waiting"


def test_local_model_that_loads_for_long_answers(cold, upstream):
    server, loaded = cold
    stream = stream_chat(server, "go", provider="local")
    wait_until_older(stream, 0.9)
    loaded.set()
    events = stream.rest()
    assert (text_of(events), events[-1].data["finish_reason"]) == ("Hello", "stop")
    assert len(upstream.exchanges) == 1


def test_others_have_the_usual_time(cold):
    server, _ = cold
    events = stream_chat(server, "go", provider="openai").rest()
    assert events[-1].data["code"] == "upstream_timeout"
