"""The dialect of Ollama's `POST /api/generate`: a prompt, one JSON object a line. At
`/ollama/api/generate`.

Source: Ollama API reference, "Generate a completion". The lines are those of its chat, with
`response` in the place of a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import NotRequired

from app.chats.request import ChatRequest
from app.core.entries import REASONING, TEXT, Entry
from app.dialects.client_held import unsupported
from app.dialects.dialect import Spoken
from app.dialects.frames import Said, validated
from app.dialects.ollama import (
    IMAGES,
    OllamaChat,
    OllamaEncoder,
    OllamaFigures,
    OllamaForm,
    with_images,
)

NO_PLACE = "this server takes a prompt in plain words, and pictures"
REFUSED = ("context", "raw", "suffix", "template")


class GenerateBody(OllamaForm):
    """The body of `POST /api/generate`; it streams unless told otherwise."""

    model: str
    prompt: Said
    images: Annotated[list[Any] | None, Field(description=IMAGES)] = None
    system: str | None = None
    stream: bool | None = True


class GenerateLine(OllamaFigures):
    """One line: a piece, or with `done` the end."""

    response: NotRequired[str]
    thinking: NotRequired[str]


class GenerateEncoder(OllamaEncoder):
    """Lines of `response`, and of `thinking`."""

    fields = {TEXT: "response", REASONING: "thinking"}

    @staticmethod
    def said(texts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a line has of the reply."""
        return {"response": "", **texts}

    def _call(self, entry: Entry) -> bytes:
        return b""  # there is no place for one


class OllamaGenerate(OllamaChat):
    """The dialect of Ollama's prompts."""

    name = "ollama_generate"
    body = GenerateBody
    event = GenerateLine
    answer = GenerateLine
    examples = (
        {"model": "demo", "prompt": "Hello"},
        {"model": "demo", "prompt": "Hello", "stream": False},
    )
    lines = GenerateEncoder

    def parse(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Spoken:
        """Return the request. Raises InvalidRequest, UnsupportedParameter."""
        said = validated(GenerateBody, body)
        for name in REFUSED:
            if body.get(name):
                raise unsupported(name, NO_PLACE)
        request = ChatRequest(
            with_images(said.prompt, said.images, "images"),
            model=said.model,
            system=said.system or None,
            listed=False,
            parameters=said.parameters(),
            names={"message": "prompt", "history": "prompt"},
            **said.asked(),
        )
        return Spoken(self, request, said.shown(), streams=said.stream is not False)
