"""How the server is: /health for a load balancer, /api/status for people; counts only."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects.base import json_line
from app.transports.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /health and /api/status."""
    routes = Blueprint("health", __name__)

    @routes.get("/health", strict_slashes=False)
    def health() -> Response:
        healthy = services.is_healthy()
        return Response(
            json_line({"status": "ok" if healthy else "unavailable"}),
            status=200 if healthy else 503,
            mimetype="application/json",
        )

    @routes.get("/api/status", strict_slashes=False)
    def status() -> Response:
        return Response(
            json_line({**services.about(), "viewers": services.viewers.counts()}),
            mimetype="application/json",
        )

    return routes
