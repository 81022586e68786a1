"""The page, the page that shows the API's description, and the example of the React hook."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, current_app, render_template

from app.transports.openapi.operations import Answer, Operation, text_of
from app.transports.services import Services

# A folder and a stylesheet that the page can do without.
MARKDOWN = ("js/markdown/markdown-view.js", "css/markdown.css")


def blueprint(services: Services) -> Blueprint:
    """Return the pages at /, /docs and /examples/react."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def index() -> str:
        # Told with the page: asking for what is refused, or is not there, shows up in the console.
        return render_template(
            "index.html",
            auth=services.auth.mode,
            heartbeat_s=services.runs.limits.heartbeat_s,
            markdown=all(_has_static(path) for path in MARKDOWN),
        )

    @routes.get("/docs")
    def docs() -> str:
        return render_template("docs.html")

    @routes.get("/examples/react")
    def react_example() -> str:
        return render_template("example_react.html")

    return routes


def _has_static(path: str) -> bool:
    return Path(current_app.static_folder or "", path).is_file()


PAGE = (Answer(200, "HTML.", (text_of("text/html"),), ("Content-Security-Policy",)),)
OPERATIONS = {
    "pages.index": Operation("The page", PAGE),
    "pages.docs": Operation("This description, to read and to try out", PAGE),
    "pages.react_example": Operation("A chat with the React hook, to copy from", PAGE),
}
