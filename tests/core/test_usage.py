"""Usage: reported by the provider, or estimated and marked so."""

from __future__ import annotations

import pytest

from app.core.usage import Usage, estimate_tokens


@pytest.mark.parametrize(
    "text,tokens", [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("éé", 1), ("🙂", 1), ("🙂!", 2)]
)
def test_four_bytes_count_as_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_lone_surrogate_is_counted_too() -> None:
    assert estimate_tokens("\ud800") == 1


def test_estimate_is_marked_as_one() -> None:
    assert Usage.estimated("question", "answer!!!") == Usage(2, 3, "estimated")


def test_usage_is_reported_unless_said_otherwise() -> None:
    assert Usage(1, 2).source == "reported"


def test_json_is_read_back() -> None:
    usage = Usage(3, 4, "estimated")

    assert usage.to_json() == {"input_tokens": 3, "output_tokens": 4, "source": "estimated"}
    assert Usage.from_json(usage.to_json()) == usage
