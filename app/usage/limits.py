"""How much one owner may use in a day: a new run is refused once the day's sums have reached it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from app.core.errors import RateLimited
from app.core.usage import PICOS, UsedTokens
from app.usage.daily import day_of, total, until_tomorrow_s

ReadUsage = Callable[[str, str], list[UsedTokens]]  # (owner, since day)


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """Tokens, and cost in the currency of the prices; 0 means no limit."""

    tokens: int = 0
    cost: Decimal = Decimal(0)

    def check(self, owner: str, now: float, used_since: ReadUsage) -> None:
        """Raise RateLimited, until the next day begins, if the owner has used up the day's."""
        if not self.tokens and not self.cost:
            return
        used = total(used_since(owner, day_of(now)))
        if self.tokens and used.tokens >= self.tokens:
            what = f"the {self.tokens} tokens"
        elif self.cost and used.cost >= self.cost * PICOS:
            what = f"the {self.cost} {used.currency}"
        else:
            return
        raise RateLimited(
            f"You have used {what} that one day allows. The next day begins at 00:00 UTC.",
            retry_after_s=until_tomorrow_s(now),
        )
