"""Images as models are given them: turned the way their camera was held, without what else their
camera said, no larger than is of use; PNG or JPEG, which every model takes.

Pillow is imported when the first image comes: it takes a tenth of a start.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

PNG, JPEG = "image/png", "image/jpeg"
AS_THEY_ARE = {"PNG": PNG, "JPEG": JPEG}  # by Pillow's names
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
LONGEST_SIDE = 8000  # Claude takes no longer one
MOST_BYTES = 3_700_000  # Claude takes 5 MB of base64
MOST_READ_PIXELS = 89_000_000  # decoded they are four bytes each; Pillow warns of more
QUALITY = 90
OPAQUE_WHITE = (255, 255, 255)
# Of Pillow's `info`: what an image needs to be shown. All else is what somebody wrote into it.
_SHOWN = frozenset(
    {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform",
        "progressive", "progression", "icc_profile", "gamma", "srgb", "chromaticity",
        "transparency", "interlace", "aspect", "background",
    }
)  # fmt: skip
_JPEG_SHOWN = (b"JFIF", b"ICC_PROFILE", b"Adobe")  # what the segments begin with that may stay
ORIENTATION = 0x0112  # Exif 2.32, 4.6.4


class BadImage(ValueError):
    """What cannot be made an image for a model; its text is for who sent it."""


def for_model(data: bytes, media_type: str, max_pixels: int) -> tuple[bytes, str, int, int]:
    """Return the image as models get it, with its type, width and height: the bytes themselves
    where nothing is to be done. Of an animation it is the first picture. Raises BadImage."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_READ_PIXELS:
                raise BadImage(f"it has more than {MOST_READ_PIXELS} pixels")
            as_is = AS_THEY_ARE.get(opened.format or "")
            size = _fitting(*opened.size, max_pixels)
            fits = size == opened.size and len(data) <= MOST_BYTES
            if as_is == JPEG:
                opened.draft(None, size)  # decodes no more than is needed
            opened.load()
            if as_is and fits and not _says_more(opened):
                return data, as_is, *size
            return _made(opened, size)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"it is no {media_type}") from None
    except Image.DecompressionBombError:
        raise BadImage("it has too many pixels") from None
    except Exception as error:  # whatever a hostile file makes of a decoder
        raise BadImage("it cannot be read to its end") from error


def _fitting(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Return the largest size of the same proportions that is within the bounds."""
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _says_more(image: Image) -> bool:
    """Whether there is anything in it besides the picture, or more than one."""
    if getattr(image, "n_frames", 1) > 1 or image.info.keys() - _SHOWN:
        return True
    segments = getattr(image, "applist", ())
    return any(not said.startswith(_JPEG_SHOWN) for _, said in segments)


def _made(image: Image, size: tuple[int, int]) -> tuple[bytes, str, int, int]:
    """Return the image written anew, with nothing but its pixels and their colours' profile."""
    as_jpeg = image.format in {"JPEG", "MPO"} or (image.format == "WEBP" and not _is_clear(image))
    profile = image.info.get("icc_profile") if image.mode in {"RGB", "RGBA", "L"} else None
    plain = _plain(image)
    if plain.size != size:
        plain = plain.resize(size, reducing_gap=2.0)
    plain = _turned(plain, image)
    said = _written(plain, as_jpeg, profile)
    if len(said) > MOST_BYTES and not as_jpeg:
        as_jpeg = True
        said = _written(plain, as_jpeg, profile)
    while len(said) > MOST_BYTES:
        plain = plain.resize(_fitting(*plain.size, plain.width * plain.height // 2))
        said = _written(plain, as_jpeg, profile)
    return said, JPEG if as_jpeg else PNG, *plain.size


def _turned(plain: Image, image: Image) -> Image:
    """Return the picture as its EXIF says that it is held; what is wrong there turns nothing."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # some cameras, and those who mean harm, write what is none
        return plain
    return plain if turn is None else plain.transpose(turn)


def _plain(image: Image) -> Image:
    """Return the image in a mode that both formats have, 8 bits a colour."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("F").point(lambda value: value * (1 / 257)).convert("L")
    if "transparency" in image.info or (_is_clear(image) and image.mode != "RGBA"):
        return image.convert("RGBA")
    return image if image.mode in {"RGB", "RGBA", "L"} else image.convert("RGB")


def _is_clear(image: Image) -> bool:
    """Whether one can see through it somewhere."""
    return "transparency" in image.info or image.mode in {"RGBA", "LA", "PA", "La", "RGBa"}


def _on_white(image: Image) -> Image:
    from PIL import Image as Images

    if image.mode != "RGBA":
        return image
    white = Images.new("RGB", image.size, OPAQUE_WHITE)
    white.paste(image, mask=image.getchannel("A"))
    return white


def _written(image: Image, as_jpeg: bool, profile: bytes | None) -> bytes:
    made = io.BytesIO()
    image.info.clear()  # what of it the formats would write by themselves
    if as_jpeg:
        _on_white(image).save(made, "JPEG", quality=QUALITY, icc_profile=profile)
    else:
        image.save(made, "PNG", icc_profile=profile)
    return made.getvalue()
