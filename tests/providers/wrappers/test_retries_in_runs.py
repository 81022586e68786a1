"""Retries and fallbacks in a run: what its log shows, what a stop does, what a real 429 says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from app.core.run_errors import RunError, UpstreamError, UpstreamIncomplete
from app.providers.openai.provider import OpenAICompatible
from app.providers.wrappers.breaker import Breaker, Breakers
from app.providers.wrappers.retries import Guarded, Resilient, Timing, Waits
from app.runs.ports import Provider
from app.runs.run import STOPPED, Run
from app.runs.service import RunService
from tests.support.manual import ManualRuntime
from tests.support.options import RetryOptions
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import ScriptedProvider
from tests.support.stopwatch import Stopwatch
from tests.support.upstream import Exchange, Upstream
from tests.support.wires import BOUNDS


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def resilient(
    watch: Stopwatch, *providers: Provider, sleep: Callable[[float], None] | None = None
) -> Resilient:
    timing = Timing(sleep or watch.sleep, watch.deadline, watch.monotonic, lambda: 0.5)
    guarded = [
        Guarded(provider, Breakers(lambda: Breaker(3, 30, watch.monotonic)))
        for provider in providers
    ]
    return Resilient(guarded, RetryOptions(), Waits(57, 57), timing)


def start(runs: RunService, provider: Provider) -> Run:
    turn = turn_of()
    return runs.start(turn, provider, lambda branch: provider_request(branch[-1].text))


def shown(run: Run) -> Sequence[str]:
    return [entry.kind for entry in run.log.since(0)]


def test_log_shows_the_retry_then_the_reply_and_one_end(
    runs: RunService, runtime: ManualRuntime, scripted: ScriptedProvider, watch: Stopwatch
) -> None:
    scripted.enqueue(UpstreamError())
    run = start(runs, resilient(watch, scripted))
    runtime.run()

    assert shown(run) == ["status", "text", "text", "end"]
    assert run.log.end is not None and run.log.end.data["status"] == "completed"


def test_failure_after_the_first_piece_keeps_the_text(
    runs: RunService, runtime: ManualRuntime, scripted: ScriptedProvider, watch: Stopwatch
) -> None:
    scripted.enqueue("Hel", UpstreamIncomplete())
    run = start(runs, resilient(watch, scripted, ScriptedProvider()))
    runtime.run()

    assert shown(run) == ["text", "end"]
    assert run.log.end is not None
    assert run.log.end.data["error"]["code"] == "upstream_incomplete"


def test_stop_during_a_pause_asks_nobody_even_where_tasks_cannot_be_killed(
    runs: RunService, runtime: ManualRuntime, scripted: ScriptedProvider, watch: Stopwatch
) -> None:
    scripted.enqueue(UpstreamError())
    provider = resilient(watch, scripted, sleep=lambda seconds: stop())
    run = start(runs, provider)

    def stop() -> None:
        run.end_with(STOPPED)

    runtime.run()

    assert len(scripted.requests) == 1
    assert shown(run) == ["status", "end"]
    assert run.upstream_closed is True  # the one that failed; there is no other


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_real_answer_says_how_long_to_wait(upstream: Upstream, status: str) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.raw(f"HTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".encode())

    upstream.reply = refuse
    provider = OpenAICompatible("openai", "key", upstream.url, "m", BOUNDS)
    with pytest.raises(RunError) as raised:
        list(provider.stream(provider_request()))

    assert raised.value.retry_after_s == 7


def test_real_providers_are_tried_in_turn(upstream: Upstream, watch: Stopwatch) -> None:
    def fail_then_answer(exchange: Exchange) -> None:
        if exchange.body["model"] == "first":
            exchange.raw(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        else:
            exchange.start()
            exchange.delta("Hi")
            exchange.finish()

    upstream.reply = fail_then_answer
    chain = [
        OpenAICompatible(name, "key", upstream.url, name, BOUNDS) for name in ("first", "second")
    ]
    request = replace(provider_request(), model="first")
    batches = list(resilient(watch, *chain).stream(request))

    assert ("text", "Hi") in [piece for batch in batches for piece in batch]
    assert [attempt.code for attempt in request.attempts] == ["upstream_error"] * 3 + [None]
    assert [exchange.body["model"] for exchange in upstream.exchanges] == ["first"] * 3 + ["second"]
    assert request.upstream.was_closed is True
