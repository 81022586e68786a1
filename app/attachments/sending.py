"""What models are sent of attachments: a provider around the provider, in whose messages each
reference becomes what that provider takes, within the room there is.

It goes nearest to the provider, inside the loop of tools: each step of that has new messages, and
what was loaded for one is there for the next. Images that the model makes go the other way.
"""

from __future__ import annotations

import binascii
import logging
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from app.attachments.loading import TEXT_OF_PAGES, Loaded, Loader
from app.attachments.room import MOST_DATA, MOST_TEXT, Room, cut_text
from app.attachments.shelf import Shelf
from app.core.attachments import FILE as FILE_PART
from app.core.attachments import IMAGE
from app.core.entries import FILE, TEXT
from app.core.errors import ChatError
from app.core.messages import Content, Part, ProviderMessage, has_others, text_parts
from app.core.runs import ProviderRequest
from app.core.usage import estimate_part, estimate_tokens
from app.runs.ports import ALIVE, Piece, PieceStream, Provider, own_patience_s

log = logging.getLogger(__name__)
PDF = "application/pdf"
MOST_PDF_PAGES, MOST_PDF_BYTES = 100, 10_000_000  # of one that goes as it is; longer ones as text
PER_MESSAGE = 4  # tokens, besides its content
MOST_LOADED = MOST_DATA + MOST_TEXT  # characters
NO_ROOM = "left out for want of room"
NOT_KEPT = "[an image that could not be kept]"
Apart = Callable[..., Any]  # apart(function, *args): what blocks, without holding up the others
Store = Callable[[bytes, str], Part]  # of the bytes and media type of what a model made


class SendingLimits(Protocol):
    """What bounds what is sent."""

    @property
    def context_tokens(self) -> int:
        """Of all messages; 0: no bound."""

    @property
    def image_max_pixels(self) -> int: ...


class SentWithin(NamedTuple):
    """What bounds what is sent, as values."""

    context_tokens: int
    image_max_pixels: int


