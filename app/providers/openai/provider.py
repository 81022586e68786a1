"""Any server that speaks OpenAI's chat completions: what it is asked, how its chunks are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr

from app.core.run_errors import UpstreamRefused
from app.core.runs import ProviderRequest
from app.providers.http.provider import HttpProvider
from app.providers.http.streams import Bounds, HttpStream
from app.providers.openai.chunks import CompletionChunks
from app.providers.openai.requests import adaptation_to, body_bytes, body_of
from app.providers.settings import SECTION, Variables
from app.providers.types import Address, ApiKey
from app.providers.wire.images import FILE, IMAGE, IMAGE_URL
from app.providers.wire.refusals import Refusal

# What is passed on as it is, besides temperature and max_tokens; and what messages may show.
PARAMETERS = frozenset(
    {
        IMAGE,
        IMAGE_URL,
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
    }
)
# At these the newer models refuse `max_tokens`, and thoughts come apart. Most others know that name
# alone, and ignore the newer one in silence: Ollama does.
OWN_HOSTS = ("api.openai.com", ".openai.azure.com")


FILES_AT = "api.openai.com"  # and at its regions: others refuse files, or read over them


class OpenAISettings(BaseModel):
    """OpenAI's API, or one that is compatible with it."""

    model_config = SECTION
    aliases: ClassVar[tuple[str, ...]] = ()
    variables: ClassVar = Variables("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")

    openai_api_key: ApiKey = SecretStr("")
    """Key of the OpenAI-compatible server."""
    openai_base_url: Address = "https://api.openai.com/v1"
    """Address of the OpenAI-compatible server; setting it is enough where no key is needed."""
    openai_model: str = "gpt-5-mini"
    """Model asked for when a request names none."""
    openai_max_tokens_field: Literal["", "max_tokens", "max_completion_tokens"] = ""
    """What the server calls the limit of a reply; by default what is known of its host."""
    openai_stream: bool = True
    """0 asks it for whole replies."""
    openai_split_thoughts: Literal["", "0", "1"] = ""
    """1 takes <think> at a reply's start for thoughts; by default unless it is OpenAI's own."""

    @property
    def streams(self) -> bool:
        return self.openai_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> OpenAICompatible | None:
        if not self.openai_api_key and "openai_base_url" not in self.model_fields_set:
            return None
        return OpenAICompatible(
            name,
            self.openai_api_key.get_secret_value(),
            self.openai_base_url,
            self.openai_model,
            bounds,
            self.openai_max_tokens_field,
            self.openai_split_thoughts == "1"
            or (not self.openai_split_thoughts and not is_openai(self.openai_base_url)),
        )


class OpenAICompatible(HttpProvider):
    """A server of chat completions."""

    parameters = PARAMETERS

    def __init__(
        self,
        name: str,
        api_key: str,
        base_url: str,
        default_model: str,
        bounds: Bounds,
        max_tokens_field: str = "",
        splits_thoughts: bool = False,
    ) -> None:
        super().__init__(name, api_key, base_url, default_model, bounds)
        if (urlsplit(base_url).hostname or "").endswith(FILES_AT):
            self.parameters |= {FILE}
        self._limit_field = max_tokens_field or max_tokens_field_of(base_url)
        self._splits_thoughts = splits_thoughts
        # At the start, and only where it is wanted: the SDK's imports take a third of a start.
        from app.providers.openai.head import completions_head

        self._heads = {
            stream: completions_head(api_key, base_url, stream) for stream in (True, False)
        }

    def _models(self) -> tuple[str, Mapping[str, str]]:
        head = self._heads[False]
        if head is None:
            raise UpstreamRefused()
        parts = urlsplit(head.url)
        path = parts.path.removesuffix("/chat/completions") + "/models"
        return urlunsplit(parts._replace(path=path)), head.headers

    def _body(
        self, request: ProviderRequest, stream: bool, adapted: frozenset[str]
    ) -> dict[str, Any]:
        splits = self._splits_thoughts
        return body_of(request, stream, adapted, self._limit_field, splits, self.name)

    def _post(self, request: ProviderRequest, stream: bool, body: Mapping[str, Any]) -> HttpStream:
        head = self._heads[stream]
        if head is None:
            raise UpstreamRefused()
        return self._streams.open(head.method, head.url, head.headers, body_bytes(body))

    def _chunks(self, request: ProviderRequest) -> CompletionChunks:
        return CompletionChunks(self._splits_thoughts, request.first_call, self.name)

    def _otherwise(self, refusal: Refusal, body: Mapping[str, Any]) -> str:
        return adaptation_to(refusal, body, self._limit_field)


def max_tokens_field_of(base_url: str) -> str:
    """Return what the server at that address calls the limit of a reply's tokens."""
    return "max_completion_tokens" if is_openai(base_url) else "max_tokens"


def is_openai(base_url: str) -> bool:
    """Whether OpenAI's own servers are at that address, at Azure too."""
    return (urlsplit(base_url).hostname or "").endswith(OWN_HOSTS)
