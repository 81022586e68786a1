"""A provider that asks a model's server over HTTP, whatever is said there: one request for a reply,
and another where a model has refused something that can be asked otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

import orjson

from app.core.runs import ProviderRequest
from app.providers.http.streams import USER_AGENT, Bounds, HttpStream, HttpStreams
from app.providers.listing import MAX_LIST_BYTES, names_in
from app.providers.sights import sights_in
from app.providers.wire.adapting import WHOLE, Adaptations, StreamingRefused
from app.providers.wire.chunks import StreamChunks
from app.providers.wire.pieces import read_pieces
from app.providers.wire.refusals import MAX_BYTES, Refusal, read_refusal
from app.providers.wire.telling import asking
from app.runs.ports import PieceStream

# Of a request that asks for an event stream in JSON.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "User-Agent": USER_AGENT,
        # Compression would hold back deltas until a block is full.
        "Accept-Encoding": "identity",
    }
)


class HttpProvider(ABC):
    """One pool of connections for all runs. A subclass knows its wire."""

    parameters: frozenset[str]

    def __init__(
        self, name: str, api_key: str, base_url: str, default_model: str, bounds: Bounds
    ) -> None:
        self.name = name
        self.default_model = default_model
        self.adaptations = Adaptations(name)
        self._bounds = bounds
        self.sights: dict[str, bool] = {}  # by model: whether it takes pictures, as is listed
        self._secrets = (api_key,)
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
                yield from read_pieces(answer, self._chunks(request), self._bounds.max_reply_bytes)

    def _opened(self, request: ProviderRequest, stream: bool) -> HttpStream:
        """Return the answer to a request that was taken: asked otherwise, once more, for each thing
        that is refused."""
        model, learned = request.model, frozenset[str]()
        while True:
            adapted = self.adaptations.of(model) | learned
            body = self._body(request, stream, adapted)
            answer = self._post(request, stream, body)
            if answer.status < 300:
                self.adaptations.learn(model, learned)
                return answer
            refusal = read_refusal(answer.status, answer.headers, answer.rest(MAX_BYTES))
            otherwise = self._otherwise(refusal, body)
            if otherwise == WHOLE:
                raise StreamingRefused(refusal.error())
            if not otherwise or otherwise in adapted:
                raise refusal.error()
            learned |= {otherwise}

    def list_models(self) -> list[str]:
        """Return the names of the models that the server lists. Raises RunError, ValueError."""
        url, headers = self._models()
        answer = self._streams.open("GET", url, headers, b"")
        if answer.status != 200:
            raise read_refusal(answer.status, answer.headers, answer.rest(MAX_BYTES)).error()
        listed = orjson.loads(answer.rest(MAX_LIST_BYTES))
        self.sights = sights_in(listed)
        return self._named(listed)

    @abstractmethod
    def _models(self) -> tuple[str, Mapping[str, str]]:
        """Return where the models are listed, and the headers of who asks. Raises RunError."""

    def _named(self, listed: Any) -> list[str]:
        """Return the names in a list. Raises ValueError."""
        return names_in(listed, "data", "id")

    @abstractmethod
    def _body(
        self, request: ProviderRequest, stream: bool, adapted: frozenset[str]
    ) -> dict[str, Any]:
        """Return what the server is asked, said as it was `adapted` to the model."""

    @abstractmethod
    def _post(self, request: ProviderRequest, stream: bool, body: Mapping[str, Any]) -> HttpStream:
        """Return the answer to that body. Raises RunError."""

    @abstractmethod
    def _chunks(self, request: ProviderRequest) -> StreamChunks:
        """Return what reads the answer."""

    @abstractmethod
    def _otherwise(self, refusal: Refusal, body: Mapping[str, Any]) -> str:
        """Return what is to be asked otherwise after a refusal; "" if nothing is."""
