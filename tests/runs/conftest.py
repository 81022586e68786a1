"""What the tests of runs share: a way to start one, and a committer on a stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.runs.run import Run
from app.runs.service import RunService
from tests.runs.stage import Stage
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.samples import provider_request, turn_of
from tests.support.scripted import ScriptedProvider

Start = Callable[..., Run]


@pytest.fixture
def start(runs: RunService, scripted: ScriptedProvider) -> Start:
    """Start a run in a session of its own."""

    def start(run_id: str = "run-1", session_id: str = "", caller: str = "ann") -> Run:
        session_id = session_id or f"session of {run_id}"
        turn = turn_of(run_id, session_id=session_id, caller=caller)
        return runs.start(turn, scripted, lambda branch: provider_request(branch[-1].text))

    return start


@pytest.fixture
def stage(runtime: ManualRuntime, clock: HandClock) -> Stage:
    return Stage(runtime, clock)
