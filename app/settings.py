"""Every setting: one table, read once into a frozen Settings. The only reader of os.environ.

An empty value means the default. A bad one stops the start with its name, its value and what is
allowed; values of secrets are not repeated. The table in README.md is checked against this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.setting_readers import (
    database_url,
    http_url,
    integer,
    log_level,
    one_of,
    optional_url,
    origins,
    public_key,
    rate,
    seconds,
    secret_key,
    text,
    words,
    yes_no,
)


class BadSetting(Exception):
    """A setting that stops the start; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: its name, how it is read, its default as it would be written, unit, and a
    sentence."""

    name: str
    read: Callable[[str], Any]
    default: str
    unit: str
    help: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", text, "127.0.0.1", "", "Address to listen on."),
    Setting("PORT", integer(0, 65535), "5000", "", "Port to listen on; 0 takes a free one."),
    Setting("ASYNC_MODE", one_of("eventlet", "gevent"), "eventlet", "", "What runs the tasks."),
    Setting(
        "DATABASE_URL",
        database_url,
        "sqlite:///instance/tandem.db",
        "",
        "Where everything is kept; memory: forgets it at the end.",
    ),
    Setting("LOG_DIR", text, "logs", "", "Folder of app.log."),
    Setting("LOG_LEVEL", log_level, "INFO", "", "DEBUG, INFO, WARNING or ERROR."),
    Setting(
        "LOG_FILE_BYTES", integer(1000, 10**10), "10000000", "bytes", "app.log is rotated then."
    ),
    Setting("LOG_FILES", integer(1, 1000), "5", "files", "How many rotated files are kept."),
    Setting(
        "DEFAULT_PROVIDER",
        one_of("", "demo", "openai"),
        "",
        "",
        "Who answers when a request names nobody; by default the first that is set up, else demo.",
    ),
    Setting("OPENAI_API_KEY", text, "", "", "Key of the OpenAI-compatible server.", secret=True),
    Setting(
        "OPENAI_BASE_URL",
        http_url,
        "https://api.openai.com/v1",
        "",
        "Address of the OpenAI-compatible server; setting it is enough where no key is needed.",
    ),
    Setting("OPENAI_MODEL", text, "gpt-5-mini", "", "Model asked for when a request names none."),
    Setting("STREAM_CHUNK_WORDS", integer(1, 1000), "3", "words", "Pieces of a whole reply."),
    Setting("STREAM_DELAY_S", seconds(0, 10), "0.1", "s", "Pause between those pieces."),
    Setting(
        "CORS_ORIGINS",
        origins,
        "",
        "",
        "Origins, besides its own and loopback ones, whose pages may use the server; * for all.",
    ),
    Setting(
        "ALLOWED_HOSTS",
        words,
        "",
        "",
        "Host names, besides loopback ones, that a server bound to loopback answers to.",
    ),
    Setting(
        "AUTH",
        one_of("", "off", "optional", "required"),
        "",
        "",
        "Who needs a token; by default required when there is a key to check it with, else off.",
    ),
    Setting("JWT_SECRET", secret_key, "", "", "Key of HS256 access tokens, 32 bytes.", secret=True),
    Setting(
        "JWT_PUBLIC_KEY",
        public_key,
        "",
        "",
        "Public key (PEM) of RS256 or ES256 tokens.",
        secret=True,
    ),
    Setting("JWKS_URL", optional_url, "", "", "Where the issuer publishes its public keys."),
    Setting("JWT_AUDIENCE", text, "", "", "The `aud` that tokens must have, if set."),
    Setting("JWT_ISSUER", text, "", "", "The `iss` that tokens must have, if set."),
    Setting(
        "ALLOW_ANONYMOUS",
        yes_no,
        "0",
        "",
        "1 lets a HOST off loopback serve without authentication.",
    ),
    Setting(
        "MAX_MESSAGE_BYTES", integer(1, 10**8), "128000", "bytes", "Longest message, in UTF-8."
    ),
    Setting("MAX_BODY_BYTES", integer(1024, 10**8), "1000000", "bytes", "Largest request body."),
    Setting("MAX_REPLY_BYTES", integer(1, 10**9), "4000000", "bytes", "Longest reply, in UTF-8."),
    Setting("RATE_LIMIT_STREAM", rate, "30 per minute", "", "New streamed replies a user; or off."),
    Setting("RATE_LIMIT_CHAT", rate, "60 per minute", "", "New whole replies a user; or off."),
    Setting(
        "RATE_LIMIT_READ", rate, "300 per minute", "", "Reads, resumes and stops a user; or off."
    ),
    Setting(
        "TRUSTED_PROXIES",
        integer(0, 10),
        "0",
        "proxies",
        "How many proxies of yours stand in front and append to X-Forwarded-For.",
    ),
    Setting("MAX_RUNS", integer(1, 100_000), "2000", "runs", "Runs going at once; more get 503."),
    Setting("MAX_RUNS_PER_USER", integer(1, 100_000), "100", "runs", "The same, for one user."),
    Setting(
        "MAX_SOCKETS_PER_USER", integer(1, 100_000), "200", "sockets", "Socket.IO connections."
    ),
    Setting("SOCKET_EVENTS_PER_S", integer(1, 10_000), "50", "events/s", "Events of one socket."),
    Setting("REQUEST_HEAD_TIMEOUT_S", seconds(0.1, 600), "10", "s", "Longest wait for headers."),
    Setting("REQUEST_BODY_TIMEOUT_S", seconds(0.1, 600), "10", "s", "Longest wait for a body."),
    Setting("SESSION_IDLE_S", seconds(1, 10**7), "3600", "s", "Idle sessions leave memory."),
    Setting(
        "MAX_SESSIONS_IN_MEMORY",
        integer(1, 10**7),
        "10000",
        "sessions",
        "More push out the oldest.",
    ),
    Setting("HEARTBEAT_S", seconds(0.05, 60), "5", "s", "Silence before a ping."),
    Setting("FIRST_DELTA_TIMEOUT_S", seconds(0.05, 3600), "60", "s", "Longest wait for piece 1."),
    Setting("RUN_TIMEOUT_S", seconds(0.05, 86400), "600", "s", "Longest run."),
    Setting(
        "VIEWER_STALL_S", seconds(1, 3600), "30", "s", "A viewer that takes nothing is let go."
    ),
    Setting("ORPHAN_RUN_S", seconds(0, 86400), "0", "s", "Unwatched runs are stopped; 0: never."),
    Setting("REPLAY_TTL_S", seconds(1, 10**8), "86400", "s", "Then a reply's pieces become one."),
    Setting("RETENTION_DAYS", seconds(0, 36500), "0", "days", "Unused sessions go; 0: never."),
    Setting("STORE_TIMEOUT_S", seconds(0.1, 60), "5", "s", "How long a failing store is tried."),
    Setting("SHUTDOWN_GRACE_S", seconds(0, 600), "10", "s", "What running replies get at SIGTERM."),
)

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
    first_delta_timeout_s: float
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
    if settings.default_provider == "openai" and not settings.openai_is_set_up:
        raise BadSetting(
            "DEFAULT_PROVIDER is 'openai', which is not set up; "
            "set OPENAI_API_KEY or OPENAI_BASE_URL."
        )
