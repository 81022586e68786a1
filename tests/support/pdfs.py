"""PDFs made by hand, so that each byte of them can be wrong."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(objects: Mapping[int, bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """Return a PDF of these objects, with a table of where they are."""
    made = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, written in objects.items():
        places[number] = len(made)
        made += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    at, size = len(made), max(objects) + 1
    made += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        made += b"%010d 00000 %s \n" % (places.get(number, 0), b"n" if number in places else b"f")
    return bytes(made + b"trailer << /Size %d %s >>\nstartxref\n%d\n%%%%EOF" % (size, trailer, at))


def stream(data: bytes, said: bytes = b"") -> bytes:
    """Return a stream of these bytes."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), said, data)


def squeezed(data: bytes, times: int = 1) -> bytes:
    """Return a stream of bytes that were deflated, so many times over."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, b"/Filter [%s]" % (b"/FlateDecode " * times))


def swelling(start: bytes, again: bytes, times: int) -> bytes:
    """Return a stream that is the start, and something a great many times; never whole here."""
    squeezer = zlib.compressobj(9)
    made = [squeezer.compress(start)]
    made += [squeezer.compress(again * 1000) for _ in range(times // 1000)]
    return stream(b"".join([*made, squeezer.flush()]), b"/Filter /FlateDecode")


def shown(text: str) -> bytes:
    """Return the content of a page that shows the text."""
    return b"BT /F1 12 Tf 10 100 Td (%s) Tj ET" % text.encode("latin-1")


def page(parent: int, content: int, more: bytes = b"") -> bytes:
    """Return a page."""
    return (
        b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 200 200] /Contents %d 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> %s >>" % (parent, content, more)
    )


def pages(contents: Sequence[bytes]) -> dict[int, bytes]:
    """Return the objects of a document with a page for each of these streams."""
    numbers = [4 + 2 * index for index in range(len(contents))]
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(contents), kids),
        3: FONT,
    }
    for number, content in zip(numbers, contents, strict=True):
        objects |= {number: page(2, number + 1), number + 1: content}
    return objects


def document(*texts: str) -> bytes:
    """Return a PDF with a page for each of the texts."""
    return pdf(pages([stream(shown(text)) for text in texts]))
