"""Attachments: what was uploaded, or made by a model, and stands in messages as a reference; the
bytes are on a shelf, by their SHA-256.

A part of a message that is one is `{"type": "image" | "file", "attachment_id": ..}` with what
`Attachment.part` has besides. Two other forms are never stored, nor logged: as a client sends it,
with its bytes in it (`data`: base64, or a `data:` URL), or named alone (`{"type": "attachment",
"attachment_id": ..}`); and as a provider gets it (`data`: base64, `media_type`). An image that a
client names by an address of the web has `url` and nothing else, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.core.messages import Content, Part

IMAGE, FILE = "image", "file"
NAMED = "attachment"  # the type of a part that a client names by its id alone
TYPES = frozenset({IMAGE, FILE, NAMED})


@dataclass(frozen=True, slots=True)
class Attachment:
    """One upload: an id of its own, though equal bytes are kept once. Sizes are in bytes and
    pixels; a PDF has pages."""

    id: str
    owner: str
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: float
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    idempotency_key: str | None = None

    @property
    def part(self) -> Part:
        """The part of a message that stands for it."""
        is_image = self.media_type.startswith("image/")
        return {"type": IMAGE if is_image else FILE, "attachment_id": self.id, **self.figures()}

    def figures(self) -> dict[str, Any]:
        """Return what a reader is told of it, besides its id."""
        said: dict[str, Any] = {
            "name": self.name,
            "media_type": self.media_type,
            "bytes": self.size,
            "sha256": self.sha256,
        }
        others = {"width": self.width, "height": self.height, "pages": self.pages}
        return said | {name: value for name, value in others.items() if value is not None}


def ids_in(content: Iterable[Part]) -> list[str]:
    """Return the ids of the attachments that the content names, each once, in order."""
    found = (part.get("attachment_id") for part in content if part["type"] != "text")
    return list(dict.fromkeys(one for one in found if one))


def to_attach(content: Content) -> bool:
    """Whether a part of the content is as a client sends it: to be looked up, or to be stored."""
    return any(part["type"] in TYPES and "url" not in part for part in content)
