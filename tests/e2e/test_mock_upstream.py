"""Each provider against a model server that somebody else wrote, which speaks its wire."""

from __future__ import annotations

import pytest

from app.core.run_errors import RunError, UpstreamError, UpstreamIncomplete, UpstreamRateLimited
from app.core.usage import Usage
from app.providers.local import find_model
from tests.support.asking import ask, joined, request_of
from tests.support.mock_upstream import MockUpstream
from tests.support.wires import WIRES

# The mock takes a name that it knows for a model that thinks.
MODELS = {
    "openai": "gpt-5-mini",
    "google": "gemini-2.5-flash",
    "anthropic": "claude-sonnet-4-5",
    "local": "qwen3",
}


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    server = MockUpstream(tmp_path_factory.mktemp("mock"))
    yield server
    server.close()


@pytest.fixture(params=WIRES)
def name(request):
    return request.param


@pytest.fixture
def provider(mock, name):
    return WIRES[name].provider(mock.origin)


@pytest.fixture
def say(provider, name):
    """Ask the provider; return what a run would keep."""
    return lambda *said: joined(ask(provider, *said, model=MODELS[name]))


def test_text_finish_and_usage(say):
    assert say(("user", "say hello")) == {
        "text": "Hello! How can I help you today?",
        "reasoning": "",
        "finish": "stop",
        "usage": Usage(11, 7),
    }


def test_text_comes_in_pieces(provider, name):
    request = request_of(("user", "say hello"), model=MODELS[name])
    texts = [data for batch in provider.stream(request) for kind, data in batch if kind == "text"]
    assert texts == ["Hello", "! How", " can ", "I hel", "p you", " toda", "y?"]
    assert request.upstream.was_closed is True


def test_thinking_is_not_text(say):
    kept = say(("user", "think first"))
    assert (kept["reasoning"], kept["text"]) == ("Six times seven. 🙂 Yes.", "Forty-two.")
    assert kept["usage"] == Usage(3, 4)


def test_unicode_that_is_cut_anywhere_is_exact(say):
    # The mock cuts between the halves of surrogate pairs.
    said = 'é 漢字 🙂🙃 مرحبا 👩‍👩‍👧 \u2028 \u0085 \\ " \t\n end'
    assert say(("user", "say unicode"))["text"] == said


@pytest.mark.parametrize(
    "message,reason", [("run long", "length"), ("be filtered", "content_filter")]
)
def test_finish_reasons(say, message, reason):
    kept = say(("user", message))
    assert (kept["finish"], bool(kept["text"])) == (reason, True)


def test_system_and_history_arrive(say):
    said = [("system", "Answer in one word."), ("user", "a"), ("assistant", "b")]
    assert say(*said, ("user", "and then?"))["text"] == "Done."
    with pytest.raises(RunError):  # there is no reply without the system message
        say(("user", "and then?"))


def test_stop_closes_the_connection(mock, provider, name):
    before = mock.connections()
    request = request_of(("user", "never end"), model=MODELS[name])
    stream = provider.stream(request)
    batch = next(batch for batch in stream if batch)
    opened = mock.connections() - before
    assert len(opened) == 1 and batch

    stream.close()

    assert mock.wait_until_gone(opened)
    assert request.upstream.was_closed is True


def test_reply_that_breaks_off_is_not_complete(provider, name):
    texts = []
    with pytest.raises(UpstreamIncomplete):
        for batch in provider.stream(request_of(("user", "break off"), model=MODELS[name])):
            texts += [data for kind, data in batch if kind == "text"]
    assert texts and "This reply breaks off in the middle of it.".startswith("".join(texts))


@pytest.mark.parametrize(
    "message,error,seconds",
    [("limit me", UpstreamRateLimited, 17), ("fail", UpstreamError, None)],
)
def test_errors_are_ours(say, message, error, seconds):
    with pytest.raises(error) as failed:
        say(("user", message))
    assert failed.value.retry_after_s == seconds
    assert "upstream-secret-text" not in str(failed.value.payload())


def test_ollama_is_found(mock):
    assert find_model(mock.origin, 5)
