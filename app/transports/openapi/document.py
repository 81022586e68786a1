"""`GET /openapi.json`: the description of every route (OpenAPI 3.1), made once, at the start.

Paths and methods are Flask's, what they answer stands beside the views (operations.py), and the
schemas are those of the models that check requests and of the types that answers have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Flask, Response

from app import __version__
from app.dialects.frames import json_line
from app.dialects.routes import ROUTES
from app.transports.http import health, messages, models, pages, peers, runs, sessions
from app.transports.http.hooks import OPEN_ENDPOINTS
from app.transports.openapi.operations import Operation, about, answered, endpoint_of, operation_of
from app.transports.openapi.parts import Describer, Place, Schemas, header_components, path_of
from app.transports.services import Services

BLUEPRINTS = (
    runs,
    sessions,
    messages,
    peers,
    models,
    health,
    pages,
)
OPERATIONS = {
    "openapi.document": Operation(
        "This description", answered(dict[str, Any], "An OpenAPI 3.1 document.")
    )
}
TAGS = {
    "runs": "Replies: read, follow, stop, carry on.",
    "sessions": "Conversations.",
    "messages": "What a conversation has.",
    "usage": "Who can be asked, and what was used.",
    "health": "How the server is.",
    "pages": "In the browser.",
    "openapi": "This description.",
}
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token with `exp` and `sub`.",
}
ABOUT = (
    "A chat server that streams every model reply over Server-Sent Events and Socket.IO from one "
    "stored log. In an event stream the schema is that of one event, without the comments "
    "`: open` and `: ping`; of lines it is an array of them."
)
NOT_DESCRIBED = frozenset({"HEAD", "OPTIONS"})  # every path has them


def register(app: Flask, services: Services) -> None:
    """Add the route; the document describes all that the app has then."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def document() -> Response:
        return Response(made, mimetype="application/json")

    app.register_blueprint(routes)
    made = json_line(describe(app, services.auth.mode))


def describe(app: Flask, auth: str) -> dict[str, Any]:
    """Return the document. Raises KeyError for a route that no operation is written for."""
    operations = _operations()
    places = list(_places(app))
    schemas = Schemas(operations[place.endpoint] for place in places)
    describer = Describer(schemas, auth != "off")
    paths: dict[str, dict[str, Any]] = {}
    for place in places:
        described = describer.operation(place, operations[place.endpoint])
        paths.setdefault(path_of(place.rule), {})[place.method.lower()] = described
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Tandem", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": _tags(places),
        "paths": paths,
        "components": {"schemas": schemas.components, "headers": header_components()},
    }
    if auth != "off":
        document["components"]["securitySchemes"] = {"bearer": BEARER}
        document["security"] = [{"bearer": []}, *([{}] if auth == "optional" else [])]
    return document


def _operations() -> Mapping[str, Operation]:
    """Return every operation by its endpoint."""
    written = {endpoint_of(route): operation_of(route) for route in ROUTES} | OPERATIONS
    for blueprint in BLUEPRINTS:
        written |= blueprint.OPERATIONS
    return written


def _places(app: Flask) -> Iterator[Place]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        for method in sorted((rule.methods or set()) - NOT_DESCRIBED):
            is_open = rule.endpoint in OPEN_ENDPOINTS
            yield Place(rule.endpoint, rule.rule, method, is_open)


def _tags(places: list[Place]) -> list[dict[str, str]]:
    """Return the groups of operations: dialects first, then the blueprints that belong to none."""
    about_tags = {route.dialect.name: about(route.dialect) for route in ROUTES} | TAGS
    used = {place.tag for place in places}
    return [{"name": tag, "description": about_tags[tag]} for tag in about_tags if tag in used]
