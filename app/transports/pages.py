"""The page."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.transports.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the page at /."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def index() -> str:
        return render_template("index.html")

    return routes
