"""The page, and the headers that every answer has."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, g, render_template, request

from app.runs.records import new_id
from app.transports.services import Services

# No inline script or style anywhere, nothing from elsewhere: model output is not to be trusted.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def blueprint(services: Services) -> Blueprint:
    """Return the page at /."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def index() -> str:
        return render_template("index.html")

    return routes


def register_headers(app: Flask, services: Services) -> None:
    """Find out who asks before each request; put the common headers on each answer."""

    @app.before_request
    def identify() -> None:
        g.request_id = new_id()
        if request.endpoint not in {"static", "health.health", "pages.index"}:
            g.principal = services.auth.principal(_bearer_token())

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-Id"] = g.get("request_id", "")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        if response.mimetype == "text/html":
            headers["Content-Security-Policy"] = CSP
        return response


def _bearer_token() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
