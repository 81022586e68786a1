"""The log line of a run that is over: how loud it is, and what it has of upstream's own words."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.core.errors import StorageUnavailable
from app.core.run_errors import RunError, Said, UpstreamError, UpstreamRejected
from app.runs.run import STOPPED, Run, interrupted
from tests.runs.conftest import Start
from tests.runs.stage import Stage
from tests.support.manual import ManualRuntime
from tests.support.scripted import STOP, ScriptedProvider

SAID = Said(400, "context_length_exceeded", "invalid_request_error", "at most 8192 tokens")


def saying(error: RunError, said: Said | None = SAID) -> RunError:
    error.said = said
    return error


def upstream_of(line: logging.LogRecord) -> dict[str, Any]:
    return {name: one for name, one in vars(line).items() if name.startswith("upstream_")}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "app.runs.committer")
    return caplog


def line_of(lines: pytest.LogCaptureFixture) -> logging.LogRecord:
    [line] = [one for one in lines.records if getattr(one, "run_id", None)]
    return line


@pytest.mark.parametrize(
    "step,level,message",
    [
        (STOP, logging.INFO, "run completed"),
        (UpstreamError(), logging.WARNING, "run failed"),
        (ZeroDivisionError(), logging.ERROR, "run failed"),
    ],
)
def test_it_is_as_loud_as_it_matters(
    start: Start,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
    lines: pytest.LogCaptureFixture,
    step: Any,
    level: int,
    message: str,
) -> None:
    scripted.enqueue("Hi", step)
    start()
    runtime.run()

    line = line_of(lines)
    assert (line.levelno, line.getMessage(), upstream_of(line)) == (level, message, {})


@pytest.mark.parametrize("outcome", [STOPPED, interrupted()])
def test_run_that_was_ended_from_outside_is_no_failure(
    start: Start, runtime: ManualRuntime, lines: pytest.LogCaptureFixture, outcome: Any
) -> None:
    start().end_with(outcome)
    runtime.run()

    assert line_of(lines).levelno == logging.INFO


def test_it_has_what_upstream_said(
    start: Start,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
    lines: pytest.LogCaptureFixture,
) -> None:
    scripted.enqueue(saying(UpstreamRejected()))
    start()
    runtime.run()

    assert upstream_of(line_of(lines)) == {
        "upstream_status": 400,
        "upstream_code": "context_length_exceeded",
        "upstream_type": "invalid_request_error",
        "upstream_message": "at most 8192 tokens",
    }


def test_what_upstream_left_out_is_left_out(
    start: Start,
    runtime: ManualRuntime,
    scripted: ScriptedProvider,
    lines: pytest.LogCaptureFixture,
) -> None:
    scripted.enqueue(saying(UpstreamError(), Said(503)))
    start()
    runtime.run()

    assert upstream_of(line_of(lines)) == {"upstream_status": 503}


def test_store_that_fails_is_our_fault_whatever_upstream_said(
    stage: Stage, lines: pytest.LogCaptureFixture
) -> None:
    run: Run = stage.run()
    stage.store.locked, stage.store.broken = True, StorageUnavailable()
    scripted = ScriptedProvider()
    scripted.enqueue("Hi", saying(UpstreamError()))
    run.drive(scripted.stream(run.request))
    stage.runtime.run()

    line = line_of(lines)
    assert (line.levelno, upstream_of(line)) == (logging.ERROR, {})
    assert getattr(line, "code") == "storage_unavailable"  # noqa: B009  (extras have no type)
