"""Prices: what tokens cost, from a file that the operator owns; pure.

Money is counted in whole picos, 10**-12 of the currency: a price per million tokens with six
decimals is a whole number of them per token, so that products and sums are exact, in a database
too. 64 bits hold nine million of the currency.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.core.usage import Cost, Usage

DECIMALS = 6  # of a price per million tokens
HIGHEST = 1_000_000  # a price per million tokens over that is a slip


@dataclass(frozen=True, slots=True)
class Price:
    """Picos a token."""

    input: int
    output: int


class Prices:
    """The prices of a file. A key is a model, or provider/model; a `*` at its end stands for any
    rest."""

    def __init__(self, currency: str = "USD", models: Mapping[str, Price] | None = None) -> None:
        self.currency = currency
        models = models or {}
        self._exact = {key: price for key, price in models.items() if not key.endswith("*")}
        prefixes = [(key[:-1], price) for key, price in models.items() if key.endswith("*")]
        self._prefixes = sorted(prefixes, key=lambda entry: len(entry[0]), reverse=True)

    @classmethod
    def from_text(cls, text: str) -> Prices:
        """Return the prices of a TOML file, or a JSON one if it begins with a brace.

        Raises ValueError, naming the line or the key.
        """
        data = _parsed(text)
        for key in data.keys() - {"currency", "models"}:
            raise ValueError(f"{key}: unknown; there are currency and models")
        currency = data.get("currency")
        if not (isinstance(currency, str) and len(currency) == 3 and currency.isupper()):
            raise ValueError('currency: must be three capital letters, like "USD"')
        models = data.get("models")
        if not isinstance(models, dict) or not models:
            raise ValueError('models: must have a table a model, like [models."gpt-5-mini"]')
        return cls(currency, {key: _price(key, entry) for key, entry in models.items()})

    def cost(self, provider: str, model: str, usage: Usage) -> Cost | None:
        """Return what that usage costs, None for a model without a price."""
        price = self._find(provider, model)
        if price is None:
            return None
        picos = usage.input_tokens * price.input + usage.output_tokens * price.output
        return Cost(picos, self.currency, usage.source != "reported")

    def _find(self, provider: str, model: str) -> Price | None:
        """An exact key goes before a prefix, a longer prefix before a shorter one, and
        provider/model before model."""
        names = (f"{provider}/{model}", model)
        for name in names:
            if name in self._exact:
                return self._exact[name]
        for prefix, price in self._prefixes:
            if any(name.startswith(prefix) for name in names):
                return price
        return None


def _parsed(text: str) -> dict[str, Any]:
    text = text.removeprefix("\ufeff")
    try:
        if text.lstrip().startswith("{"):
            data = json.loads(text, parse_float=Decimal, object_pairs_hook=_without_twins)
        else:
            data = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"cannot be read: {error}") from None  # it says the line
    except RecursionError:
        raise ValueError("cannot be read: nested too deep") from None
    assert isinstance(data, dict)  # both begin with an object
    return data


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows a key twice and takes the last; for a price that is a slip. TOML refuses it."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key}: is there twice")
        found[key] = value
    return found


def _price(key: str, entry: Any) -> Price:
    where = f'models."{key}"'
    if not key or "*" in key[:-1]:
        raise ValueError(f"{where}: a * may stand at the end alone")
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must have input and output")
    for name in entry.keys() - {"input", "output"}:
        hint = "; a name with a dot in it needs quotes" if isinstance(entry[name], dict) else ""
        raise ValueError(f"{where}.{name}: unknown; there are input and output{hint}")
    return Price(*(_picos(f"{where}.{name}", entry.get(name)) for name in ("input", "output")))


def _picos(where: str, written: Any) -> int:
    """Return picos a token: millionths of the price per million tokens."""
    allowed = f"must be a number from 0 to {HIGHEST}, of at most {DECIMALS} decimals"
    if isinstance(written, bool) or not isinstance(written, (int, Decimal)):
        raise ValueError(f"{where}: {allowed}")
    price = Decimal(written)
    if not price.is_finite() or not 0 <= price <= HIGHEST:
        raise ValueError(f"{where}: {allowed}")
    rounded = price.quantize(Decimal(1).scaleb(-DECIMALS))
    if rounded != price:
        raise ValueError(f"{where}: {allowed}")
    return int(rounded.scaleb(DECIMALS))
