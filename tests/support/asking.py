"""Ask a provider, without a server around it: in the test's own thread, nothing patched."""

from __future__ import annotations

from typing import Any

from app.core.messages import ProviderMessage, text_parts
from app.core.runs import ProviderRequest
from app.runs.ports import Piece, Provider


def request_of(*said: tuple[str, str], **fields: Any) -> ProviderRequest:
    """Return a request of these (role, text); one `hi` of the user if there are none."""
    messages = tuple(
        ProviderMessage(role, text_parts(text)) for role, text in said or (("user", "hi"),)
    )
    return ProviderRequest(messages, **{"model": "model-1", **fields})


def ask(provider: Provider, *said: tuple[str, str], **fields: Any) -> list[Piece]:
    """Return all pieces of the reply. Raises RunError."""
    batches = provider.stream(request_of(*said, **fields))
    return [piece for batch in batches for piece in batch]


def joined(pieces: list[Piece]) -> dict[str, Any]:
    """Return what a run keeps of the pieces: the texts joined, the last finish and usage."""
    kept: dict[str, Any] = {"text": "", "reasoning": ""}
    for kind, data in pieces:
        kept[kind] = kept[kind] + data if kind in {"text", "reasoning"} else data
    return kept
