"""What settings name: files, and callables of modules."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.settings.load import BadSetting


@contextmanager
def reading(setting: str, file: str) -> Iterator[None]:
    """Raise BadSetting where the file that a setting names cannot be read, or understood: OSError,
    ValueError."""
    try:
        yield
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadSetting(f"{setting} is {file!r}: {why}.") from None


def callable_of(setting: str, written: str) -> Callable[..., Any]:
    """Return the callable that a setting names, as `module:callable`. Raises BadSetting."""
    module, _, name = written.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise BadSetting(
            f"{setting} is {written!r}; "
            "it must be `module:callable`, of a module that can be imported."
        )
    made: Callable[..., Any] = found
    return made
