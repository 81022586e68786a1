"""Prices: exact sums, the right line for a model, and mistakes that say where they are."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.usage import PICOS, Cost, Usage
from app.usage.prices import Price, Prices

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "prices.example.toml"

PRICE = st.decimals(0, 1_000_000, places=6)
TOKENS = st.integers(0, 2**40)

TOML = """
currency = "EUR"
[models."gpt-5-mini"]
input = 0.25
output = 2
[models."gpt-5*"]
input = 1
output = 1
[models."gpt*"]
input = 2
output = 2
[models."azure/gpt*"]
input = 3
output = 3
[models."azure/gpt-5-mini"]
input = 4
output = 4
"""


def input_price(model: str, provider: str = "openai") -> Decimal | None:
    cost = Prices.from_text(TOML).cost(provider, model, Usage(1_000_000, 0))
    return None if cost is None else cost.amount


@pytest.mark.parametrize(
    "provider,model,price",
    [
        ("openai", "gpt-5-mini", "0.25"),
        ("openai", "gpt-5-mini-2026", "1"),
        ("openai", "gpt-5", "1"),
        ("openai", "gpt-4", "2"),
        ("azure", "gpt-4", "3"),
        ("azure", "gpt-5", "3"),
        ("azure", "gpt-5-mini", "4"),
    ],
)
def test_exact_name_goes_before_the_longest_beginning(
    provider: str, model: str, price: str
) -> None:
    assert input_price(model, provider) == Decimal(price)


@pytest.mark.parametrize("model", ["", "claude", "GPT-5", "a/gpt"])
def test_model_without_a_price_has_no_cost(model: str) -> None:
    assert input_price(model) is None
    assert Prices().cost("openai", model, Usage(1, 1)) is None


def test_star_alone_is_every_model() -> None:
    prices = Prices("USD", {"*": Price(1, 2)})

    assert prices.cost("any", "thing", Usage(3, 4)) == Cost(11, "USD")


def test_cost_says_whether_the_tokens_are_a_guess() -> None:
    prices = Prices.from_text(TOML)
    reported = prices.cost("openai", "gpt-5-mini", Usage(1000, 500))
    guessed = prices.cost("openai", "gpt-5-mini", Usage(1000, 500, "estimated"))

    assert reported is not None and guessed is not None
    assert reported.to_json() == {"amount": "0.00125", "currency": "EUR", "estimated": False}
    assert (reported + guessed).to_json() == {
        **{"amount": "0.0025", "currency": "EUR", "estimated": True}
    }


@pytest.mark.parametrize(
    "picos,shown",
    [(0, "0"), (1, "0.000000000001"), (PICOS, "1"), (120 * PICOS, "120"), (PICOS // 2, "0.5")],
)
def test_amount_is_written_out(picos: int, shown: str) -> None:
    assert Cost(picos, "USD").to_json()["amount"] == shown


def test_currencies_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="EUR and USD"):
        Cost(1, "EUR") + Cost(1, "USD")


@given(PRICE, PRICE, st.lists(st.tuples(TOKENS, TOKENS), max_size=20))
def test_sums_are_exact(
    price_in: Decimal, price_out: Decimal, counted: list[tuple[int, int]]
) -> None:
    text = f'currency = "USD"\n[models.m]\ninput = {price_in:f}\noutput = {price_out:f}\n'
    prices = Prices.from_text(text)
    total = Cost(0, "USD")
    for tokens_in, tokens_out in counted:
        cost = prices.cost("p", "m", Usage(tokens_in, tokens_out))
        assert cost is not None
        total += cost

    tokens = [sum(column) for column in zip(*counted, strict=True)] or [0, 0]
    exact = tokens[0] * int(price_in * 10**6) + tokens[1] * int(price_out * 10**6)
    assert total.picos == exact


def test_json_is_read_too() -> None:
    data = {"currency": "USD", "models": {"m": {"input": 0.1, "output": 0.2}}}
    cost = Prices.from_text(json.dumps(data)).cost("p", "m", Usage(3, 0))

    assert cost == Cost(300_000, "USD")


def test_example_can_be_used() -> None:
    prices = Prices.from_text(EXAMPLE.read_text())

    assert prices.cost("openai", "gpt-4.1", Usage(1, 1)) is not None
    assert prices.cost("demo", "demo", Usage(1, 1)) == Cost(0, "USD")


HEAD = 'currency = "USD"\n'


@pytest.mark.parametrize(
    "text,where",
    [
        ("currency = ", "end of document"),
        ("currency = \n", "line 1"),
        ('currency = "USD"\n[models.a\n', "line 2"),
        ('{"currency": "USD",\n "models": }', "line 2"),
        ("{" * 100_000, "line 1|too deep"),
        ('{"a":' * 100_000, "too deep"),
        ('{"currency":"USD","models":{"m":{"input":1,"output":1,"input":2}}}', "input: .*twice"),
        ("", "currency"),
        ('currency = "usd"', "currency"),
        ("currency = 7", "currency"),
        (HEAD, "models"),
        (HEAD + "models = 7", "models"),
        (HEAD + "prices = 7\n[models.a]\ninput = 1\noutput = 1", "prices: unknown"),
        (HEAD + "[models]\na = 7", 'models."a"'),
        (HEAD + '[models."a*b"]\ninput = 1\noutput = 1', 'models."a\\*b"'),
        (HEAD + "[models.gpt-4.1]\ninput = 1\noutput = 1", 'models."gpt-4".1: .*quotes'),
        (HEAD + "[models.a]\ninput = 1", 'models."a".output'),
        (HEAD + "[models.a]\ninput = 1\noutputs = 1", 'models."a".outputs: unknown'),
        *(
            (HEAD + f"[models.a]\noutput = 1\ninput = {written}", 'models."a".input')
            for written in ("-1", "true", '"1"', "nan", "inf", "1000001", "0.0000001", "1e-99999")
        ),
        (HEAD + f"[models.a]\noutput = 1\ninput = 0.1{'0' * 40}1", 'models."a".input'),
    ],
)
def test_mistake_says_where_it_is(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=where):
        Prices.from_text(text)
