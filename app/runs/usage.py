"""Usage: how many tokens a run took, reported by the provider or, failing that, estimated by us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BYTES_PER_TOKEN = 4  # the usual rule of thumb for English; marked `estimated` because it is one


def estimate_tokens(text: str) -> int:
    """Return about how many tokens `text` is; 0 only for the empty text."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


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
