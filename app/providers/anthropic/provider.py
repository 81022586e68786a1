"""Claude, by its own wire: POST /v1/messages, without an SDK.

Source: Claude API reference, "Messages".
Anthropic's OpenAI-compatible endpoint gives no thoughts, and takes none back with calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, SecretStr

from app.core.runs import ProviderRequest
from app.providers.anthropic.chunks import MessageChunks
from app.providers.anthropic.requests import PARAMETERS, adaptation_to, request_body
from app.providers.http.provider import HEADERS, HttpProvider
from app.providers.http.streams import Bounds, HttpStream
from app.providers.listing import MOST_MODELS
from app.providers.settings import SECTION, Variables
from app.providers.types import ApiKey, KeyedAddress
from app.providers.wire.refusals import Refusal

VERSION = "2023-06-01"


class AnthropicSettings(BaseModel):
    """Anthropic's Claude."""

    model_config = SECTION
    aliases: ClassVar = ("claude",)
    variables: ClassVar = Variables("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")

    anthropic_api_key: ApiKey = SecretStr("")
    """Key of Anthropic's Claude."""
    anthropic_base_url: KeyedAddress = "https://api.anthropic.com"
    """Address of Claude's API."""
    anthropic_model: str = "claude-sonnet-5-5"
    """Model asked for by default."""
    anthropic_stream: bool = True
    """0 hands its replies out as if they came whole."""

    @property
    def streams(self) -> bool:
        return self.anthropic_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> AnthropicProvider | None:
        key = self.anthropic_api_key.get_secret_value()
        if not key:
            return None
        return AnthropicProvider(name, key, self.anthropic_base_url, self.anthropic_model, bounds)


class AnthropicProvider(HttpProvider):
    """Claude."""

    parameters = PARAMETERS

    def __init__(
        self, name: str, api_key: str, base_url: str, default_model: str, bounds: Bounds
    ) -> None:
        super().__init__(name, api_key, base_url, default_model, bounds)
        # With and without the version: SDKs are given an address that has none.
        self._url = f"{base_url.rstrip('/').removesuffix('/v1')}/v1/messages"
        self._headers = {**HEADERS, "x-api-key": api_key, "anthropic-version": VERSION}

    def _models(self) -> tuple[str, Mapping[str, str]]:
        return f"{self._url.removesuffix('/messages')}/models?limit={MOST_MODELS}", self._headers

    def _body(
        self, request: ProviderRequest, stream: bool, adapted: frozenset[str]
    ) -> dict[str, Any]:
        return request_body(request, stream, adapted, self.name)

    def _post(self, request: ProviderRequest, stream: bool, body: Mapping[str, Any]) -> HttpStream:
        return self._streams.open("POST", self._url, self._headers, orjson.dumps(body))

    def _chunks(self, request: ProviderRequest) -> MessageChunks:
        return MessageChunks(request.first_call, self.name)

    def _otherwise(self, refusal: Refusal, body: Mapping[str, Any]) -> str:
        return adaptation_to(refusal)
