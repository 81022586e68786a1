"""What OpenAI's clients ask besides a message: the models."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from app.core.errors import NotFound
from app.dialects.routes import OPENAI
from app.transports.openapi.operations import Answer, Routes, about, operation
from app.transports.services import services


class Model(TypedDict):
    """A model, as OpenAI has it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(TypedDict):
    """Each provider's own model."""

    object: Literal["list"]
    data: list[Model]


routes = Routes(OPENAI.name, __name__, about(OPENAI), "/v1/models")


@routes.get("")
@operation("List the models", Answer("The models."), errors=())
def list_models() -> Models:
    return {"object": "list", "data": _models()}


@routes.get("/<path:model>")
@operation("Read a model", Answer("The model."), errors=())
def read_model(model: str) -> Model:
    for known in _models():
        if known["id"] == model:
            return known
    raise NotFound()


def _models() -> list[Model]:
    """Return each provider's own model; a model named twice belongs to the first."""
    models: dict[str, Model] = {}
    for provider in services().catalog.providers():
        model: Model = {
            "id": provider.default_model,
            "object": "model",
            "created": 0,  # when it was made is not ours to know
            "owned_by": provider.name,
        }
        models.setdefault(provider.default_model, model)
    return list(models.values())
