"""The providers of the model servers that are set up: which class speaks to which, and why.

An OpenAI-compatible endpoint is used where it does the whole job. Ollama's does: it gives usage,
finish reasons and thinking (`delta.reasoning`). Google's does not: see google.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.providers.google import GoogleProvider
from app.providers.http_stream import ReaderOf, no_reader
from app.providers.openai_compatible import OpenAICompatible
from app.providers.whole import StreamOrWhole

# Every server there is a provider for, and the setting that one without it lacks; in the order
# they are chosen in.
LACKS = {"openai": "OPENAI_API_KEY", "google": "GEMINI_API_KEY", "local": "LOCAL_LLM_URL"}


@dataclass(frozen=True, slots=True)
class ModelServer:
    """One server: its key if it needs one, its address, the model asked for by default."""

    api_key: str
    base_url: str
    model: str
    max_tokens_field: str = ""  # of OpenAI-compatible ones; "" goes by the address


def make_providers(
    servers: Mapping[str, ModelServer],
    read_timeout_s: float,
    max_reply_bytes: int,
    connect_timeout_s: float = 5.0,
    reader_of: ReaderOf = no_reader,
) -> dict[str, StreamOrWhole]:
    """Return a provider for each of these servers, in the order of LACKS."""
    bounds = {
        "connect_timeout_s": connect_timeout_s,
        "read_timeout_s": read_timeout_s,
        "max_reply_bytes": max_reply_bytes,
        "reader_of": reader_of,
    }
    return {name: _make(name, servers[name], bounds) for name in LACKS if name in servers}


def _make(name: str, server: ModelServer, bounds: dict[str, Any]) -> StreamOrWhole:
    where = (server.api_key, server.base_url, server.model)
    if name == "google":
        return GoogleProvider(name, *where, **bounds)
    field = "max_tokens" if name == "local" else server.max_tokens_field
    return OpenAICompatible(name, *where, max_tokens_field=field, **bounds)
