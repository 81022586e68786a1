"""PDFs, by the process that reads them: what is found in good ones, how hostile ones end."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import replace

import pytest

from app.attachments.pdfs import BOUNDS, BadPdf, inspect, text_of
from tests.support.pdfs import document, page, pages, pdf, shown, squeezed, stream, swelling

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
SHORT = replace(BOUNDS, cpu_s=2, wall_s=5.0)
BROKEN = "it is no PDF that can be read"
TOO_MUCH = "it takes too much time or memory to read"
GOOD = document("one", "two")


def test_pages_are_counted() -> None:
    assert inspect(GOOD) == 2


def test_each_page_has_its_mark() -> None:
    assert text_of(document("Hello", "", "the end")) == (
        "[page 1]\nHello\n\n[page 2]\n\n\n[page 3]\nthe end"
    )


def test_text_beyond_the_bound_is_named() -> None:
    said = text_of(document("abcdefgh", "ijklmnop", "q"), replace(BOUNDS, text_bytes=12))

    assert said == (
        "[page 1]\nabcdefgh\n\n[page 2]\nijkl\n[4 bytes of this page are left out]\n\n"
        "[the last 1 of 3 pages are left out]"
    )


def test_nothing_of_the_server_is_there_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the process has no keys: read where the kernel shows it."""
    monkeypatch.setenv("OPENAI_API_KEY", "hush")
    before = os.listdir("/proc/self/fd")
    assert inspect(GOOD) == 2
    assert os.listdir("/proc/self/fd") == before


def in_a_circle() -> bytes:
    return pdf({1: CATALOG, 2: b"<< /Type /Pages /Count 2 /Kids [2 0 R 2 0 R] >>"})


def deep_kids(depth: int) -> bytes:
    objects = {1: CATALOG}
    for number in range(2, depth):
        objects[number] = b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (number + 1)
    return pdf({**objects, depth: page(depth - 1, 3)})


def widening(levels: int) -> bytes:
    """A tree whose every node has the next ten times: 10**levels pages in a few lines."""
    objects = {1: CATALOG}
    for number in range(2, levels + 2):
        kids = b"%d 0 R " % (number + 1) * 10
        objects[number] = b"<< /Type /Pages /Count 10 /Kids [%s] >>" % kids
    return pdf({**objects, levels + 2: page(levels + 1, 1)})


def many_pages(count: int, told: int) -> bytes:
    kids = b"3 0 R " * count
    return pdf(
        {
            1: CATALOG,
            2: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (told, kids),
            3: page(2, 4),
            4: stream(b""),
        }
    )


def xref_in_a_circle() -> bytes:
    made = document("a")
    at = made.rindex(b"xref\n0", 0, made.rindex(b"startxref"))
    return made.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % at)


def encrypted() -> bytes:
    filter_ = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>" % (b"00" * 32, b"11" * 32)
    return pdf(
        pages([stream(shown("hush"))]),
        b"/Root 1 0 R /Encrypt << %s >> /ID [<00> <00>]" % filter_,
    )


def objects_squeezed() -> bytes:
    """The pages are in a stream of objects that grows a thousandfold."""
    made = swelling(b"2 0 ", b" " * 100, 4_000_000)
    return pdf({1: CATALOG, 5: made.replace(b"<< ", b"<< /Type /ObjStm /N 1 /First 4 ", 1)})


HOSTILE = {
    "nothing": b"",
    "a head": b"%PDF-1.7\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    "noise": b"%PDF-1.7\n" + bytes(range(256)) * 4000 + b"\nstartxref\n9\n%%EOF",
    "no root": pdf({1: b"<< >>"}, b""),
    "no pages": pdf({1: CATALOG, 2: b"<< /Type /Pages /Count 0 /Kids [] >>"}),
    "pages of no kind": pdf({1: CATALOG, 2: b"[1 2 3]"}),
    "the catalog is itself": pdf({1: b"1 0 R"}),
    "pages in a circle": in_a_circle(),
    "pages deep in pages": deep_kids(20_000),
    "pages that widen": widening(9),
    "100,000 pages": many_pages(100_000, 100_000),
    "100,000 pages, said to be one": many_pages(100_000, 1),
    "said to have two billion pages": many_pages(1, 2_000_000_000),
    "encrypted": encrypted(),
    "brackets without end": b"%PDF-1.7\n1 0 obj\n" + b"[" * 1_000_000 + b"\nstartxref\n9\n%%EOF",
    "dictionaries without end": pdf({1: b"<< /A " * 200_000}),
    "objects that grow": objects_squeezed(),
    "half of one": GOOD[:200],
    "cut before its table": GOOD[: GOOD.index(b"xref\n0")],
}
REASONS = {
    "encrypted": "it is encrypted: save it without a password",
    "100,000 pages": "it has more than 3000 pages",
    "said to have two billion pages": "it has more than 3000 pages",
    "no pages": "it has no pages",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", [inspect, text_of])
def test_a_hostile_file_ends_in_a_clear_refusal(read: object, name: str) -> None:
    started = time.monotonic()
    with pytest.raises(BadPdf) as refused:
        read(HOSTILE[name], SHORT)  # type: ignore[operator]

    words = str(refused.value)
    assert words == REASONS.get(name, words)
    assert words in {BROKEN, TOO_MUCH, *REASONS.values()} or words.startswith("it has more than")
    assert time.monotonic() - started < SHORT.wall_s + 3


XREF_WRONG = GOOD.replace(b"startxref\n", b"startxref\n9999")


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (XREF_WRONG, 2),
        (xref_in_a_circle(), 1),
        (b"\r\n  " + GOOD, 2),
    ],
    ids=["a wrong table", "tables in a circle", "something before it"],
)
def test_what_others_read_too_is_read(data: bytes, count: int) -> None:
    assert inspect(data, SHORT) == count


@pytest.mark.parametrize(
    "content",
    [
        swelling(b"", b"q " * 100, 2_000_000),
        squeezed(b"\0" * 50_000_000, times=2),
        stream(b"", b"/Filter /FlateDecode"),
        stream(b"BT " + b"(" * 500_000),
        stream(b"[" * 300_000),
        swelling(b"BT /F1 12 Tf ", b"(a) Tj ", 3_000_000),
        b"5 0 R",
    ],
    ids=["a bomb", "a bomb in a bomb", "an empty one", "strings", "arrays", "many texts", "itself"],
)
def test_a_hostile_page_costs_no_more_than_is_allowed(content: bytes) -> None:
    """Its file has pages, so it is taken; of its text there is what could be read in time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    data = pdf(pages([content, stream(shown("after"))]))
    assert inspect(data, SHORT) == 2
    try:
        said = text_of(data, SHORT)
    except BadPdf as error:
        said = str(error)
        assert said == TOO_MUCH
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert len(said) <= BOUNDS.text_bytes + 1000
    assert after.ru_utime - before.ru_utime < 2 * SHORT.cpu_s + 2


def test_a_process_that_hangs_is_ended_by_its_own_clock() -> None:
    with pytest.raises(BadPdf, match=TOO_MUCH):
        inspect(GOOD, replace(BOUNDS, wall_s=0.01))


def test_memory_is_bounded() -> None:
    with pytest.raises(BadPdf):
        inspect(GOOD + b"\0" * 20_000_000, replace(BOUNDS, memory_bytes=20_000_000))
