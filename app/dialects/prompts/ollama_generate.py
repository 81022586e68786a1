"""The dialect of Ollama's `POST /api/generate`: a prompt, one JSON object a line. At
`/ollama/api/generate`.

Source: Ollama API reference, "Generate a completion". The lines are those of its chat, with
`response` in the place of a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import NotRequired

from app.chats.request import ChatRequest
from app.core.entries import REASONING, TEXT
from app.core.messages import text_parts
from app.dialects.client_held import unsupported
from app.dialects.dialect import Spoken
from app.dialects.frames import Body, OnDisconnect, Said, validated
from app.dialects.ollama import OllamaChat, OllamaEncoder, OllamaFigures, OllamaOptions, longest_of

NO_PLACE = "this server takes a prompt in plain words only"
REFUSED = ("context", "format", "images", "raw", "suffix", "template")


class GenerateBody(Body):
    """The body of `POST /api/generate`; it streams unless told otherwise."""

    model: str
    prompt: Said
    system: str | None = None
    stream: bool | None = True
    options: OllamaOptions | None = None
    on_disconnect: OnDisconnect = "stop"  # as with Ollama: who hangs up is done


class GenerateLine(OllamaFigures):
    """One line: a piece, or with `done` the end."""

    response: NotRequired[str]
    thinking: NotRequired[str]


class GenerateEncoder(OllamaEncoder):
    """Lines of `response`, and of `thinking`."""

    fields = {TEXT: "response", REASONING: "thinking"}

    @staticmethod
    def said(texts: Mapping[str, str]) -> dict[str, Any]:
        """Return what a line has of the reply."""
        return {"response": "", **texts}


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
        options = said.options or OllamaOptions()
        request = ChatRequest(
            text_parts(said.prompt),
            model=said.model,
            system=said.system or None,
            temperature=options.temperature,
            max_tokens=longest_of(options),
            stop_when_unwatched=said.on_disconnect == "stop",
            history=(),
            names={"message": "prompt", "history": "prompt"},
        )
        return Spoken(self, request, streams=said.stream is not False)
