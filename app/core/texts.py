"""What is done with text as people read it: searched, and cut to a title."""

from __future__ import annotations

import unicodedata

TITLE_LENGTH = 60
ZWJ = "\u200d"
SKIN_TONES = range(0x1F3FB, 0x1F400)
TAGS = range(0xE0020, 0xE0080)  # of a flag
REGIONAL = range(0x1F1E6, 0x1F200)  # two of them are a flag
# A Hangul syllable that is written in its parts: what it begins with, and what follows.
LEADING, FOLLOWING = range(0x1100, 0x1160), range(0x1160, 0x1200)
VIRAMA = 9  # the combining class of what joins two consonants of an Indic script


def searchable(text: str) -> str:
    """Return what is the same for texts that differ in case, in how letters are composed, or in
    compatibility forms (Unicode 3.13, D146)."""
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def title_from(text: str, length: int = TITLE_LENGTH) -> str:
    """Return a title from a first message: its first line that has anything to see, cut at a word,
    or between what a reader takes for characters."""
    line = next((" ".join(line.split()) for line in text.splitlines() if _is_seen(line)), "")
    if len(line) <= length:
        return line
    return line[: _end_of_cluster(line, length)].rsplit(" ", 1)[0] + "…"


def _is_seen(line: str) -> bool:
    """Whether there is anything but white space and what formats."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in line)


def _end_of_cluster(text: str, most: int) -> int:
    """Return the last place up to `most` that is inside no grapheme cluster (UAX 29); `most` itself
    where there is none."""
    return next((at for at in range(most, 0, -1) if not _joined(text, at)), most)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after that place belong together."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or after == ZWJ or before == ZWJ:
        return True
    if unicodedata.combining(before) == VIRAMA and after.isalpha():
        return True
    code = ord(after)
    if code in SKIN_TONES or code in TAGS:
        return True
    if code in REGIONAL:
        start = at
        while start and ord(text[start - 1]) in REGIONAL:
            start -= 1
        return (at - start) % 2 == 1
    if code in FOLLOWING:
        return ord(before) in LEADING or ord(before) in FOLLOWING
    return code in LEADING and ord(before) in LEADING
