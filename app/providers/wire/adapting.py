"""What a server refused to be asked, remembered for each model: so it is asked otherwise."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from app.core.run_errors import RunError

log = logging.getLogger(__name__)
MAX_MODELS = 256  # names come from clients

WHOLE = "whole"  # is asked for whole replies, since it refuses to stream
NO_STREAM_OPTIONS = "no stream_options"
OTHER_LIMIT = "other limit"  # max_tokens and max_completion_tokens, the one for the other
NO_TEMPERATURE = "no temperature"
DEVELOPER = "developer"  # for the system's role
NO_SYSTEM = "no system"  # its text goes before the first message
NO_THOUGHTS = "no thoughts"  # are asked for


class StreamingRefused(Exception):
    """A server refuses to stream that model's replies; `error` is what that means to a client."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.code)
        self.error = error


class Adaptations:
    """One provider's memory; thread-safe. The models least lately learned of are forgotten."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()  # guarded by _lock

    def of(self, model: str) -> frozenset[str]:
        """Return what is known of the model."""
        return self._known.get(model, frozenset())

    def learn(self, model: str, adapted: frozenset[str]) -> None:
        """Remember what the model's requests need, besides what is known; tell the log once."""
        with self._lock:
            known = self._known.get(model, frozenset())
            if adapted <= known:
                return
            self._known[model] = known | adapted
            self._known.move_to_end(model)
            if len(self._known) > MAX_MODELS:
                self._known.popitem(last=False)
        extra = {"provider": self._provider, "model": model, "adapted": sorted(adapted - known)}
        log.warning("the model's server refused a request, and was asked otherwise", extra=extra)

    def all(self) -> dict[str, list[str]]:
        """Return what is known, by model."""
        with self._lock:
            return {model: sorted(adapted) for model, adapted in self._known.items()}
