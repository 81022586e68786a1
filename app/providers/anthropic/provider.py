"""Claude, by its own wire: POST /v1/messages, without an SDK.

Source: Claude API reference, "Messages".
Anthropic's OpenAI-compatible endpoint gives no thoughts, and takes none back with calls.
"""

from __future__ import annotations

from contextlib import closing
from typing import ClassVar

import orjson
from pydantic import BaseModel, SecretStr, model_validator

from app.core.runs import ProviderRequest
from app.providers.anthropic.chunks import MessageChunks
from app.providers.anthropic.requests import PARAMETERS, adaptation_to, request_body
from app.providers.http.streams import USER_AGENT, Bounds, HttpStream, HttpStreams
from app.providers.settings import SECTION, Variables
from app.providers.types import Address, ApiKey, has_user
from app.providers.wire.adapting import Adaptations
from app.providers.wire.pieces import read_pieces
from app.providers.wire.refusals import MAX_BYTES, read_refusal
from app.providers.wire.telling import asking
from app.runs.ports import PieceStream

VERSION = "2023-06-01"


class AnthropicSettings(BaseModel):
    """Anthropic's Claude."""

    model_config = SECTION
    aliases: ClassVar = ("claude",)
    variables: ClassVar = Variables("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")

    anthropic_api_key: ApiKey = SecretStr("")
    """Key of Anthropic's Claude."""
    anthropic_base_url: Address = "https://api.anthropic.com"
    """Address of Claude's API."""
    anthropic_model: str = "claude-sonnet-5-5"
    """Model asked for by default."""
    anthropic_stream: bool = True
    """0 hands its replies out as if they came whole."""

    @model_validator(mode="after")
    def _check_address(self) -> AnthropicSettings:
        if has_user(self.anthropic_base_url):
            raise ValueError("ANTHROPIC_BASE_URL has a user in it: Claude is asked by a key alone.")
        return self

    @property
    def streams(self) -> bool:
        return self.anthropic_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> AnthropicProvider | None:
        key = self.anthropic_api_key.get_secret_value()
        if not key:
            return None
        return AnthropicProvider(name, key, self.anthropic_base_url, self.anthropic_model, bounds)


class AnthropicProvider:
    """A provider; one pool of connections for all runs."""

    def __init__(
        self, name: str, api_key: str, base_url: str, default_model: str, bounds: Bounds
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self.adaptations = Adaptations(name)
        # With and without the version: SDKs are given an address that has none.
        self._url = f"{base_url.rstrip('/').removesuffix('/v1')}/v1/messages"
        self._bounds = bounds
        self._secrets = (api_key,)
        self._headers = {
            "x-api-key": api_key,
            "anthropic-version": VERSION,
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
        return self._pieces(request, stream=True)

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        return self._pieces(request, stream=False)

    def _pieces(self, request: ProviderRequest, stream: bool) -> PieceStream:
        with asking(request, self._secrets, self._bounds.words):
            answer = self._opened(request, stream)
            with closing(answer):
                chunks = MessageChunks(request.first_call, self.name)
                yield from read_pieces(answer, chunks, self._bounds.max_reply_bytes)

    def _opened(self, request: ProviderRequest, stream: bool) -> HttpStream:
        """Return the answer to a request that was taken: asked otherwise, once more, for each thing
        that is refused."""
        model, learned = request.model, frozenset[str]()
        while True:
            adapted = self.adaptations.of(model) | learned
            body = orjson.dumps(request_body(request, stream, adapted, self.name))
            answer = self._streams.open("POST", self._url, self._headers, body)
            if answer.status == 200:
                self.adaptations.learn(model, learned)
                return answer
            refusal = read_refusal(answer.status, answer.headers, answer.rest(MAX_BYTES))
            otherwise = adaptation_to(refusal)
            if not otherwise or otherwise in adapted:
                raise refusal.error()
            learned |= {otherwise}
