"""Attachments of each owner: taking them in, from uploads and from requests that have them inside,
giving them out, and sweeping away what nobody has any more."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import BinaryIO, Protocol

from app.attachments.apart import Apart
from app.attachments.loading import TEXT_OF_PAGES, Loaded
from app.attachments.pdfs import inspect
from app.attachments.reading import PDF_BEGINS, FileKind, kind_of, safe_name
from app.attachments.sending import Sending, SentWithin
from app.attachments.shelf import FOLDERS, Incoming, Shelf
from app.core.attachments import NAMED, Attachment, to_attach
from app.core.errors import InvalidRequest, NotFound, TooLarge
from app.core.messages import Content, Part
from app.core.runs import new_id
from app.core.store import AttachmentStore
from app.runs.ports import Calls, Clock, Provider, Runtime

UNUSED_TTL_S = 86400.0  # how long an upload waits for a message
INCOMING_TTL_S = 3600.0  # no upload takes that long: what is older was left by a crash
ROWS_A_SWEEP = 500
WRITE_BYTES = 1_000_000  # gathered before they are written: a thread each
READ_BYTES = 1_000_000
DECODE_BYTES = 262_144  # of base64, a multiple of 4: what holds the interpreter is short
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.I)


class AttachmentLimits(Protocol):
    """Sizes in bytes; pixels of what a model is sent."""

    @property
    def max_attachment_bytes(self) -> int: ...

    @property
    def max_attachment_bytes_per_user(self) -> int: ...

    @property
    def image_max_pixels(self) -> int: ...


class AttachmentService:
    """All that is done with attachments; absent and foreign ones are alike."""

    def __init__(
        self,
        store: AttachmentStore,
        calls: Calls,
        shelf: Shelf,
        apart: Apart,
        runtime: Runtime,
        clock: Clock,
        limits: AttachmentLimits,
        context_tokens: int = 0,
    ) -> None:
        self._store = store
        self._calls = calls
        self._shelf = shelf
        self._apart = apart
        self._apart_pdfs = Apart(runtime)  # which take longer, and hold up nothing else
        self._runtime = runtime
        self._clock = clock
        self._limits = limits
        self._sent_within = SentWithin(context_tokens, limits.image_max_pixels)
        self._swept_to: str | None = None
        self._folder = 0

    @property
    def max_bytes(self) -> int:
        """The largest attachment."""
        return self._limits.max_attachment_bytes

    # --- in -------------------------------------------------------------------------------------

    def receive(
        self, owner: str, name: str, pieces: Iterable[bytes], key: str | None = None
    ) -> Attachment:
        """Store an upload as it comes, and return it; once for a key.

        Raises TooLarge, InvalidRequest, UnsupportedMediaType, IdempotencyConflict,
        StorageUnavailable, and what `pieces` raises.
        """
        with closing(self._shelf.receive()) as incoming:
            for piece in gathered(pieces):
                if incoming.size + len(piece) > self.max_bytes:
                    raise self._too_large("file")
                self._runtime.run_apart(incoming.write, piece)
            return self._add(owner, name, incoming, "file", key)

    def _add(
        self,
        owner: str,
        name: str,
        incoming: Incoming,
        field: str,
        key: str | None = None,
        reuse: bool = False,
    ) -> Attachment:
        self._runtime.run_apart(incoming.finish)
        gate = self._apart_pdfs if incoming.begins_with(PDF_BEGINS) else self._apart
        kind = gate(_kind_of, incoming, field)
        wanted = Attachment(
            id=new_id(),
            owner=owner,
            name=safe_name(name, kind.media_type),
            size=incoming.size,
            sha256=incoming.sha256,
            created_at=self._clock.wall(),
            idempotency_key=key,
            **kind._asdict(),
        )
        most = self._limits.max_attachment_bytes_per_user
        return self._calls(self._store.add_attachment, wanted, incoming.put, most, reuse)

    def _too_large(self, field: str) -> TooLarge:
        most = self.max_bytes
        return TooLarge(
            f"The file is larger than the {most} bytes that are allowed.",
            fields={field: f"at most {most} bytes"},
        )

    def taken_in(self, owner: str, content: Content, field: str) -> Content:
        """Return the content with what a client has sent in it stored, and what it has named looked
        up: references, as messages have them. `field` is what the client calls the content; a part
        may say its own.

        Raises as `receive` does.
        """
        if not to_attach(content):
            return content
        many = len(content) > 1
        return tuple(
            (
                self._reference(
                    owner, part, part.get("field") or (f"{field}.{n}" if many else field)
                )
                if to_attach((part,))
                else part
            )
            for n, part in enumerate(content)
        )

    def _reference(self, owner: str, part: Part, field: str) -> Part:
        if part["type"] == NAMED or "attachment_id" in part:
            named = self._calls(self._store.find_attachment, owner, part["attachment_id"])
            if named is None:
                raise InvalidRequest({field: "is no file of yours that is still here"})
            return named.part
        stored = self.keep(owner, part["data"], part.get("name") or "", field)
        if stored["type"] != part["type"] and part["type"] == "image":
            raise InvalidRequest({field: "must be a PNG, JPEG, GIF or WebP picture"})
        return {**stored, "detail": part["detail"]} if part.get("detail") else stored

    def sending(
        self, owner: str, provider: Provider, takes_images: Callable[[], bool | None]
    ) -> Provider:
        """Return the provider, which is sent what is attached, and has kept what it makes;
        `takes_images` says whether its model takes any, None where nobody knows."""

        def store(data: bytes, media_type: str) -> Part:
            with closing(self._shelf.receive()) as incoming:
                self._runtime.run_apart(incoming.write, data)
                return self._add(owner, "", incoming, "file", reuse=True).part

        def apart(load: Callable[[str, Part], Loaded], how: str, part: Part) -> Loaded:
            gate = self._apart_pdfs if how == TEXT_OF_PAGES else self._apart
            return gate(load, how, part)

        within = self._sent_within
        return Sending(provider, self._shelf, apart, store, within, takes_images)

    def keep(self, owner: str, data: str, name: str, field: str) -> Part:
        """Store what comes as base64, or as a `data:` URL, and return the part that stands for it.
        Raises as `receive` does."""
        with closing(self._shelf.receive()) as incoming:
            self._apart(self._decode, data, incoming, field)
            return self._add(owner, name, incoming, field, reuse=True).part

    def _decode(self, data: str, incoming: Incoming, field: str) -> None:
        url = _DATA_URL.match(data)
        start = url.end() if url else 0
        if any(one.isspace() for one in data[start : start + 80]):  # in lines, as mail has it
            data, start = "".join(data[start:].split()), 0
        if (len(data) - start) // 4 * 3 > self.max_bytes + 3:
            raise self._too_large(field)
        try:
            for at in range(start, len(data), DECODE_BYTES):
                incoming.write(base64.b64decode(data[at : at + DECODE_BYTES], validate=True))
        except (binascii.Error, ValueError):
            raise InvalidRequest({field: "must be base64, or a `data:` URL with base64"}) from None
        if incoming.size > self.max_bytes:
            raise self._too_large(field)

    # --- out ------------------------------------------------------------------------------------

    def find(self, owner: str, attachment_id: str) -> Attachment:
        """Return the owner's attachment. Raises NotFound."""
        found = self._calls(self._store.find_attachment, owner, attachment_id)
        if found is None:
            raise NotFound()
        return found

    def bytes_of(self, attachment: Attachment) -> Iterator[bytes]:
        """Return an iterator of the bytes. Raises NotFound, at once, where they are gone."""
        try:
            file: BinaryIO = self._runtime.run_apart(self._shelf.open, attachment.sha256)
        except KeyError:
            raise NotFound() from None
        return self._pieces(file)

    def _pieces(self, file: BinaryIO) -> Iterator[bytes]:
        with closing(file):
            while piece := self._runtime.run_apart(file.read, READ_BYTES):
                yield piece

    def remove(self, owner: str, attachment_id: str) -> None:
        """Delete one that no message names. Raises NotFound, AttachmentInUse."""
        self._calls(self._store.delete_attachment, owner, attachment_id, self._shelf.drop)

    # --- what nobody has any more -----------------------------------------------------------------

    def sweep(self) -> None:
        """Take some of that away; meant to be called once a second, it gets round by and by.

        Raises StorageUnavailable.
        """
        before = self._clock.wall() - UNUSED_TTL_S
        self._swept_to = self._calls(
            self._store.sweep_attachments,
            self._swept_to or "",
            ROWS_A_SWEEP,
            before,
            self._shelf.drop,
        )
        here = self._runtime.run_apart(self._shelf.listed, self._folder)
        if here:
            self._calls(self._store.drop_unknown, here, self._shelf.drop)
        if not self._folder:
            abandoned = self._clock.wall() - INCOMING_TTL_S
            self._runtime.run_apart(self._shelf.drop_abandoned, abandoned)
        self._folder = (self._folder + 1) % FOLDERS


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces in larger ones."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= WRITE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _kind_of(incoming: Incoming, field: str) -> FileKind:
    return kind_of(incoming.file, field, lambda file: inspect(file.read()))
