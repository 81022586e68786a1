"""How much one owner may use in a day: a new run is refused once the day's sums have reached it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from app.core.errors import RateLimited
from app.core.usage import PICOS, UsedTokens
from app.usage.daily import day_of, total, until_tomorrow_s

ReadUsage = Callable[[str, str], list[UsedTokens]]  # (owner, since day)


class DailyAmounts(Protocol):
    """What one day allows a user; 0 means no limit."""

    @property
    def daily_tokens_per_user(self) -> int: ...

    @property
    def daily_cost_per_user(self) -> Decimal:
        """In the currency of the prices."""


class DailyLimits:
    """Refuses who has used up a day's amounts."""

    def __init__(self, amounts: DailyAmounts) -> None:
        self._tokens = amounts.daily_tokens_per_user
        self._cost = amounts.daily_cost_per_user

    def check(self, owner: str, now: float, used_since: ReadUsage) -> None:
        """Raise RateLimited, until the next day begins, if the owner has used up the day's."""
        if not self._tokens and not self._cost:
            return
        used = total(used_since(owner, day_of(now)))
        if self._tokens and used.tokens >= self._tokens:
            what = f"the {self._tokens} tokens"
        elif self._cost and used.cost >= self._cost * PICOS:
            what = f"the {self._cost} {used.currency}"
        else:
            return
        raise RateLimited(
            f"You have used {what} that one day allows. The next day begins at 00:00 UTC.",
            retry_after_s=until_tomorrow_s(now),
        )
