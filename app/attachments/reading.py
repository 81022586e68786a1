"""What a file is, by its own bytes: never what its sender, or its name, says.

Pictures are decoded to their last pixel, so that what is kept can be shown; text is what has
nothing but text in it, SVG and HTML too, which are stored and served as text.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from itertools import count
from typing import Any, BinaryIO, NamedTuple

from app.core.errors import InvalidRequest, TooLarge, UnsupportedMediaType

MAX_PIXELS = 50_000_000  # of a picture, and twice as many of all frames of a moving one
MAX_SIDE = 30_000
MAX_FRAMES = 2000
PDF_BEGINS = b"%PDF-"
READ_BYTES = 262_144
TAKEN = "PNG, JPEG, GIF and WebP pictures, PDFs, and text in UTF-8 or UTF-16"
PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
# Of text: tabs, line ends, form feeds, escapes (logs in colour); no other control characters.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


class FileKind(NamedTuple):
    """What a file is; pixels of a picture, pages of a PDF."""

    media_type: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None


def kind_of(file: BinaryIO, field: str, pages_of: Callable[[BinaryIO], int]) -> FileKind:
    """Return what the file is; `pages_of` counts a PDF's, and raises ValueError with what is wrong.

    Raises UnsupportedMediaType, InvalidRequest, TooLarge, which name `field`.
    """
    head = file.read(16)
    file.seek(0)
    if not head:
        raise InvalidRequest({field: "is empty"})
    picture = _format_of(head)
    if picture:
        return _picture(file, picture, field)
    if head.startswith(PDF_BEGINS):
        try:
            return FileKind("application/pdf", pages=pages_of(file))
        except ValueError as error:
            raise InvalidRequest({field: str(error)}) from None
    if _is_text(file, head):
        return FileKind("text/plain")
    raise UnsupportedMediaType(
        f"This kind of file is not taken: {TAKEN} are.", fields={field: f"must be one of {TAKEN}"}
    )


def _format_of(head: bytes) -> str:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def _picture(file: BinaryIO, picture: str, field: str) -> FileKind:
    from PIL import Image

    broken = InvalidRequest({field: f"is no {picture} picture that can be read to its end"})
    Image.MAX_IMAGE_PIXELS = None  # ours is looked at before a pixel is decoded
    try:
        image = Image.open(file, formats=[picture])
    except Exception:  # whatever a hostile file makes of a decoder
        raise broken from None
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise _too_many_pixels(field)
        try:
            if picture == "JPEG":
                image.load()  # cameras put more behind it, which others cut off
            else:
                _load(image, field)
        except TooLarge:
            raise
        except Exception:
            raise broken from None
    return FileKind(PICTURES[picture], width, height)


def _too_many_pixels(field: str) -> TooLarge:
    return TooLarge(
        f"The picture has too many pixels: at most {MAX_PIXELS}, and {MAX_SIDE} a side.",
        fields={field: f"at most {MAX_PIXELS} pixels"},
    )


def _load(image: Any, field: str) -> None:
    """Decode all frames. Raises TooLarge, and whatever a decoder raises."""
    for frame in count():
        try:
            image.seek(frame)
        except EOFError:
            return
        if frame >= MAX_FRAMES or (frame + 1) * image.width * image.height > 2 * MAX_PIXELS:
            raise TooLarge(
                "The picture moves for too long.",
                fields={field: f"at most {MAX_FRAMES} frames, and {2 * MAX_PIXELS} pixels in all"},
            )
        image.load()


def _is_text(file: BinaryIO, head: bytes) -> bool:
    encoding = _encoding_of(head)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data := file.read(READ_BYTES):
            if _NOT_TEXT.search(decoder.decode(data)):
                return False
        decoder.decode(b"", True)
    except UnicodeError:
        return False
    finally:
        file.seek(0)
    return True


def text_in(data: bytes) -> str:
    """Return what a file of text says."""
    return data.decode(_encoding_of(data[:2]), "replace")


def _encoding_of(head: bytes) -> str:
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


# --- Names --------------------------------------------------------------------------------------

MAX_NAME = 120  # characters
_UNFIT = re.compile(r'[\\/:*?"<>|]')
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}


def safe_name(name: str, media_type: str) -> str:
    """Return a name that any file system takes, and that shows what it is: the last part of a path,
    without what cannot be seen, turns text around or stands for something else; cut in its middle
    so that its ending stays."""
    name = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    seen = "".join(one for one in name if one == " " or unicodedata.category(one)[0] not in "CZ")
    seen = _UNFIT.sub("", seen).strip(" .")
    if not seen:
        return "file" + _SUFFIXES.get(media_type, "")
    if len(seen) <= MAX_NAME:
        return seen
    stem, dot, ending = seen.rpartition(".")
    if not dot or len(ending) > 16:
        return seen[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(ending) - 1]}.{ending}"
