"""`open_chat`: what is set up in the environment answers, without a server."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from app.chats.chat_interface import ChatInterface
from app.core.run_errors import UpstreamTimeout
from app.providers.catalog import ProviderCatalog
from app.settings import BadSetting
from app.stores.memory import MemoryStore
from app.wiring import open_chat
from tests.support.clock import HandClock
from tests.support.options import ChatOptions, RunOptions
from tests.support.running import running
from tests.support.scripted import ScriptedProvider
from tests.support.stepped import HandProvider, SteppedRuntime
from tests.support.upstream import PLANTED_KEY, Upstream

NOTHING = {"FIND_OLLAMA": "0", "STREAM_DELAY_S": "0"}


@pytest.fixture
def set_up(upstream: Upstream) -> dict[str, str]:
    return {**NOTHING, "OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": PLANTED_KEY}


def test_what_is_set_up_answers(upstream: Upstream, set_up: dict[str, str]) -> None:
    chat = open_chat(environ={**set_up, "OPENAI_MODEL": "m", "SYSTEM_PROMPT": "Be brief."})

    assert list(chat.chat("hello", stream=True)) == ["Hello", " there"]
    [exchange] = upstream.exchanges
    assert exchange.body["model"] == "m"
    assert [one["role"] for one in exchange.body["messages"]] == ["system", "user"]


def test_the_default_provider_is_the_servers(upstream: Upstream, set_up: dict[str, str]) -> None:
    reply = open_chat(environ={**set_up, "DEFAULT_PROVIDER": "demo"}).chat("hello")

    assert "> hello" in reply and upstream.exchanges == []


def test_with_nothing_set_up_it_is_the_demo() -> None:
    assert "> hello" in open_chat(environ=NOTHING).chat("hello")


def test_the_environment_is_the_processs_unless_told_otherwise(
    upstream: Upstream, set_up: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in set_up.items():
        monkeypatch.setenv(name, value)

    assert open_chat().chat("hello") == "Hello there"


def test_the_provider_that_is_given_wins(
    upstream: Upstream, set_up: dict[str, str], scripted: ScriptedProvider
) -> None:
    assert open_chat(scripted, environ=set_up).chat("hello") == "Hello there"
    assert (len(scripted.requests), upstream.exchanges) == (1, [])


def test_no_database_is_looked_for(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/absent/tandem.db"

    assert open_chat(environ={**NOTHING, "DATABASE_URL": database}).chat("hello")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name,value",
    [
        ("RUN_TIMEOUT_S", "soon"),
        ("DEFAULT_PROVIDER", "openai"),
        ("DEFAULT_PROVIDER", "nobody"),
        ("TEXT_FILTER", "no.such:filter"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        open_chat(environ={**NOTHING, name: value})


def test_deadlines_hold_without_a_server(clock: HandClock) -> None:
    runtime = SteppedRuntime(clock)
    parts = running(MemoryStore(), runtime, clock.clock, RunOptions(first_delta_timeout_s=10))
    silent = HandProvider(runtime)
    silent.hands["hello"] = deque()
    catalog = ProviderCatalog({}, {}, silent, "")
    chat = ChatInterface("ann", "s-1", parts.runs, catalog, clock.clock, ChatOptions())

    with pytest.raises(UpstreamTimeout):
        chat.chat("hello")