class Sending:
    """A provider that is sent what is attached. One for a run: what it has loaded it keeps."""

    def __init__(
        self,
        provider: Provider,
        shelf: Shelf,
        apart: Apart,
        store: Store,
        limits: SendingLimits,
        takes_images: Callable[[], bool | None] = lambda: None,
    ) -> None:
        """`takes_images` says whether the model takes any; None: nobody knows."""
        self.name = provider.name
        self.default_model = provider.default_model
        self.parameters = provider.parameters
        self.first_delta_timeout_s = own_patience_s(provider)
        self._provider = provider
        self._loader = Loader(shelf, limits.image_max_pixels)
        self._apart = apart
        self._store = store
        self._context_tokens = limits.context_tokens
        self._takes_images = takes_images
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self._size = 0  # of what is loaded
        self._sees = False

    def stream(self, request: ProviderRequest) -> PieceStream:
        """Yield the provider's batches, a sign of life for each attachment before. Raises what the
        provider raises, OSError of a shelf that fails."""
        if has_others(request.messages):
            self._sees = IMAGE in self.parameters and self._takes_images() is not False
            yield from self._load(request.messages)
            request = replace(request, messages=self._sent(request))
        with closing(self._provider.stream(request)) as stream:
            for batch in stream:
                for kind, _ in batch:
                    if kind == FILE:
                        batch = self._all_kept(batch)
                        break
                yield batch

    def _all_kept(self, batch: Sequence[Piece]) -> list[Piece]:
        return [self._kept(data) if kind == FILE else (kind, data) for kind, data in batch]

    def _load(self, messages: Sequence[ProviderMessage]) -> PieceStream:
        """Load what the newest messages have, up to more than there is ever room for."""
        for message in reversed(messages):
            for part in message.content:
                how = self._how(part)
                if how and self._size < MOST_LOADED and (part["sha256"], how) not in self._loaded:
                    loaded = self._apart(self._loader.load, how, part)
                    self._loaded[part["sha256"], how] = loaded
                    self._size += len(loaded.data)
                    yield [(ALIVE, None)]

    def _how(self, part: Part) -> str:
        """Return how a part is to be loaded; "" for what is no attachment, or is not to be."""
        if part["type"] == IMAGE and "sha256" in part:
            return "image" if self._sees else ""
        if part["type"] == FILE_PART and "sha256" in part:
            if part["media_type"] != PDF:
                return "text"
            return "as it is" if self._goes_as_it_is(part) else TEXT_OF_PAGES
        return ""

    def _goes_as_it_is(self, part: Part) -> bool:
        pages, size = part.get("pages", MOST_PDF_PAGES), part["bytes"]
        fits = pages <= MOST_PDF_PAGES and size <= MOST_PDF_BYTES
        if self._context_tokens and estimate_part(part) > self._context_tokens:
            fits = False  # a text can be cut
        return FILE_PART in self.parameters and fits

    def _sent(self, request: ProviderRequest) -> tuple[ProviderMessage, ...]:
        """Return the messages as the provider takes them. The newest have the first of the room;
        what finds none is noted with the request."""
        messages = request.messages
        room = Room(self._context_tokens, sum(map(_cost_without, messages)), request.left_out)
        sent = [self._made(message, room) for message in reversed(messages)]
        return tuple(reversed(sent))

    def _made(self, message: ProviderMessage, room: Room) -> ProviderMessage:
        if not any(map(_to_send, message.content)):
            return message
        content = [self._part(part, room) if _to_send(part) else part for part in message.content]
        return ProviderMessage(message.role, _apart_from_others(content, message.content))

    def _part(self, part: Part, room: Room) -> Part:
        if "url" in part:
            if "image_url" in self.parameters and room.take(estimate_part(part), 0):
                return part
            return _said(f"[image: {part['url']}]")
        name, how = _name_of(part), self._how(part)
        if not how:
            return _said(f"[{part['type']}: {name}]")
        loaded = self._loaded.get((part["sha256"], how), Loaded(fault=NO_ROOM))
        if loaded.fault == NO_ROOM:
            room.left_out.append(name)
        if loaded.fault:
            return _said(f"[{part['type']}: {name}: {loaded.fault}]")
        if how in {"image", "as it is"}:
            if not room.take(estimate_part({**part, **loaded.figures}), len(loaded.data)):
                room.left_out.append(name)
                return _said(f"[{part['type']}: {name}: {NO_ROOM}]")
            detail = {"detail": part["detail"]} if "detail" in part else {}
            made = {"type": part["type"], "name": name, **loaded.figures, **detail}
            return {**made, "data": loaded.data}
        return _said(cut_text(name, loaded.data, room))

    def _kept(self, made: Any) -> Piece:
        """Return the piece for an image that the model made, once it is stored."""
        try:
            data = b64decode(made["data"], validate=True)
            return FILE, self._store(data, made["media_type"])
        except (binascii.Error, ChatError, KeyError, TypeError, ValueError) as error:
            log.warning("an image that a model made cannot be kept: %s", error)
            return TEXT, NOT_KEPT


def _to_send(part: Part) -> bool:
    return part["type"] in {IMAGE, FILE_PART}


def _name_of(part: Part) -> str:
    return " ".join(str(part.get("name", "")).split()) or "without a name"


def _said(text: str) -> Part:
    return text_parts(text)[0]


def _cost_without(message: ProviderMessage) -> int:
    """Return about how many tokens a message takes without what is attached."""
    others = (p for p in message.content if p["type"] != "text" and not _to_send(p))
    return PER_MESSAGE + estimate_tokens(message.text) + sum(map(estimate_part, others))


def _apart_from_others(content: Sequence[Part], before: Content) -> Content:
    """Return the content with a blank line between what was said and what became text: texts that
    are neighbours are joined on their way."""
    found: list[Part] = []
    for index, part in enumerate(content):
        is_new = part is not before[index]
        if index and part["type"] == content[index - 1]["type"] == "text":
            if is_new or content[index - 1] is not before[index - 1]:
                found += text_parts("\n\n")
        found.append(part)
    return tuple(found)
