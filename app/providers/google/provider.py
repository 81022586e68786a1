"""Gemini, by its own wire: POST /models/<model>:streamGenerateContent?alt=sse, without an SDK.

Google's OpenAI-compatible endpoint would do for the text. It does not give thoughts apart from the
text, nor say why a prompt was blocked; so this speaks the native one. Source: Gemini API reference,
"models.streamGenerateContent".
"""

from __future__ import annotations

from contextlib import closing
from typing import ClassVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel, SecretStr, model_validator

from app.core.runs import ProviderRequest
from app.providers.google.chunks import GeminiChunks
from app.providers.google.requests import PARAMETERS, adaptation_to, request_body
from app.providers.http.streams import USER_AGENT, Bounds, HttpStream, HttpStreams
from app.providers.settings import SECTION, Variables
from app.providers.types import Address, ApiKey, has_user
from app.providers.wire.adapting import Adaptations
from app.providers.wire.pieces import read_pieces
from app.providers.wire.refusals import MAX_BYTES, read_refusal
from app.providers.wire.telling import asking
from app.runs.ports import PieceStream


class GoogleSettings(BaseModel):
    """Google's Gemini."""

    model_config = SECTION
    aliases: ClassVar = ("gemini",)
    variables: ClassVar = Variables("GEMINI_API_KEY", "GEMINI_BASE_URL", "GEMINI_MODEL")

    gemini_api_key: ApiKey = SecretStr("")
    """Key of Google's Gemini."""
    gemini_base_url: Address = "https://generativelanguage.googleapis.com/v1beta"
    """Address of Gemini's API."""
    gemini_model: str = "gemini-3.8-flash"
    """Model asked for by default."""
    gemini_stream: bool = True
    """0 hands its replies out as if they came whole."""

    @model_validator(mode="after")
    def _check_address(self) -> GoogleSettings:
        if has_user(self.gemini_base_url):
            raise ValueError("GEMINI_BASE_URL has a user in it: Gemini is asked with a key alone.")
        return self

    @property
    def streams(self) -> bool:
        return self.gemini_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> GoogleProvider | None:
        key = self.gemini_api_key.get_secret_value()
        if not key:
            return None
        return GoogleProvider(name, key, self.gemini_base_url, self.gemini_model, bounds)


class GoogleProvider:
    """A provider; one pool of connections for all runs."""

    def __init__(
        self,
        name: str,
        api_key: str,
        base_url: str,
        default_model: str,
        bounds: Bounds,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self.adaptations = Adaptations(name)
        self._base_url = base_url.rstrip("/")
        self._bounds = bounds
        self._secrets = (api_key,)
        self._headers = {
            "x-goog-api-key": api_key,  # never in the URL: URLs are logged on the way
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "User-Agent": USER_AGENT,
            # Compression would hold back deltas until a block is full.
            "Accept-Encoding": "identity",
        }
        self._streams = HttpStreams(
            bounds.connect_timeout_s, bounds.read_timeout_s, bounds.reader_of, bounds.certificates
        )
        self._streams.prepare(base_url)

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError."""
        return self._pieces(request, "streamGenerateContent?alt=sse")

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        return self._pieces(request, "generateContent")

    def _pieces(self, request: ProviderRequest, method: str) -> PieceStream:
        with asking(request, self._secrets, self._bounds.words):
            answer = self._opened(request, method)
            with closing(answer):
                chunks = GeminiChunks(request.first_call, self.name)
                yield from read_pieces(answer, chunks, self._bounds.max_reply_bytes)

    def _opened(self, request: ProviderRequest, method: str) -> HttpStream:
        """Return the answer to a request that was taken: asked otherwise, once more, for each thing
        that is refused."""
        model, learned = request.model, frozenset[str]()
        while True:
            adapted = self.adaptations.of(model) | learned
            answer = self._post(request, method, adapted)
            if answer.status == 200:
                self.adaptations.learn(model, learned)
                return answer
            refusal = read_refusal(answer.status, answer.headers, answer.rest(MAX_BYTES))
            otherwise = adaptation_to(refusal)
            if not otherwise or otherwise in adapted:
                raise refusal.error()
            learned |= {otherwise}

    def _post(self, request: ProviderRequest, method: str, adapted: frozenset[str]) -> HttpStream:
        # The name comes from a client: quoted, it can be no other path, and no query.
        model = quote(request.model.removeprefix("models/"), safe="", errors="replace")
        url = f"{self._base_url}/models/{model}:{method}"
        body = orjson.dumps(request_body(request, adapted, self.name))
        return self._streams.open("POST", url, self._headers, body)
