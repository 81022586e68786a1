"""Usage: reported by the provider, or estimated and marked so."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.usage import Usage, estimate_part, estimate_tokens


@pytest.mark.parametrize(
    "text,tokens", [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("éé", 1), ("🙂", 1), ("🙂!", 2)]
)
def test_four_bytes_count_as_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


BASE64 = "A" * 4_000_000


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image", "width": 10, "height": 10}, 1),
        ({"type": "image", "width": 30, "height": 25}, 1),
        ({"type": "image", "width": 30, "height": 26}, 2),
        ({"type": "image", "width": 1000, "height": 750}, 1000),
        ({"type": "image", "width": 4000, "height": 3000}, 1600),
        ({"type": "image", "url": "https://web.test/a.png"}, 1600),
        ({"type": "image", "data": BASE64}, 1600),
        ({"type": "attachment", "attachment_id": "a"}, 1600),
        ({"type": "file", "media_type": "application/pdf", "bytes": 9, "pages": 7}, 4200),
        ({"type": "file", "media_type": "application/pdf", "bytes": 9}, 600),
        ({"type": "file", "media_type": "application/pdf", "bytes": 60_001}, 1200),
        ({"type": "file", "media_type": "application/pdf", "bytes": 9, "pages": 1,
          "data": BASE64}, 600),
        ({"type": "file", "media_type": "text/plain", "bytes": 9}, 3),
        ({"type": "file", "media_type": "text/plain", "data": "A" * 16}, 3),
        ({"type": "tool_call"}, 6),
    ],
)  # fmt: skip
def test_a_part_counts_as_models_see_it(part: dict[str, Any], tokens: int) -> None:
    assert estimate_part(part) == tokens


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
