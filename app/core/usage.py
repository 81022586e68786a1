"""Usage: how many tokens a run took, reported by the provider or, failing that, estimated by us;
and what they cost.

Money is counted in whole picos, 10**-12 of the currency, so that products and sums are exact, in a
database too. 64 bits hold nine million of the currency."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

BYTES_PER_TOKEN = 4  # the usual rule of thumb for English; marked `estimated` because it is one


def estimate_tokens(text: str) -> int:
    """Return about how many tokens `text` is; 0 only for the empty text."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


MOST_OF_IMAGE = 1600  # what vendors count at most, or about, for one
PIXELS_PER_TOKEN = 750
PER_PAGE = 600  # of a PDF
BYTES_PER_PAGE = 60_000  # of one whose pages nobody has counted


def estimate_part(part: Mapping[str, Any]) -> int:
    """Return about how many tokens a part of a message is that is no text. Bytes that are in it,
    which a model sees as a picture or as text, never count as they are written."""
    if part["type"] in {"image", "attachment"}:
        pixels: int = part.get("width", 0) * part.get("height", 0)
        return min(MOST_OF_IMAGE, -(-pixels // PIXELS_PER_TOKEN)) or MOST_OF_IMAGE
    if part["type"] != "file":
        return estimate_tokens(json.dumps(part))
    size: int = part.get("bytes", len(part.get("data", "")) * 3 // 4)
    if part.get("media_type") == "application/pdf":
        return PER_PAGE * (part.get("pages") or -(-size // BYTES_PER_PAGE))
    return -(-size // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in and out; `source` says whether the provider counted or we guessed."""

    input_tokens: int
    output_tokens: int
    source: str = "reported"

    @classmethod
    def estimated(cls, prompt: str, reply: str) -> Usage:
        """Return a guess from the texts' sizes."""
        return cls(estimate_tokens(prompt), estimate_tokens(reply), "estimated")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """Return the usage that `to_json` wrote."""
        return cls(int(data["input_tokens"]), int(data["output_tokens"]), str(data["source"]))

    def to_json(self) -> dict[str, Any]:
        """Return the wire's `usage` object."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "source": self.source,
        }


MOST = 2**62  # what a store's integers hold; no bill, but a provider may claim any usage
PICOS = 10**12  # of one unit of the currency


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount in picos of a currency; `estimated` if the tokens were not counted by the
    provider."""

    picos: int
    currency: str
    estimated: bool = False

    @property
    def amount(self) -> Decimal:
        """The amount in the currency itself, exact."""
        return Decimal(self.picos).scaleb(-12)

    def __add__(self, other: Cost) -> Cost:
        """Return the sum. Raises ValueError for two currencies."""
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} have no sum")
        estimated = self.estimated or other.estimated
        return Cost(self.picos + other.picos, self.currency, estimated)

    def stored(self) -> dict[str, Any]:
        """Return what a store keeps: the constructor's arguments."""
        picos = min(self.picos, MOST)
        return {"picos": picos, "currency": self.currency, "estimated": self.estimated}

    def to_json(self) -> dict[str, Any]:
        """Return the wire's object; the amount is a string, since JSON's numbers are not exact."""
        amount = f"{self.amount:f}"
        shown = amount.rstrip("0").rstrip(".") if "." in amount else amount
        return {"amount": shown, "currency": self.currency, "estimated": self.estimated}


CostOf = Callable[[str, str, Usage], Cost | None]


def no_cost(provider: str, model: str, usage: Usage) -> Cost | None:
    """Return None: no prices are known."""
    return None


@dataclass(frozen=True, slots=True)
class UsedTokens:
    """Sums over runs that have ended; `cost` is in picos of the currency, '' where no price is
    known."""

    runs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated_runs: int = 0
    cost: int = 0
    currency: str = ""
    day: str = ""
    provider: str = ""
    model: str = ""

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens

    def to_json(self) -> dict[str, Any]:
        """Return the sums as the wire shows them; `source` as in a run's usage."""
        cost = Cost(self.cost, self.currency, bool(self.estimated_runs)) if self.currency else None
        return {
            "runs": self.runs,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "source": "estimated" if self.estimated_runs else "reported",
            "cost": cost.to_json() if cost else None,
        }
