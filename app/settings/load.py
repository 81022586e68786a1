"""Every setting: one table, read once into a frozen Settings. The only reader of os.environ.

An empty value means the default. A bad one stops the start with its name, its value and what is
allowed; values of secrets are not repeated. The table in README.md is checked against this one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.providers.wrappers.fault import FaultPlan
from app.settings.table import SETTINGS


class BadSetting(Exception):
    """A setting that stops the start; the text is for the operator."""


_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The values, by lower-case name: `settings.heartbeat_s`."""

    host: str
    port: int
    async_mode: str
    database_url: str
    log_dir: str
    log_level: str
    log_file_bytes: int
    log_files: int
    default_provider: str
    openai_api_key: str
    openai_base_url: str
    openai_model: str
    openai_max_tokens_field: str
    openai_stream: bool
    gemini_api_key: str
    gemini_base_url: str
    gemini_model: str
    gemini_stream: bool
    local_llm_url: str
    local_llm_model: str
    find_ollama: bool
    local_llm_stream: bool
    fallback_providers: tuple[str, ...]
    max_retries: int
    fallback_after_s: float
    retry_after_max_s: float
    breaker_failures: int
    breaker_s: float
    system_prompt: str
    context_tokens: int
    max_output_tokens: int
    daily_tokens_per_user: int
    daily_cost_per_user: Decimal
    prices_file: str
    text_filter: str
    record_dir: str
    replay_dir: str
    replay_speed: float
    fault: FaultPlan | None
    fault_provider: str
    stream_chunk_words: int
    stream_delay_s: float
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    auth: str
    jwt_secret: str
    jwt_public_key: str
    jwks_url: str
    jwt_audience: str
    jwt_issuer: str
    allow_anonymous: bool
    rate_limit_stream: str
    rate_limit_chat: str
    rate_limit_read: str
    trusted_proxies: int
    max_message_bytes: int
    max_body_bytes: int
    max_reply_bytes: int
    max_runs: int
    max_runs_per_user: int
    max_sockets_per_user: int
    socket_events_per_s: int
    request_head_timeout_s: float
    request_body_timeout_s: float
    session_idle_s: float
    max_sessions_in_memory: int
    heartbeat_s: float
    connect_timeout_s: float
    first_delta_timeout_s: float
    delta_timeout_s: float
    run_timeout_s: float
    viewer_stall_s: float
    orphan_run_s: float
    replay_ttl_s: float
    retention_days: float
    store_timeout_s: float
    shutdown_grace_s: float
    openai_is_set_up: bool

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @property
    def database_path(self) -> str | None:
        """The SQLite file; None for memory."""
        prefix = "sqlite:///"
        return self.database_url[len(prefix) :] if self.database_url.startswith(prefix) else None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment (os.environ by default). Raises BadSetting."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        written = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name.lower()] = setting.read(written)
        except ValueError as allowed:
            # An address with a user in it has a password, too.
            hidden = setting.secret or "@" in written
            shown = "(not shown)" if hidden else repr(written)
            raise BadSetting(f"{setting.name} is {shown}; it must be {allowed}.") from None
    values["openai_is_set_up"] = bool(
        environ.get("OPENAI_API_KEY", "").strip() or environ.get("OPENAI_BASE_URL", "").strip()
    )
    if not values["auth"]:
        has_key = values["jwt_secret"] or values["jwt_public_key"] or values["jwks_url"]
        values["auth"] = "required" if has_key else "off"
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if settings.auth == "off" and not settings.on_loopback and not settings.allow_anonymous:
        raise BadSetting(
            f"HOST is {settings.host!r}, which others can reach, and there is no authentication. "
            "There are two ways: set JWT_SECRET (`openssl rand -hex 32`; `make token SUB=me` makes "
            "access tokens), or ALLOW_ANONYMOUS=1 if everybody may use it and spend its keys."
        )
    keys = [
        name
        for name in ("JWT_SECRET", "JWT_PUBLIC_KEY", "JWKS_URL")
        if getattr(settings, name.lower())
    ]
    if settings.auth != "off" and not keys:
        raise BadSetting(
            f"AUTH is {settings.auth!r}, and there is no key to check tokens with; "
            "set one of JWT_SECRET, JWT_PUBLIC_KEY, JWKS_URL."
        )
    if len(keys) > 1:
        raise BadSetting(
            f"{' and '.join(keys)} are set; set one: a public key must never be taken for a secret."
        )
