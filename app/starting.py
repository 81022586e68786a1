"""What a person sees when the server starts, or cannot."""

from __future__ import annotations

import gc
import resource
import sys

from app.listening import is_address_in_use

# Garbage is looked for when there are that many more; a request leaves hundreds. Python's own 700
# cost a start 4 % of its time.
YOUNG_OBJECTS = 5000


def raise_file_limit() -> int:
    """Raise the limit of open files to the hard one (each viewer is one); return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft  # macOS refuses what it calls unlimited
    return hard


def spare_what_stays() -> None:
    """Leave all that exists now out of the garbage collector's rounds.

    Modules, models and tables are a quarter of a million objects that never die. Looked through in
    the middle of many replies they held up every stream, measured: for 75 to 160 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def refuse(reason: str) -> int:
    """Say why the server cannot start; return the exit code."""
    print(f"Tandem cannot start. {reason}", file=sys.stderr)
    return 2


def explain(error: OSError, host: str, port: int) -> str:
    """Return what to do about a start that the system refused."""
    if is_address_in_use(error):
        airplay = " (macOS keeps 5000 for AirPlay Receiver)" if port == 5000 else ""
        advice = f"PORT={port + 1} make run"
        return f"Port {port} is in use{airplay}. Stop what uses it, or try: {advice}"
    return f"{error.strerror or error}: {error.filename or host}"
