"""Which runs are over because of the time."""

from __future__ import annotations

from app.core.run_errors import RunError, RunTimeout, UpstreamTimeout
from app.runs.ports import RunLimits
from app.runs.run import STOPPED, Outcome, Run

FINISH_GRACE_S = 5.0  # from the finish reason to the stream's end: the usage comes in between


def due(run: Run, now: float, limits: RunLimits) -> Outcome | None:
    """Return how the run has to end by now; None if it may go on."""
    finished_at = run.finished_at
    if finished_at is not None and now - finished_at >= FINISH_GRACE_S:
        return run.completed()
    error = None if finished_at is not None else _overdue(run, now, limits)
    if error is not None:
        return Outcome("failed", "error", error)
    return STOPPED if run.abandoned(now, limits.orphan_run_s) else None


def _overdue(run: Run, now: float, limits: RunLimits) -> RunError | None:
    if now - run.started_at >= limits.run_timeout_s:
        return RunTimeout()
    if not run.has_answered and now - run.asked_at < run.first_delta_timeout_s:
        return None
    silent = now - run.last_sign_at >= limits.delta_timeout_s
    return UpstreamTimeout() if silent else None
