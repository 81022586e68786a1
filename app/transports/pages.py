"""The page, and the page that shows the API's description."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.transports.operations import Answer, Operation, text_of
from app.transports.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the pages at / and /docs."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def index() -> str:
        return render_template("index.html")

    @routes.get("/docs", strict_slashes=False)
    def docs() -> str:
        return render_template("docs.html")

    return routes


PAGE = (Answer(200, "HTML.", (text_of("text/html"),), ("Content-Security-Policy",)),)
OPERATIONS = {
    "pages.index": Operation("The page", PAGE),
    "pages.docs": Operation("This description, to read and to try out", PAGE),
}
