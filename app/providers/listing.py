"""The models that servers list: asked once the server runs, and again when that is old."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from app.core.run_errors import RunError
from app.runs.ports import Runtime

log = logging.getLogger(__name__)
MOST_MODELS = 1000
MAX_NAME = 256
MAX_LIST_BYTES = 4_000_000
PATIENCE_S = 10.0  # for one server's list
AGAIN_S = 60.0  # after one that could not be had


@runtime_checkable
class Lister(Protocol):
    """Who has a list of models: an ability, not a duty."""

    def list_models(self) -> Sequence[str]:
        """Return their names, as a request has them. Raises RunError, ValueError for an answer
        that is no list."""


def names_in(listed: Any, key: str, field: str) -> list[str]:
    """Return the names that a list's entries have under `field`, each once. Raises ValueError."""
    entries = listed.get(key) if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list of models")
    names = (entry.get(field) for entry in entries if isinstance(entry, dict))
    found = (name for name in names if isinstance(name, str) and 0 < len(name) <= MAX_NAME)
    return list(dict.fromkeys(name for name in found if name.isprintable()))[:MOST_MODELS]


class ModelLists:
    """Each server's list, as it was last had. One that cannot be had keeps the one before."""

    def __init__(
        self,
        listers: Mapping[str, Lister],
        ttl_s: float,
        runtime: Runtime,
        monotonic: Callable[[], float],
    ) -> None:
        """A `ttl_s` of 0: nobody is asked."""
        self._listers = listers if ttl_s else {}
        self._ttl_s = ttl_s
        self._runtime = runtime
        self._monotonic = monotonic
        self._lists: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, float] = dict.fromkeys(self._listers, 0.0)
        self._failing: set[str] = set()

    def of(self, name: str) -> tuple[str, ...]:
        """Return the models of the provider of that name, as far as they are known."""
        return self._lists.get(name, ())

    def takes_images(self, name: str, model: str) -> bool | None:
        """Return whether that provider's server says that the model takes pictures."""
        sights: Mapping[str, bool] = getattr(self._listers.get(name), "sights", {})
        return sights.get(model)

    def refresh(self) -> None:
        """Ask those whose list is old, each in a task of its own: nobody waits for them."""
        now = self._monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            self._due[name] = now + self._ttl_s  # before it answers: it is asked once
            self._runtime.spawn(self._ask, name)

    def _ask(self, name: str) -> None:
        try:
            with self._runtime.deadline(PATIENCE_S):
                listed = tuple(self._listers[name].list_models())
        except (RunError, ValueError, OSError) as error:
            self._due[name] = min(self._due[name], self._monotonic() + AGAIN_S)
            self._note(name, getattr(error, "code", type(error).__name__))
            return
        self._lists[name] = listed
        self._failing.discard(name)

    def _note(self, name: str, why: str) -> None:
        """Log a failure once, until there is a list again."""
        if name not in self._failing:
            self._failing.add(name)
            log.info("models are not listed", extra={"provider": name, "reason": why})
