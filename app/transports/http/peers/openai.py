"""What OpenAI's clients ask besides a message: the models; embeddings, which are not offered."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from app.core.errors import NotFound
from app.dialects.openai.shapes import CompletionProblem
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


NO_EMBEDDINGS = "Embeddings are not offered here. Ask the server of an embedding model for them."
routes = Routes(OPENAI.name, __name__, about(OPENAI), "/v1")


@routes.get("/models")
@operation("List the models", Answer("The models."), errors=())
def list_models() -> Models:
    return {"object": "list", "data": _models()}


@routes.get("/models/<path:model>")
@operation("Read a model", Answer("The model."), errors=())
def read_model(model: str) -> Model:
    for known in _models():
        if known["id"] == model:
            return known
    raise NotFound()


@routes.post("/embeddings")
@operation("Say that embeddings are not offered", Answer(NO_EMBEDDINGS, 404), errors=())
def no_embeddings() -> CompletionProblem:
    raise NotFound(NO_EMBEDDINGS)


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
