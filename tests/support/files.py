"""Files as people have them, and as those who mean harm make them."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any, NamedTuple

from PIL import Image

from tests.support import pdfs


def picture(
    form: str = "PNG", size: tuple[int, int] = (40, 30), color: str = "red", **options: Any
) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, form, **options)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """Return a `data:` URL."""
    return f"data:{media_type};base64,{base64_of(data)}"


def moving(frames: int, size: tuple[int, int] = (8, 8)) -> bytes:
    """Return a GIF of so many frames, each of which differs from the one before."""
    file = io.BytesIO()
    images = [Image.new("RGB", size, (n % 256, n // 256, 9)) for n in range(frames)]
    images[0].save(file, "GIF", save_all=True, append_images=images[1:])
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk (PNG, 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, body: bytes = b"") -> bytes:
    """Return a PNG that says it has so many pixels, whatever its body has."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def two_in_one() -> bytes:
    """Return a JPEG that says a second one follows, which does not."""
    file = io.BytesIO()
    images = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    images[0].save(file, "MPO", save_all=True, append_images=images[1:])
    data = file.getvalue()
    return data[: data.index(b"\xff\xd9") + 2]


def swelling() -> bytes:
    """Return a PNG whose text, of 40 kB, is one of 40 MB."""
    return PNG[:33] + png_chunk(b"zTXt", b"a\0\0" + BOMB) + PNG[33:]


class Hostile(NamedTuple):
    """A file, and how its upload is answered: 201 says what it is then."""

    name: str
    data: bytes
    status: int
    media_type: str = ""


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
HTML = b"<!doctype html><script>alert(document.cookie)</script>"
PNG, JPEG, GIF, WEBP = (picture(form) for form in ("PNG", "JPEG", "GIF", "WEBP"))
BOMB = zlib.compress(b"\0" * 40_000_000, 9)  # 40 MB of pixels in 40 kB

HOSTILE = [
    Hostile("a camera's JPEG, the second picture cut off", two_in_one(), 201, "image/jpeg"),
    Hostile("nothing", b"", 400),
    Hostile("one byte of no text", b"\x00", 415),
    Hostile("an SVG that runs", SVG, 201, "text/plain"),
    Hostile("an SVG with a declaration", b"<?xml version='1.0'?>" + SVG, 201, "text/plain"),
    Hostile("a page", HTML, 201, "text/plain"),
    Hostile("a page behind a BOM", b"\xef\xbb\xbf" + HTML, 201, "text/plain"),
    Hostile("a page in UTF-16", b"\xff\xfe" + HTML.decode().encode("utf-16-le"), 201, "text/plain"),
    Hostile("a PNG with a page behind it", PNG + HTML, 201, "image/png"),
    Hostile("a JPEG with a page behind it", JPEG + HTML, 201, "image/jpeg"),
    Hostile("a GIF that is a script too", b"GIF89a=1;alert(1)//" + b"\0" * 64, 400),
    Hostile("a GIF with an archive behind it", GIF + b"PK\x03\x04" + b"\0" * 64, 201, "image/gif"),
    Hostile("a page with a PNG behind it", HTML + PNG, 415),
    Hostile("a PDF with a page before it", HTML + pdfs.document("x"), 201, "text/plain"),
    Hostile("a PNG cut in its pixels", picture(size=(200, 200), color="blue")[:-40], 400),
    Hostile("a JPEG cut in half", picture("JPEG", (400, 400))[:2000], 400),
    Hostile("a GIF cut in half", moving(8)[:-60], 400),
    Hostile("a WebP cut in half", WEBP[: len(WEBP) // 2], 400),
    Hostile("a PNG's first bytes", PNG[:8], 400),
    Hostile("a JPEG's first bytes", JPEG[:3], 400),
    Hostile("a WebP's first bytes", WEBP[:12], 400),
    Hostile("a PNG of no width", png_of(0, 30), 400),
    Hostile("a PNG of 100 megapixels", png_of(10_000, 10_000, BOMB), 413),
    Hostile("a PNG of 4 thousand million pixels", png_of(65_000, 65_000, BOMB), 413),
    Hostile("a PNG as wide as can be said", png_of(2**31 - 1, 1, BOMB), 413),
    Hostile("a PNG that is a line", png_of(40_000, 1, BOMB), 413),
    Hostile("a PNG with a wrong checksum", PNG[:29] + b"\0\0\0\0" + PNG[33:], 400),
    Hostile("a PNG with half of its pixels", png_of(4000, 4000, zlib.compress(b"\0" * 9999)), 400),
    Hostile("a PNG whose pixels are none", png_of(40, 30, b"nothing that was deflated"), 400),
    Hostile("a PNG with a text that swells", swelling(), 400),
    Hostile("a GIF of 3,000 frames", moving(3000), 413),
    Hostile("a BMP", picture("BMP"), 415),
    Hostile("a TIFF", picture("TIFF"), 415),
    Hostile("an icon", picture("ICO"), 415),
    Hostile("an archive", b"PK\x03\x04" + b"\0" * 64, 415),
    Hostile("a program", b"\x7fELF" + b"\0" * 64, 415),
    Hostile("a film", b"\0\0\0\x18ftypmp42" + b"\0" * 64, 415),
    Hostile("a PDF that is none", b"%PDF-1.7\nnothing", 400),
    Hostile("a PDF cut in half", pdfs.document("x" * 500)[:300], 400),
    Hostile("a PDF without an end", b"%PDF-1.7\n" + b"1 0 obj<<" * 1000, 400),
    Hostile("text with a NUL", b"hello\0world", 415),
    Hostile("text that is no UTF-8", b"hello \xff\xfe\xfd world", 415),
    Hostile("text cut within a character", "é".encode()[:1] * 3, 415),
    Hostile("text that turns around", "\u202egnp.exe".encode(), 201, "text/plain"),
    Hostile("a long line of text", b"a" * 3_000_000, 201, "text/plain"),
    Hostile("a script", b"#!/bin/sh\nrm -rf /\n", 201, "text/plain"),
]

# How a file is called, and what it is called then.
NAMES = [
    ("photo.png", "photo.png"),
    ("../../etc/passwd", "passwd"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("/etc/shadow", "shadow"),
    ("a\r\nSet-Cookie: b=c.png", "aSet-Cookie b=c.png"),
    ('a";filename="b.exe', "a;filename=b.exe"),
    ("\u202egnp.exe", "gnp.exe"),
    ("a\u200b\u2066b.png", "ab.png"),
    ("nul\0l.png", "null.png"),
    ("Größe.png", "Größe.png"),
    ("Gro\u0308\u00dfe.png", "Größe.png"),
    ("日本語.png", "日本語.png"),
    ("..", "file.png"),
    ("   ", "file.png"),
    ("", "file.png"),
    ("a" * 300 + ".png", "a" * 116 + ".png"),
    ("a" * 300, "a" * 120),
    ("." * 300, "file.png"),
    ("CON:stream", "CONstream"),
    ("<b>x</b>.png", "b.png"),
]
