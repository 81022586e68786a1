"""What Ollama's clients ask besides a message: the models, what each is, the version, whether it is
there. Source: Ollama API reference, "List Local Models", "Show Model Information", "Version"."""

from __future__ import annotations

import hashlib

from flask import Response
from typing_extensions import TypedDict

from app.core.errors import InvalidRequest, NotFound
from app.dialects.frames import Body, timestamp
from app.dialects.routes import OLLAMA
from app.runs.ports import Provider
from app.transports.openapi.operations import Answer, Content, Routes, about, operation
from app.transports.services import services

# Of Ollama, whose answers these are like: clients refuse to talk to one that they think too old.
API_VERSION = "0.12.0"
RUNNING = "Ollama is running"
UNKNOWN_TIME = timestamp(0)  # when a model was made is not ours to know


class ModelDetails(TypedDict):
    """What Ollama tells of a model's file; of a provider's model only who has it is known."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class LocalModel(TypedDict):
    """A model, as Ollama lists it; `digest` stands for its name, since it has no file."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: ModelDetails


class LocalModels(TypedDict):
    """Each provider's own model, and what its server lists."""

    models: list[LocalModel]


class ShownModel(TypedDict):
    """What Ollama shows of one model."""

    modelfile: str
    parameters: str
    template: str
    details: ModelDetails
    model_info: dict[str, str]
    capabilities: list[str]
    modified_at: str


class OllamaVersion(TypedDict):
    """The version."""

    version: str


class ShowBody(Body):
    """The body of `POST /ollama/api/show`; `name` is what older clients call `model`."""

    model: str | None = None
    name: str | None = None


routes = Routes(OLLAMA.name, __name__, about(OLLAMA), "/ollama")


@routes.get("")
@operation("Say that it is there", Answer("A sentence.", 200, (Content("text/plain"),)), errors=())
def running() -> Response:
    return Response(RUNNING, content_type="text/plain; charset=utf-8")


@routes.get("/api/version")
@operation("Say which of Ollama's versions this is like", Answer("The version."), errors=())
def version() -> OllamaVersion:
    return {"version": API_VERSION}


@routes.get("/api/tags")
@operation("List the models as Ollama does", Answer("The models."), errors=())
def tags() -> LocalModels:
    models: list[LocalModel] = [
        {
            "name": name,
            "model": name,
            "modified_at": UNKNOWN_TIME,
            "size": 0,
            "digest": hashlib.sha256(name.encode()).hexdigest(),
            "details": _details(provider),
        }
        for name, provider in services().catalog.models()
    ]
    return {"models": models}


@routes.post("/api/show")
@operation("Read a model as Ollama does", Answer("The model."), errors=(404,))
def show(body: ShowBody) -> ShownModel:
    asked = body.model or body.name
    if not asked:
        raise InvalidRequest({"model": "field required"})
    provider = dict(services().catalog.models()).get(asked)
    if provider is None:
        raise NotFound(fields={"model": "see GET /ollama/api/tags"})
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(provider),
        "model_info": {"general.architecture": provider.name, "general.basename": asked},
        "capabilities": ["completion", *(["tools"] if "tools" in provider.parameters else [])],
        "modified_at": UNKNOWN_TIME,
    }


def _details(provider: Provider) -> ModelDetails:
    return {
        "parent_model": "",
        "format": "",
        "family": provider.name,
        "families": [provider.name],
        "parameter_size": "",
        "quantization_level": "",
    }
