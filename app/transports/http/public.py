"""What is reached without a token: the pages, and how the server is (counts only).

The page, the page that shows the API's description, the example of the React hook; /health for a
load balancer, /api/status for people.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, cast

from flask import current_app, render_template, request
from typing_extensions import NotRequired, TypedDict

from app.core.errors import Unauthorized
from app.transports.http.hooks import access_token
from app.transports.openapi.operations import Answer, Content, Routes, operation
from app.transports.services import Services, services

# A folder and a stylesheet that the page can do without.
MARKDOWN = ("js/markdown/markdown-view.js", "css/markdown.css")
PAGE = Answer("HTML.", 200, (Content("text/html"),), ("Content-Security-Policy",))


class Health(TypedDict):
    """Whether the server is in service."""

    status: Literal["ok", "unavailable"]


class RunCounts(TypedDict):
    """Replies: going, about to start, and ended since the start, in all and by how."""

    running: int
    queued: int
    ended: int
    completed: int
    stopped: int
    failed: int
    interrupted: int


class SessionCounts(TypedDict):
    """Sessions in use and stored; `stored` is null while the store fails."""

    in_memory: int
    stored: int | None


class ViewerCount(TypedDict):
    """Who follows a run or session, by transport."""

    sse: int
    socket: int


class RunDetails(TypedDict):
    """A reply under way, for an operator."""

    run_id: str
    owner: str
    session_id: str
    provider: str
    model: str
    seq: int
    age_s: float


class ProcessStatus(TypedDict):
    """One of several processes; what a silent one has is not known."""

    number: int
    state: Literal["serving", "leaving", "silent"]
    pid: NotRequired[int]
    uptime_s: NotRequired[float]
    running: NotRequired[int]


class ServerStatus(TypedDict):
    """Counts since the start, of all processes together; `processes` where there are several,
    `details` for a token whose claim `admin` is true."""

    version: str
    uptime_s: float
    async_mode: str
    store: str
    providers: list[str]
    runs: RunCounts
    sessions: SessionCounts
    tasks: int
    viewers: ViewerCount
    errors: dict[str, int]
    processes: NotRequired[list[ProcessStatus]]
    details: NotRequired[list[RunDetails]]


pages = Routes("pages", __name__, "In the browser.")


@pages.get("/")
@operation("The page", PAGE, errors=())
def index() -> str:
    # Told with the page: asking for what is refused, or is not there, shows up in the console.
    return render_template(
        "index.html",
        auth=services().auth.mode,
        heartbeat_s=services().runs.limits.heartbeat_s,
        markdown=all(_has_static(path) for path in MARKDOWN),
    )


@pages.get("/docs")
@operation("This description, to read and to try out", PAGE, errors=())
def docs() -> str:
    return render_template("docs.html")


@pages.get("/examples/react")
@operation("A chat with the React hook, to copy from", PAGE, errors=())
def react_example() -> str:
    return render_template("example_react.html")


def _has_static(path: str) -> bool:
    return Path(current_app.static_folder or "", path).is_file()


health_routes = Routes("health", __name__, "How the server is.")


@health_routes.get("/health")
@operation(
    "Health, for a load balancer",
    Answer("In service."),
    Answer("The store fails, or the server is stopping.", 503),
    errors=(),
)
def health() -> tuple[Health, int]:
    if services().is_healthy():
        return {"status": "ok"}, 200
    return {"status": "unavailable"}, 503


@health_routes.get("/api/status")
@operation("Counts, for people", Answer("The counts."), errors=())
def status() -> ServerStatus:
    """Counts for everybody; an `admin` token sees the runs too."""
    asked = services()
    counts = _counts(asked, asked.sessions.counts())
    details = asked.runs.details()
    if asked.siblings is not None:
        others = asked.siblings.ask_all()
        counts["processes"] = _processes(asked.siblings.number, figures_of(asked), others)
        for figures in (figures for _, figures in others if figures is not None):
            _add(counts, figures["counts"])
            details += figures["details"]
    if _is_admin():
        counts["details"] = cast(list[RunDetails], details)
    return counts


def _counts(asked: Services, sessions: Mapping[str, Any]) -> ServerStatus:
    facts, metrics = asked.facts, asked.metrics
    return {
        "version": facts.version,
        "uptime_s": round(facts.uptime_s(), 1),
        "async_mode": facts.async_mode,
        "store": facts.store,
        "providers": asked.catalog.names(),
        "runs": cast(RunCounts, {**asked.runs.counts(), **metrics.runs.all()}),
        "sessions": cast(SessionCounts, sessions),
        "tasks": facts.task_count(),
        "viewers": cast(ViewerCount, metrics.viewers.all()),
        "errors": metrics.errors.all(),
    }


def figures_of(asked: Services) -> dict[str, Any]:
    """Return what one of several processes tells another of itself."""
    is_leaving = asked.siblings is not None and asked.siblings.leaving
    counts = _counts(asked, {"in_memory": asked.sessions.in_memory(), "stored": None})
    return {
        "state": "leaving" if is_leaving else "serving",
        "pid": os.getpid(),
        "counts": counts,
        "details": asked.runs.details(),
    }


def _processes(
    number: int, own: dict[str, Any], others: list[tuple[int, dict[str, Any] | None]]
) -> list[ProcessStatus]:
    found: list[ProcessStatus] = []
    for one, figures in [(number, own), *others]:
        if figures is None:
            found.append({"number": one, "state": "silent"})
            continue
        counts = figures["counts"]
        found.append(
            {
                "number": one,
                "state": figures["state"],
                "pid": figures["pid"],
                "uptime_s": counts["uptime_s"],
                "running": counts["runs"]["running"],
            }
        )
    return sorted(found, key=itemgetter("number"))


def _add(counts: ServerStatus, other: ServerStatus) -> None:
    """Add what another process has counted; what is stored is the same for all."""
    counts["uptime_s"] = max(counts["uptime_s"], other["uptime_s"])
    counts["tasks"] += other["tasks"]
    counts["sessions"]["in_memory"] += other["sessions"]["in_memory"]
    for mine, more in (
        (counts["runs"], other["runs"]),
        (counts["viewers"], other["viewers"]),
        (counts["errors"], other["errors"]),
    ):
        sums = cast(dict[str, int], mine)
        for name, count in cast(dict[str, int], more).items():
            sums[name] = sums.get(name, 0) + count


def _is_admin() -> bool:
    if "Authorization" not in request.headers:
        return False
    try:
        return services().auth.principal(access_token()).is_admin
    except Unauthorized:
        return False
