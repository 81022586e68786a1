"""Give every provider its retries and its fallbacks; the breakers are shared, one a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.providers.breaker import Breaker
from app.providers.resilient import Guarded, Resilient, RetryRules, Timing
from app.runs.interfaces import Provider


def chained(
    providers: Mapping[str, Provider],
    fallbacks: Sequence[str],
    new_breaker: Callable[[], Breaker],
    rules: RetryRules,
    timing: Timing,
) -> dict[str, Provider]:
    """Return each provider with the fallbacks, less itself, behind it, under its own name.

    Raises ValueError for a fallback that is none of the providers; its text says which are.
    """
    for name in fallbacks:
        if name not in providers:
            raise ValueError(f"names of {', '.join(sorted(providers))}, separated by commas")
    guarded = {name: Guarded(provider, new_breaker()) for name, provider in providers.items()}
    order = dict.fromkeys(fallbacks)  # a name that is there twice counts once
    return {
        name: Resilient(
            [first, *(guarded[other] for other in order if other != name)], rules, timing
        )
        for name, first in guarded.items()
    }
