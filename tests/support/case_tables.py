"""All the cases of all wires."""

from __future__ import annotations

from app.providers.anthropic.chunks import MessageChunks
from app.providers.google.chunks import GeminiChunks
from app.providers.openai.chunks import CompletionChunks
from app.providers.wire.chunks import StreamChunks
from tests.support import anthropic_cases, call_cases, cases

CASES = [*cases.CASES, *anthropic_cases.texts()]
CALL_CASES = (*call_cases.CALL_CASES, *anthropic_cases.calls())


def chunks_of(wire: str, first_call: int = 1, vendor: str = "") -> StreamChunks:
    """Return what reads that wire."""
    if wire == "google":
        return GeminiChunks(first_call, vendor)
    if wire == "anthropic":
        return MessageChunks(first_call, vendor)
    return CompletionChunks(wire == "local", first_call, vendor)
