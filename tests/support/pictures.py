"""Small pictures and files, and how clients write them."""

from __future__ import annotations

import base64
import io

from PIL import Image

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (9, 9, 9), (99, 99, 99), (240, 240, 240)]


def picture(form: str = "PNG") -> bytes:
    """Return a picture of 3 x 2 pixels, each of another colour."""
    image = Image.new("RGB", (3, 2))
    image.putdata(COLOURS)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """Return a `data:` URL."""
    return f"data:{media_type};base64,{base64_of(data)}"
