"""Gemini, by its own wire: POST /models/<model>:streamGenerateContent?alt=sse, without an SDK.

Google's OpenAI-compatible endpoint would do for the text. It does not give thoughts apart from the
text, nor say why a prompt was blocked; so this speaks the native one. Source: Gemini API reference,
"models.streamGenerateContent".
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel, SecretStr, model_validator

from app.core.messages import ProviderMessage
from app.core.run_errors import UpstreamMalformed
from app.core.runs import ProviderRequest
from app.core.turns import taking_turns
from app.core.usage import Usage
from app.providers.http.streams import USER_AGENT, Bounds, HttpStream, HttpStreams
from app.providers.settings import SECTION, Variables
from app.providers.types import Address, ApiKey, has_user
from app.providers.wire.adapting import NO_SYSTEM, NO_THOUGHTS, Adaptations
from app.providers.wire.chunks import ReplyText, StreamChunks, usage_of
from app.providers.wire.content import text_in
from app.providers.wire.pieces import read_pieces
from app.providers.wire.reasons import is_reason
from app.providers.wire.refusals import MAX_BYTES, Refusal, raise_failure, read_refusal
from app.providers.wire.telling import asking
from app.runs.ports import FINISH, USAGE, Piece, PieceStream

# OpenAI's names of what is passed on, and Gemini's.
PARAMETERS = {
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "stop": "stopSequences",
    "top_p": "topP",
}


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
        self.parameters = frozenset(PARAMETERS)
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
                yield from read_pieces(answer, GeminiChunks(), self._bounds.max_reply_bytes)

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
            otherwise = _adaptation_to(refusal)
            if not otherwise or otherwise in adapted:
                raise refusal.error()
            learned |= {otherwise}

    def _post(self, request: ProviderRequest, method: str, adapted: frozenset[str]) -> HttpStream:
        # The name comes from a client: quoted, it can be no other path, and no query.
        model = quote(request.model.removeprefix("models/"), safe="", errors="replace")
        url = f"{self._base_url}/models/{model}:{method}"
        body = orjson.dumps(request_body(request, adapted))
        return self._streams.open("POST", url, self._headers, body)


def request_body(request: ProviderRequest, adapted: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the GenerateContentRequest."""
    config: dict[str, Any] = {}
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    for name, value in request.parameters.items():
        config[PARAMETERS[name]] = [value] if name == "stop" and isinstance(value, str) else value
    if NO_THOUGHTS not in adapted:
        config["thinkingConfig"] = {"includeThoughts": True}
    contents = _contents(request.messages)
    body: dict[str, Any] = {"contents": contents, "generationConfig": config}
    system = [{"text": m.text} for m in request.messages if m.role == "system" and m.text]
    if system and NO_SYSTEM not in adapted:
        body["systemInstruction"] = {"parts": system}
    elif system and contents:
        contents[0]["parts"] = [*system, *contents[0]["parts"]]
    return body


def _contents(messages: Iterable[ProviderMessage]) -> list[dict[str, Any]]:
    roles = {"assistant": "model", "user": "user"}
    turns = taking_turns(message for message in messages if message.role in roles)
    return [{"role": roles[turn.role], "parts": [{"text": turn.text}]} for turn in turns]


def _adaptation_to(refusal: Refusal) -> str:
    if refusal.status != 400:
        return ""
    said = refusal.message.lower()
    # "Thinking is not enabled for models/..." or "... thinking_config.include_thoughts ..."
    if "thinking" in said:
        return NO_THOUGHTS
    # "Developer instruction is not enabled for models/gemma-..."
    return NO_SYSTEM if "instruction" in said and "not enabled" in said else ""


class GeminiChunks(StreamChunks):
    """The state of one stream: whether it is complete, half surrogate pairs, the last counts.

    There is no mark of the end, and some models repeat the finish reason in every chunk: a stream
    is read until its connection says that the body is over, or a gateway says `[DONE]`.
    """

    ends_with_reason = False

    def __init__(self) -> None:
        super().__init__()
        self._reply = ReplyText(splits_thoughts=False)
        self._usage: Usage | None = None
        self._told: list[Piece] = []  # the finish and the usage that went out already

    def add_chunk(self, chunk: dict[str, Any], found: list[Piece]) -> None:
        if "candidates" not in chunk and "promptFeedback" not in chunk:
            raise_failure(chunk, self.heard)
        usage = chunk.get("usageMetadata")
        if usage:
            self._usage = _usage(usage)
        try:
            blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
            candidate = (chunk.get("candidates") or [{}])[0] or {}
            parts = (candidate.get("content") or {}).get("parts") or ()
            reason = candidate.get("finishReason")
            self.heard += 1 if candidate else 0
            for part in (part for part in parts if part is not None):
                self._add_part(part.get("text"), part.get("thought"), found)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UpstreamMalformed() from None
        if blocked:
            self._finish("content_filter", found)
        elif reason and is_reason(reason):
            self._finish(reason, found)
        if self.finished and self._usage is not None:
            # Counts that come before are not of the whole reply yet.
            self._tell((USAGE, self._usage), found)

    def _add_part(self, said: Any, thought: Any, found: list[Piece]) -> None:
        if not said:  # a signature, or a kind of part that was not asked for
            return
        text = said if isinstance(said, str) else text_in(said)
        if text and thought:
            self._reply.think(text, found)
        elif text:
            self._reply.say(text, found)

    def _finish(self, reason: Any, found: list[Piece]) -> None:
        told: list[Piece] = []
        self._reply.finish(reason, told)
        self.finished = True
        for piece in told:
            if piece[0] == FINISH:
                self._tell(piece, found)
            else:
                found.append(piece)

    def _tell(self, piece: Piece, found: list[Piece]) -> None:
        if piece not in self._told:
            self._told = [told for told in self._told if told[0] != piece[0]] + [piece]
            found.append(piece)

    def end(self, found: list[Piece], complete: bool) -> None:
        if self.finished:
            return
        self._reply.end(found)
        if complete and self._reply.has_text:
            self._finish("stop", found)
            if self._usage is not None:
                self._tell((USAGE, self._usage), found)


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    # Thoughts are paid for as output, and are not among the candidates' tokens.
    written = usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")
    return usage_of(usage.get("promptTokenCount"), *written)
