"""A provider may have a wait for its first piece of its own: what it is of, and how far it goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from app.chats.rules import Filtered
from app.providers.build import Vendors, make_catalog
from app.providers.settings import ProviderSettings
from app.runs.ports import Provider, own_patience_s
from app.stores.memory import MemoryStore
from tests.support.manual import ManualRuntime
from tests.support.options import RunOptions
from tests.support.running import running
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import STOP, ScriptedProvider
from tests.support.stopwatch import Stopwatch

LOCAL = {"local_llm_url": "http://127.0.0.1:1/v1", "local_llm_model": "local-1"}
OPENAI = {"openai_api_key": "key"}


class WatchRuntime(ManualRuntime):
    """A runtime whose deadlines a script runs into."""

    def __init__(self, watch: Stopwatch) -> None:
        super().__init__(watch.clock)
        self._watch = watch

    def deadline(self, seconds: float) -> AbstractContextManager[object]:
        return self._watch.deadline(seconds)

    def reader_of(self, connection: Any) -> None:
        return None


class Cold(ScriptedProvider):
    """A model that is read from a disk first."""

    name = "cold"
    first_delta_timeout_s = 300.0


def made(name: str, watch: Stopwatch, given: Provider | None = None, **settings: Any) -> Provider:
    """Return a provider as the server has it."""
    vendors = Vendors.model_validate({"local": {**LOCAL, **settings}, "openai": OPENAI})
    others = {} if given is None else {name: given}
    catalog = make_catalog(
        ProviderSettings(), vendors, RunOptions(), WatchRuntime(watch), watch.clock.clock, others
    )
    return catalog.choose(name)


def outcome(watch: Stopwatch, *steps: Any, wrap: Callable[[Provider], Provider]) -> str:
    """Return how a run of a cold model ends that does this."""
    provider, runtime = Cold(), WatchRuntime(watch)
    provider.enqueue(*steps)
    runs = running(MemoryStore(), runtime, watch.clock.clock, RunOptions()).runs
    chain = wrap(made("cold", watch, provider))
    run = runs.start(turn_of(), chain, lambda _: provider_request())
    runtime.run()
    runs.tick()
    runtime.run()
    return run.record.error["code"] if run.record.error else run.log.text()


WRAPPED: list[Callable[[Provider], Provider]] = [
    lambda provider: provider,
    lambda provider: Filtered(provider, lambda direction, text: text),
]


@pytest.mark.parametrize("wrap", WRAPPED)
def test_model_that_loads_for_75_s_answers(wrap: Callable[[Provider], Provider]) -> None:
    watch = Stopwatch()

    assert outcome(watch, lambda: watch.pass_(75), "Hello", STOP, wrap=wrap) == "Hello"


def test_model_that_never_loads_is_given_up_a_little_before_its_time() -> None:
    watch = Stopwatch()
    started_at = watch.monotonic()

    assert outcome(watch, watch.silence(), wrap=WRAPPED[0]) == "upstream_timeout"
    assert 280 < watch.monotonic() - started_at < 300


def test_local_server_has_a_setting_of_its_own_and_a_cloud_has_none() -> None:
    watch = Stopwatch()

    assert own_patience_s(made("local", watch)) == 300
    assert own_patience_s(made("local", watch, local_first_delta_timeout_s=7)) == 7
    assert own_patience_s(made("openai", watch)) is None
    assert own_patience_s(made("demo", watch)) is None
