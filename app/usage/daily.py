"""What each owner used on each day: for `/api/usage`, and for the limits of a day. A day is
UTC's."""

from __future__ import annotations

import time
from dataclasses import replace

from app.core.runs import RunRecord
from app.core.usage import Usage, UsedTokens

DAY_S = 86400


def day_of(at: float) -> str:
    """Return the day (`2026-01-31`) of a time in seconds since the epoch."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def until_tomorrow_s(at: float) -> int:
    """Return the whole seconds until the next day begins, at least 1."""
    return DAY_S - int(at % DAY_S)


def used_by(run: RunRecord) -> UsedTokens:
    """Return what a run that has ended used."""
    usage, cost = run.usage or Usage(0, 0), run.cost
    return UsedTokens(
        runs=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        estimated_runs=int(usage.source == "estimated"),
        cost=cost.picos if cost else 0,
        currency=cost.currency if cost else "",
        provider=run.provider,
        model=run.model,
    )


def total(used: list[UsedTokens]) -> UsedTokens:
    """Return the sum of what was used; the cost of the currency that comes last by name."""
    currency = max((one.currency for one in used), default="")
    return UsedTokens(
        runs=sum(one.runs for one in used),
        input_tokens=sum(one.input_tokens for one in used),
        output_tokens=sum(one.output_tokens for one in used),
        estimated_runs=sum(one.estimated_runs for one in used),
        cost=sum(one.cost for one in used if one.currency == currency),
        currency=currency,
    )


class UsageLedger:
    """What was used, in memory; not thread-safe, its owner locks."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, ...], UsedTokens] = {}

    def add(self, run: RunRecord, at: float) -> None:
        """Add a run that ended at that time."""
        used = replace(used_by(run), day=day_of(at))
        key = (run.owner, used.day, used.provider, used.model, used.currency)
        before = self._used.get(key)
        sums = total([before, used] if before else [used])
        self._used[key] = replace(sums, day=used.day, provider=used.provider, model=used.model)

    def since(self, owner: str, day: str) -> list[UsedTokens]:
        """Return the owner's sums of that day and later: a day, provider and model each."""
        found = sorted(self._used.items())
        return [used for key, used in found if key[0] == owner and used.day >= day]

    def owners(self) -> set[str]:
        """Return those who used anything."""
        return {key[0] for key in self._used}

    def put(self, owner: str, used: UsedTokens) -> None:
        """Set a sum of the owner's."""
        self._used[(owner, used.day, used.provider, used.model, used.currency)] = used
