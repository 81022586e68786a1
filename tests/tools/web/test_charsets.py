"""Bytes as text: by the mark, by what is said, by what they look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.web.charsets import decoded


@pytest.mark.parametrize(
    "body,content_type,text",
    [
        (b"caf\xc3\xa9", "text/html", "café"),
        (b"caf\xe9", "text/html", "café"),
        (b"caf\xe9", "text/html; charset=ISO-8859-1", "café"),
        (b"\x80 \x93x\x94", "text/html; charset=latin1", "€ “x”"),  # Windows-1252, as meant
        (b"\x80", "text/html;charset=us-ascii", "€"),
        (b"caf\xc3\xa9", 'text/html; charset="UTF-8"; x=y', "café"),
        (b"\xcf\xf0\xe8", "text/html; charset=windows-1251", "При"),
        (b"\x93\xfa\x96{", "text/html; charset=Shift_JIS", "日本"),
        (b"\xc4\xe3", "text/html; charset=gb2312", "你"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "text/html; charset=latin1", "café"),
        ("é".encode("utf-16"), "text/html", "é"),
        (b"\xfe\xff\x00\xe9", "text/html", "é"),
        (b"\xe9\x00", "text/html; charset=utf-16", "é"),
        (b"<meta charset=windows-1251>\xcf", "text/html", "<meta charset=windows-1251>П"),
        (
            b'<meta http-equiv=x content="text/html; charset=koi8-r">\xf0',
            "text/html",
            '<meta http-equiv=x content="text/html; charset=koi8-r">П',
        ),
        (b'<?xml encoding="koi8-r"?>\xf0', "text/html", '<?xml encoding="koi8-r"?>П'),
        (b"<meta charset=koi8-r>\xc3\xa9", "text/html; charset=utf-8", "<meta charset=koi8-r>é"),
        (b"<meta charset=utf-16>\xc3\xa9", "text/html", "<meta charset=utf-16>é"),
        (b"caf\xc3\xa9 \xff", "text/html; charset=utf-8", "café \ufffd"),
    ],
)
def test_charsets(body: bytes, content_type: str, text: str) -> None:
    assert decoded(body, content_type, True) == text


def test_a_page_that_is_cut_may_end_within_a_character() -> None:
    assert decoded("café €".encode()[:-1], "text/html", True, is_cut=True) == "café "
    assert decoded(b"caf\xe9", "text/html", True, is_cut=True) == "caf"


# Python has codecs by these names that are no charsets of pages, or take forever.
ODD = (
    "idna punycode unicode_escape raw_unicode_escape utf-7 undefined mbcs oem hex rot13 zlib "
    "base64 bz2 utf-32 utf-16-le\x00 cp037 none x-user-defined ../../x ; '' charset=utf-8"
).split(" ")


@pytest.mark.parametrize("name", [*ODD, "a" * 5000, "é"])
def test_a_charset_that_is_none_counts_as_not_said(name: str) -> None:
    assert decoded(b"caf\xc3\xa9 +AGE-", f"text/html; charset={name}", True) == "café +AGE-"
    meta = f"<meta charset={name}>".encode()
    assert decoded(meta + "é".encode(), "text/html", True).endswith("é")


def test_a_text_that_is_no_markup_says_nothing_of_itself() -> None:
    assert decoded(b"<meta charset=koi8-r>\xc3\xa9", "text/plain", False).endswith("é")


@given(st.binary(max_size=400), st.text(max_size=40))
def test_any_bytes_are_some_text(body: bytes, said: str) -> None:
    decoded(body, f"text/html; charset={said}", True)
