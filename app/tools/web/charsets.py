"""Bytes of a page made text: by its byte-order mark, what the server says, what it says itself,
else as UTF-8, else as Windows-1252, as browsers do (WHATWG Encoding; HTML, 13.2.3)."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEADER = re.compile(r"""charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)
_META = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*["']?([^\s"'/>;]+)""", re.IGNORECASE
)
_LOOK_BYTES = 1024  # where a page has to say it
# By Python's names. The other codecs that it has are no charsets of pages; some take forever.
_KNOWN = {
    *("utf-8", "utf-16-le", "utf-16-be", "gbk", "gb18030", "big5", "euc_jp", "shift_jis", "euc_kr"),
    *("iso2022_jp", "koi8-r", "koi8-u", "cp866", "cp874", "mac-roman", "mac-cyrillic"),
    *(f"cp125{n}" for n in range(9)),
    *(f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
}
# What is said, and what is meant.
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gbk",
    "utf-16": "utf-16-le",
}


def decoded(body: bytes, content_type: str, is_markup: bool, is_cut: bool = False) -> str:
    """Return the text; bytes that are none in its charset are replaced. What is cut may end within
    a character."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    said = _HEADER.search(content_type)
    name = _known(said[1]) if said else ""
    if not name and is_markup and (meta := _META.search(body[:_LOOK_BYTES])):
        name = _known(meta[1].decode("ascii", "replace"))
        if name.startswith("utf-16"):  # it was read as ASCII, so it is not
            name = "utf-8"
    if name:
        return body.decode(name, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body, final=not is_cut)
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _known(label: str) -> str:
    """Return Python's name of a charset that pages may have, else nothing."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    name = _MEANT.get(name, name)
    return name if name in _KNOWN else ""
