"""What OpenAI's clients read besides completions: `GET /v1/models`, and one of them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.dialects.base import json_line
from app.dialects.table import OPENAI
from app.runs.errors import NotFound
from app.transports.operations import Operation, answered
from app.transports.services import Services
from app.transports.shapes import Model, Models


def blueprint(services: Services) -> Blueprint:
    """Return the routes under /v1/models."""
    routes = Blueprint(OPENAI.name, __name__, url_prefix="/v1/models")

    @routes.get("", strict_slashes=False)
    def list_models() -> Response:
        return _json({"object": "list", "data": _models(services)})

    @routes.get("/<path:model>", strict_slashes=False)
    def read_model(model: str) -> Response:
        found = [one for one in _models(services) if one["id"] == model]
        if not found:
            raise NotFound()
        return _json(found[0])

    return routes


def _models(services: Services) -> list[Model]:
    """Return each provider's own model; a model named twice belongs to the first."""
    models: dict[str, Model] = {}
    for provider in services.catalog.providers():
        model: Model = {
            "id": provider.default_model,
            "object": "model",
            "created": 0,  # when it was made is not ours to know
            "owned_by": provider.name,
        }
        models.setdefault(provider.default_model, model)
    return list(models.values())


def _json(value: Any) -> Response:
    return Response(json_line(value), mimetype="application/json")


OPERATIONS = {
    "openai_chat.list_models": Operation(
        "List the models", answered(Models, "The models."), problem=OPENAI.problem
    ),
    "openai_chat.read_model": Operation(
        "Read a model", answered(Model, "The model."), (404,), problem=OPENAI.problem
    ),
}
