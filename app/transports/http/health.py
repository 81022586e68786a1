"""How the server is: /health for a load balancer, /api/status for people; counts only."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from app.core.errors import Unauthorized
from app.transports.http.hooks import bearer_token
from app.transports.openapi.operations import Answer, Operation, answered, json_of
from app.transports.openapi.shapes import Health, ServerStatus
from app.transports.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /health and /api/status."""
    routes = Blueprint("health", __name__)

    @routes.get("/health")
    def health() -> ResponseReturnValue:
        healthy = services.is_healthy()
        return {"status": "ok" if healthy else "unavailable"}, 200 if healthy else 503

    @routes.get("/api/status")
    def status() -> ResponseReturnValue:
        """Counts for everybody; an `admin` token sees the runs too."""
        counts = services.about(_is_admin(services))
        return {
            **counts,
            "viewers": services.viewers.counts(),
            "errors": services.errors.counts(),
        }

    return routes


def _is_admin(services: Services) -> bool:
    if "Authorization" not in request.headers:
        return False
    try:
        return services.auth.principal(bearer_token()).is_admin
    except Unauthorized:
        return False


OPERATIONS = {
    "health.health": Operation(
        "Health, for a load balancer",
        (
            Answer(200, "In service.", (json_of(Health),)),
            Answer(503, "The store fails, or the server is stopping.", (json_of(Health),)),
        ),
    ),
    "health.status": Operation("Counts, for people", answered(ServerStatus, "The counts.")),
}
