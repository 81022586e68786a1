"""Attachments from the shelf in the forms that models take. What takes a while to make is kept on
the shelf, beside the bytes that it is made of. Everything here blocks."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.attachments.images import BadImage, for_model
from app.attachments.pdfs import BadPdf, text_of
from app.attachments.reading import text_in
from app.attachments.shelf import Shelf
from app.core.messages import Part

log = logging.getLogger(__name__)
GONE = "it is not available any more"
PAGES = "pages"  # the name of a PDF's text on the shelf
TEXT_OF_PAGES = "text of pages"  # how a PDF is loaded for who takes none


class Gone(ValueError):
    """There are no such bytes any more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An attachment as a model takes it: base64 of an image or a file, or a text; or why not."""

    data: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)  # media_type, width, height
    fault: str = ""


class Loader:
    """Loads from one shelf."""

    def __init__(self, shelf: Shelf, image_max_pixels: int) -> None:
        self._shelf = shelf
        self._image_max_pixels = image_max_pixels

    def load(self, how: str, part: Part) -> Loaded:
        """Return the attachment that the part stands for: as `image`, `as it is`, `text`, `text of
        pages`. What is gone or broken is no failure: it has a fault. Raises OSError."""
        ways: Mapping[str, Callable[[Part], Loaded]] = {
            "image": self._image,
            "as it is": self._as_it_is,
            "text": self._text,
            TEXT_OF_PAGES: self._pages,
        }
        try:
            return ways[how](part)
        except (BadImage, BadPdf, Gone) as error:
            return Loaded(fault=str(error))

    def _read(self, sha256: str) -> bytes:
        try:
            return self._shelf.read(sha256)
        except KeyError:
            raise Gone(GONE) from None

    def _as_it_is(self, part: Part) -> Loaded:
        return Loaded(_base64(self._read(part["sha256"])), {"media_type": part["media_type"]})

    def _text(self, part: Part) -> Loaded:
        return Loaded(text_in(self._read(part["sha256"])))

    def _image(self, part: Part) -> Loaded:
        name = f"image-{self._image_max_pixels}"
        head, data = self._made(part["sha256"], name, lambda data: self._for_model(data, part))
        # Nothing was made of one that is good as it is.
        return Loaded(_base64(data or self._read(part["sha256"])), head)

    def _for_model(self, data: bytes, part: Part) -> tuple[dict[str, Any], bytes]:
        made, media_type, width, height = for_model(
            data, part["media_type"], self._image_max_pixels
        )
        head = {"media_type": media_type, "width": width, "height": height}
        return head, b"" if made is data else made

    def _pages(self, part: Part) -> Loaded:
        head, data = self._made(part["sha256"], PAGES, _text_of_pages)
        return Loaded(data.decode(), fault=head.get("fault", ""))

    def _made(
        self, sha256: str, name: str, make: Callable[[bytes], tuple[dict[str, Any], bytes]]
    ) -> tuple[dict[str, Any], bytes]:
        """Return what was made of those bytes; make it, and keep it, where it was not."""
        kept = self._shelf.made(sha256, name)
        if kept is not None:
            head, _, data = kept.partition(b"\n")
            said: dict[str, Any] = json.loads(head)
            return said, data
        said, data = make(self._read(sha256))
        try:
            self._shelf.keep(sha256, name, json.dumps(said).encode() + b"\n" + data)
        except (KeyError, OSError) as error:  # deleted meanwhile, or a full disk
            log.warning("what was made of an attachment is not kept: %s", error)
        return said, data


def _text_of_pages(data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        return {}, text_of(data).encode()
    except BadPdf as error:  # kept too: to find that out again takes as long
        return {"fault": str(error)}, b""


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
