"""Gemini, by its own wire: POST /models/<model>:streamGenerateContent?alt=sse, without an SDK.

Google's OpenAI-compatible endpoint would do for the text. It does not give thoughts apart from the
text, nor say why a prompt was blocked; so this speaks the native one. Source: Gemini API reference,
"models.streamGenerateContent".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel, SecretStr

from app.core.runs import ProviderRequest
from app.providers.google.chunks import GeminiChunks
from app.providers.google.requests import PARAMETERS, adaptation_to, request_body
from app.providers.http.provider import HEADERS, HttpProvider
from app.providers.http.streams import Bounds, HttpStream
from app.providers.listing import MOST_MODELS, names_in
from app.providers.settings import SECTION, Variables
from app.providers.types import ApiKey, KeyedAddress
from app.providers.wire.refusals import Refusal


class GoogleSettings(BaseModel):
    """Google's Gemini."""

    model_config = SECTION
    aliases: ClassVar = ("gemini",)
    variables: ClassVar = Variables("GEMINI_API_KEY", "GEMINI_BASE_URL", "GEMINI_MODEL")

    gemini_api_key: ApiKey = SecretStr("")
    """Key of Google's Gemini."""
    gemini_base_url: KeyedAddress = "https://generativelanguage.googleapis.com/v1beta"
    """Address of Gemini's API."""
    gemini_model: str = "gemini-3.8-flash"
    """Model asked for by default."""
    gemini_stream: bool = True
    """0 hands its replies out as if they came whole."""

    @property
    def streams(self) -> bool:
        return self.gemini_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> GoogleProvider | None:
        key = self.gemini_api_key.get_secret_value()
        if not key:
            return None
        return GoogleProvider(name, key, self.gemini_base_url, self.gemini_model, bounds)


class GoogleProvider(HttpProvider):
    """Gemini."""

    parameters = PARAMETERS

    def __init__(
        self, name: str, api_key: str, base_url: str, default_model: str, bounds: Bounds
    ) -> None:
        super().__init__(name, api_key, base_url, default_model, bounds)
        self._base_url = base_url.rstrip("/")
        # The key is never in the URL: URLs are logged on the way.
        self._headers = {**HEADERS, "x-goog-api-key": api_key}

    def _models(self) -> tuple[str, Mapping[str, str]]:
        return f"{self._base_url}/models?pageSize={MOST_MODELS}", self._headers

    def _named(self, listed: Any) -> list[str]:
        if isinstance(listed, dict) and isinstance(models := listed.get("models"), list):
            listed = {"models": [one for one in models if _chats(one)]}
        return [name.removeprefix("models/") for name in names_in(listed, "models", "name")]

    def _body(
        self, request: ProviderRequest, stream: bool, adapted: frozenset[str]
    ) -> dict[str, Any]:
        return request_body(request, adapted, self.name)

    def _post(self, request: ProviderRequest, stream: bool, body: Mapping[str, Any]) -> HttpStream:
        # The name comes from a client: quoted, it can be no other path, and no query.
        model = quote(request.model.removeprefix("models/"), safe="", errors="replace")
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        url = f"{self._base_url}/models/{model}:{method}"
        return self._streams.open("POST", url, self._headers, orjson.dumps(body))

    def _chunks(self, request: ProviderRequest) -> GeminiChunks:
        return GeminiChunks(request.first_call, self.name)

    def _otherwise(self, refusal: Refusal, body: Mapping[str, Any]) -> str:
        return adaptation_to(refusal)


def _chats(model: Any) -> bool:
    """Whether a model may be asked for replies; the others make pictures or vectors."""
    methods = model.get("supportedGenerationMethods") if isinstance(model, dict) else None
    return not isinstance(methods, list) or "generateContent" in methods
