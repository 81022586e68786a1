"""What all providers are set up with; each vendor's own settings are in its file."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from annotated_types import Unit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.providers.wrappers.fault import parse_fault

SECTION = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
Seconds = Annotated[float, Unit("s")]


def _fault(value: str) -> str:
    parse_fault(value)
    return value


class NotSetUp(Exception):
    """What is set cannot be used; the text is for the operator."""


class Variables(NamedTuple):
    """What an operator is told to look at: where a vendor's server is not set up, is not reached,
    refuses the model."""

    lacks: str
    address: str
    model: str


class ProviderSettings(BaseModel):
    """Who answers, how patiently they are asked, and what is done with their streams."""

    model_config = SECTION

    default_provider: str = ""
    """Who answers when a request names nobody; by default the first that is set up, else demo."""
    fallback_providers: tuple[str, ...] = ()
    """Providers asked next when one fails before its first piece, separated by commas."""
    max_retries: Annotated[int, Unit("retries")] = Field(default=2, ge=0, le=10)
    """Of the same provider, before that."""
    fallback_after_s: Seconds = Field(default=20, ge=0.05, le=3600)
    """Silence that asks the next provider."""
    retry_after_max_s: Seconds = Field(default=30, ge=0, le=3600)
    """Longest Retry-After that is waited for."""
    breaker_failures: Annotated[int, Unit("runs")] = Field(default=3, ge=1, le=1000)
    """A provider's model that fails so many in a row is left out."""
    breaker_s: Seconds = Field(default=30, ge=0.05, le=86400)
    """How long it is left out."""
    connect_timeout_s: Seconds = Field(default=5, ge=0.05, le=600)
    """Longest wait for a connection."""
    models_ttl_s: Seconds = Field(default=300, ge=0, le=86400)
    """How long the lists of models count that servers give; 0 asks for none."""
    ssl_cert_file: str = ""
    """File of the certificates (PEM) that model servers are trusted by; else the system's."""
    ssl_cert_dir: str = ""
    """The same as a folder; SSL_CERT_FILE goes before it."""
    stream_chunk_words: Annotated[int, Unit("words")] = Field(default=3, ge=1, le=1000)
    """Pieces of a whole reply."""
    stream_delay_s: Seconds = Field(default=0.1, ge=0, le=10)
    """Pause between those pieces."""
    log_upstream_errors: bool = True
    """0 keeps the words of a model server's error out of the log; its status and code stay."""
    show_upstream_errors: bool = False
    """1 shows them to who asked; needs a HOST on loopback and AUTH off."""
    record_dir: str = ""
    """Folder where provider streams are kept, with what was said."""
    replay_dir: str = ""
    """Folder of recordings for the provider `replay`."""
    replay_speed: Annotated[float, Unit("times")] = Field(default=1, ge=0, le=1000)
    """Speed of replay; 0: at once."""
    fault: Annotated[str, AfterValidator(_fault)] = ""
    """What the provider `fault` does wrong, like drop:5; for tests."""
    fault_provider: str = "demo"
    """Whose replies FAULT spoils."""
