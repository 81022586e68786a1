"""What OpenAI's clients ask besides a message: the models; embeddings, which are not offered."""

from __future__ import annotations

from typing import Literal

from flask import request
from typing_extensions import TypedDict

from app.core.errors import NotFound
from app.dialects.frames import timestamp
from app.dialects.openai.shapes import CompletionProblem
from app.dialects.routes import OPENAI
from app.transports.openapi.operations import Answer, Parameter, Routes, about, operation
from app.transports.services import services


class Model(TypedDict):
    """A model, as OpenAI has it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(TypedDict):
    """Each provider's own model, and what its server lists."""

    object: Literal["list"]
    data: list[Model]


class ClaudeModel(TypedDict):
    """A model, as Anthropic has it."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class ClaudeModels(TypedDict):
    """The same, all on one page."""

    data: list[ClaudeModel]
    has_more: Literal[False]
    first_id: str
    last_id: str


OF_CLAUDE = "As its clients send it: then the list has Anthropic's shape."
NO_EMBEDDINGS = "Embeddings are not offered here. Ask the server of an embedding model for them."
routes = Routes(OPENAI.name, __name__, about(OPENAI), "/v1")


@routes.get("/models")
@operation(
    "List the models",
    Answer("The models."),
    errors=(),
    parameters=(Parameter("anthropic-version", OF_CLAUDE, {"type": "string"}, "header"),),
)
def list_models() -> Models | ClaudeModels:
    models = _models()
    if "anthropic-version" not in request.headers:
        return {"object": "list", "data": models}
    claudes: list[ClaudeModel] = [
        {"type": "model", "id": one["id"], "display_name": one["id"], "created_at": timestamp(0)}
        for one in models
    ]
    first, last = claudes[0]["id"], claudes[-1]["id"]
    return {"data": claudes, "has_more": False, "first_id": first, "last_id": last}


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
    return [
        {
            "id": name,
            "object": "model",
            "created": 0,  # when it was made is not ours to know
            "owned_by": provider.name,
        }
        for name, provider in services().catalog.models()
    ]
