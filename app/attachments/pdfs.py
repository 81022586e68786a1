"""PDFs, which are read in a process of its own: what reads them is large, and what they are may be
hostile. Memory, times, pages and texts have bounds.

To be called in a thread that may block. What eventlet and gevent put in place of `subprocess` and
of functions of `os` is for green tasks, not for such a thread: `posix` is left as it was.
"""

from __future__ import annotations

import json
import os
import posix
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]  # of `app`
MAX_PAGES = 3000
MAX_TEXT_BYTES = 2_000_000  # UTF-8, of all pages
MAX_MEMORY_BYTES = 768 * 2**20  # of addresses, the interpreter's own included
MAX_CPU_S = 20
MAX_WALL_S = 40
# As `python -m app.attachments.pdf_child`, with what we are made of wherever that is.
PROGRAM = (
    "import json, runpy, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "runpy.run_module('app.attachments.pdf_child', run_name='__main__', alter_sys=True)"
)
READ_BYTES = WRITE_BYTES = 2**16
OTHER_BYTES = 2**20  # of what is answered besides texts
GAVE_UP = "it takes too much time or memory to read"


class BadPdf(ValueError):
    """A PDF that cannot be read; its text is for who sent it, and goes on from "the file"."""


@dataclass(frozen=True, slots=True)
class PdfBounds:
    """What reading one may take: seconds, bytes, pages."""

    memory_bytes: int = MAX_MEMORY_BYTES
    cpu_s: int = MAX_CPU_S
    wall_s: float = MAX_WALL_S
    pages: int = MAX_PAGES
    text_bytes: int = MAX_TEXT_BYTES


BOUNDS = PdfBounds()


@dataclass(slots=True)
class _Read:
    """What was told of a PDF until its reader ended."""

    pages: int | None = None
    texts: list[str] = field(default_factory=list)
    fault: str = ""
    ended: bool = False


def inspect(data: bytes, bounds: PdfBounds = BOUNDS) -> int:
    """Return the number of pages. Raises BadPdf for one that is broken, encrypted or too large."""
    read = _read("inspect", data, bounds)
    if read.fault or read.pages is None:
        raise BadPdf(read.fault or GAVE_UP)
    return read.pages


def text_of(data: bytes, bounds: PdfBounds = BOUNDS) -> str:
    """Return the text, a mark before each page's; what was too much is named in its place. Raises
    BadPdf where nothing can be read."""
    read = _read("text", data, bounds)
    if read.pages is None or (not read.texts and not read.ended):
        raise BadPdf(read.fault or GAVE_UP)
    pages = [f"[page {number}]\n{text}" for number, text in enumerate(read.texts, 1)]
    if missing := read.pages - len(pages):
        pages.append(f"[the last {missing} of {read.pages} pages are left out]")
    return "\n\n".join(pages)


def _read(what: str, data: bytes, bounds: PdfBounds) -> _Read:
    read = _Read()
    for line in _answer(what, data, bounds).split(b"\n"):
        try:
            said = json.loads(line)
        except ValueError:
            continue  # cut off where its reader was ended
        match said:
            case {"pages": pages}:
                read.pages = pages
            case {"text": text}:
                read.texts.append(text)
            case {"fault": fault}:
                read.fault = fault
            case {"end": _}:
                read.ended = True
    return read


def _answer(what: str, data: bytes, bounds: PdfBounds) -> bytes:
    """Return the lines that the reader writes. It ends itself when its time is over."""
    their_in, our_out = posix.pipe()
    our_in, their_out = posix.pipe()
    pid = 0
    try:
        pid = _started([what, json.dumps(asdict(bounds))], their_in, their_out)
    finally:
        posix.close(their_in)
        posix.close(their_out)
        if not pid:
            posix.close(our_out)
            posix.close(our_in)
    try:
        _give(data, our_out)
        return _take(our_in, 2 * bounds.text_bytes + OTHER_BYTES)
    finally:
        posix.close(our_in)
        # Whoever waits for all children, as libev does, may have waited for this one.
        with suppress(ChildProcessError):
            posix.waitpid(pid, 0)


def _started(arguments: list[str], their_in: int, their_out: int) -> int:
    """Return the id of a new process with these as its input and output, and nothing else of
    ours: no variable of the environment, since keys are among them."""
    places = json.dumps([str(ROOT), *sys.path])
    return posix.posix_spawn(
        sys.executable,
        [sys.executable, "-c", PROGRAM, places, *arguments],
        {},
        file_actions=[
            (posix.POSIX_SPAWN_DUP2, their_in, 0),
            (posix.POSIX_SPAWN_DUP2, their_out, 1),
            (posix.POSIX_SPAWN_OPEN, 2, os.devnull, posix.O_WRONLY, 0),
        ],
        setpgroup=0,  # Ctrl-C in a terminal is the server's to deal with
        setsigdef=[signal.SIGALRM, signal.SIGXCPU],  # which end it
    )


def _give(data: bytes, number: int) -> None:
    """Write all of it, and close; as much as is wanted, if that is less."""
    left = memoryview(data)
    try:
        while left:
            left = left[posix.write(number, left[:WRITE_BYTES]) :]
    except BrokenPipeError:
        pass  # what it answers says why
    finally:
        posix.close(number)


def _take(number: int, most: int) -> bytes:
    """Return what comes until the end; no more than so many bytes."""
    found = bytearray()
    while len(found) < most and (data := posix.read(number, READ_BYTES)):
        found += data
    return bytes(found)
