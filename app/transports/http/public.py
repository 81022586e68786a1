"""What is reached without a token: the pages, and how the server is (counts only).

The page, the page that shows the API's description, the example of the React hook; /health for a
load balancer, /api/status for people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from flask import current_app, render_template, request
from typing_extensions import NotRequired, TypedDict

from app.core.errors import Unauthorized
from app.transports.http.hooks import access_token
from app.transports.openapi.operations import Answer, Content, Routes, operation
from app.transports.services import services

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


class ServerStatus(TypedDict):
    """Counts since the start; `details` for a token whose claim `admin` is true."""

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
    facts, metrics = asked.facts, asked.metrics
    counts: ServerStatus = {
        "version": facts.version,
        "uptime_s": round(facts.uptime_s(), 1),
        "async_mode": facts.async_mode,
        "store": facts.store,
        "providers": asked.catalog.names(),
        "runs": cast(RunCounts, {**asked.runs.counts(), **metrics.runs.all()}),
        "sessions": cast(SessionCounts, asked.sessions.counts()),
        "tasks": facts.task_count(),
        "viewers": cast(ViewerCount, metrics.viewers.all()),
        "errors": metrics.errors.all(),
    }
    if _is_admin():
        counts["details"] = cast(list[RunDetails], asked.runs.details())
    return counts


def _is_admin() -> bool:
    if "Authorization" not in request.headers:
        return False
    try:
        return services().auth.principal(access_token()).is_admin
    except Unauthorized:
        return False
