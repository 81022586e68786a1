"""Any server that speaks OpenAI's chat completions: what it is asked, how its chunks are read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from app.core.run_errors import UpstreamRefused
from app.core.runs import ProviderRequest
from app.providers.http.streams import Bounds, HttpStream, HttpStreams
from app.providers.openai.chunks import CompletionChunks
from app.providers.openai.requests import adaptation_to, body_bytes, body_of
from app.providers.settings import SECTION, Variables
from app.providers.types import Address, ApiKey
from app.providers.wire.adapting import WHOLE, Adaptations, StreamingRefused
from app.providers.wire.pieces import read_pieces
from app.providers.wire.refusals import MAX_BYTES, read_refusal
from app.providers.wire.telling import asking
from app.runs.ports import PieceStream

# What is passed on as it is, besides temperature and max_tokens.
PARAMETERS = frozenset(
    {
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


class OpenAICompatible:
    """A provider; one pool of connections for all runs."""

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
        self.name = name
        self.default_model = default_model
        self.parameters = PARAMETERS
        self.adaptations = Adaptations(name)
        self._limit_field = max_tokens_field or max_tokens_field_of(base_url)
        self._splits_thoughts = splits_thoughts
        self._bounds = bounds
        self._secrets = (api_key,)
        # At the start, and only where it is wanted: the SDK's imports take a third of a start.
        from app.providers.openai.head import completions_head

        self._heads = {
            stream: completions_head(api_key, base_url, stream) for stream in (True, False)
        }
        self._streams = HttpStreams(
            bounds.connect_timeout_s, bounds.read_timeout_s, bounds.reader_of, bounds.certificates
        )
        self._streams.prepare(base_url)

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield what each read of the connection brought. Raises RunError, StreamingRefused."""
        return self._pieces(request, stream=True)

    def whole(self, request: ProviderRequest) -> PieceStream:
        """Yield the pieces of a reply that is asked for whole. Raises RunError."""
        return self._pieces(request, stream=False)

    def _pieces(self, request: ProviderRequest, stream: bool) -> PieceStream:
        with asking(request, self._secrets, self._bounds.words):
            answer = self._opened(request, stream)
            with closing(answer):
                chunks = CompletionChunks(self._splits_thoughts, request.first_call, self.name)
                yield from read_pieces(answer, chunks, self._bounds.max_reply_bytes)

    def _opened(self, request: ProviderRequest, stream: bool) -> HttpStream:
        """Return the answer to a request that was taken: asked otherwise, once more, for each thing
        that is refused."""
        model, learned = request.model, frozenset[str]()
        while True:
            adapted = self.adaptations.of(model) | learned
            body = body_of(
                request, stream, adapted, self._limit_field, self._splits_thoughts, self.name
            )
            answer = self._post(body, stream)
            if answer.status < 300:
                self.adaptations.learn(model, learned)
                return answer
            refusal = read_refusal(answer.status, answer.headers, answer.rest(MAX_BYTES))
            otherwise = adaptation_to(refusal, body, self._limit_field)
            if otherwise == WHOLE:
                raise StreamingRefused(refusal.error())
            if not otherwise or otherwise in adapted:
                raise refusal.error()
            learned |= {otherwise}

    def _post(self, body: Mapping[str, Any], stream: bool) -> HttpStream:
        head = self._heads[stream]
        if head is None:
            raise UpstreamRefused()
        return self._streams.open(head.method, head.url, head.headers, body_bytes(body))


def max_tokens_field_of(base_url: str) -> str:
    """Return what the server at that address calls the limit of a reply's tokens."""
    return "max_completion_tokens" if is_openai(base_url) else "max_tokens"


def is_openai(base_url: str) -> bool:
    """Whether OpenAI's own servers are at that address, at Azure too."""
    return (urlsplit(base_url).hostname or "").endswith(OWN_HOSTS)
