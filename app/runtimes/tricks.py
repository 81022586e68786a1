"""Uses of what a library does not promise; each is checked once, at the start.

`checks.py` in a library's folder says what each of its tricks stands on. Where that is not so, the
trick is left out, the library's own way serves, and one line in the log says so.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

log = logging.getLogger(__name__)


def works(library: str, trick: str, instead: str, faults: Callable[[], Iterable[str]]) -> bool:
    """Whether a check finds no faults; if it does, log which, and what is done instead.

    A check that fails is a fault of its own. `library` is the name of its distribution.
    """
    try:
        found = ", ".join(faults())
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    if found:
        line = "%s %s: %s is not as expected (%s); %s"
        log.warning(line, library, version(library), trick, found, instead)
    return not found


def missing(owner: object, names: Mapping[str, int | None]) -> list[str]:
    """Return which of these attributes an object lacks, and which take other arguments.

    The numbers are of positional arguments that a call has; None is for what is not called.
    """
    faults = []
    for name, count in names.items():
        if not hasattr(owner, name):
            faults.append(f"no {name}")
        elif count is not None and not _takes(getattr(owner, name), count):
            faults.append(f"{name} takes other arguments")
    return faults


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # written in C, and does not say
        return True
    return True
