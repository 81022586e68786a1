"""The process that reads one PDF: bounds first, then the bytes of its input; what it finds goes out
line by line, so that what was read before a bound is not lost."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import time
from typing import Any

SOFT_SHARE = 0.8  # of the time, after which no further page is begun
TOO_MUCH = "it takes too much time or memory to read"
BROKEN = "it is no PDF that can be read"


class Unfit(Exception):
    """Why it is not taken."""


def say(**fields: Any) -> None:
    """Write a line."""
    line = json.dumps(fields).encode() + b"\n"
    while line:
        line = line[os.write(1, line) :]


def bound(bounds: dict[str, Any]) -> None:
    """Have this process ended when it takes more than it may."""
    signal.setitimer(signal.ITIMER_REAL, bounds["wall_s"])
    resource.setrlimit(resource.RLIMIT_CPU, (bounds["cpu_s"], bounds["cpu_s"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (bounds["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def opened(data: bytes, most_pages: int) -> Any:
    """Return the reader of a PDF that is fit. Raises Unfit."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        raise Unfit("it is encrypted: save it without a password")
    pages: Any = reader.root_object["/Pages"].get_object()
    told = pages.get("/Count", 0)
    if (isinstance(told, int) and told > most_pages) or len(reader.pages) > most_pages:
        raise Unfit(f"it has more than {most_pages} pages")
    if not len(reader.pages):
        raise Unfit("it has no pages")
    reader.pages[0]
    return reader


def tell_texts(reader: Any, most_bytes: int, until: float) -> None:
    """Say each page's text, as far as there is room and time."""
    left = most_bytes
    for page in reader.pages:
        if left <= 0 or time.process_time() > until:
            return
        try:
            text = page.extract_text()
        except MemoryError:
            return
        except Exception:  # whatever is wrong with a page, the others may be well
            text = "[this page cannot be read]"
        raw = text.replace("\0", "").encode("utf-8", "replace")
        said = raw[:left].decode("utf-8", "ignore").strip()
        left -= len(raw)
        say(text=said if left >= 0 else f"{said}\n[{-left} bytes of this page are left out]")


def main() -> None:
    """Do what the arguments ask."""
    what, bounds = sys.argv[1], json.loads(sys.argv[2])
    bound(bounds)
    data = sys.stdin.buffer.read()
    try:
        reader = opened(data, bounds["pages"])
        say(pages=len(reader.pages))
        if what == "text":
            tell_texts(reader, bounds["text_bytes"], bounds["cpu_s"] * SOFT_SHARE)
        say(end=True)
    except Unfit as error:
        say(fault=str(error))
    except MemoryError:
        say(fault=TOO_MUCH)
    except Exception as error:  # what a broken file makes of its reader is anything
        say(fault=TOO_MUCH if type(error).__name__ == "LimitReachedError" else BROKEN)


if __name__ == "__main__":
    main()
    os._exit(0)  # a large heap takes a while to give back
