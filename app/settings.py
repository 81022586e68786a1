"""Every setting: one table, read once into a frozen Settings. The only reader of os.environ.

An empty value means the default. A bad one stops the start with its name, its value and what is
allowed; values of secrets are not repeated. The table in README.md is checked against this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


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


def text(value: str) -> str:
    """Read any text."""
    return value


def one_of(*allowed: str) -> Callable[[str], str]:
    """Read one of these words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value

    return read


def integer(least: int, most: int) -> Callable[[str], int]:
    """Read a whole number in a range."""

    def read(value: str) -> int:
        allowed = f"a whole number from {least} to {most}"
        try:
            number = int(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not least <= number <= most:
            raise ValueError(allowed)
        return number

    return read


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Read seconds in a range."""

    def read(value: str) -> float:
        allowed = f"seconds from {least:g} to {most:g}"
        try:
            number = float(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not least <= number <= most:  # NaN fails here too
            raise ValueError(allowed)
        return number

    return read


def yes_no(value: str) -> bool:
    """Read 1, true, yes, on or their opposites."""
    word = value.lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("1 or 0")


def words(value: str) -> tuple[str, ...]:
    """Read a list, separated by commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def origins(value: str) -> tuple[str, ...]:
    """Read origins (RFC 6454: scheme, host, port, nothing more), or `*`."""
    found = words(value)
    for origin in found:
        parts = urlsplit(origin)
        complete = parts.scheme in {"http", "https"} and parts.netloc
        if origin != "*" and (not complete or parts.path or parts.query or parts.fragment):
            raise ValueError("origins like https://chat.example.com, separated by commas, or *")
    return found


def http_url(value: str) -> str:
    """Read an http or https address."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("an address that starts with http:// or https://")
    return value.rstrip("/")


def database_url(value: str) -> str:
    """Read where to store: a SQLite file, or memory."""
    if value == "memory:" or (value.startswith("sqlite:///") and len(value) > len("sqlite:///")):
        return value
    raise ValueError("sqlite:///<path> (four slashes for an absolute one) or memory:")


def log_level(value: str) -> str:
    """Read a logging level."""
    return one_of("DEBUG", "INFO", "WARNING", "ERROR")(value.upper())


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
    Setting("MAX_RUNS", integer(1, 100_000), "2000", "runs", "Runs going at once; more get 503."),
    Setting("SESSION_IDLE_S", seconds(1, 10**7), "3600", "s", "Idle sessions leave memory."),
    Setting(
        "MAX_SESSIONS_IN_MEMORY",
        integer(1, 10**7),
        "10000",
        "sessions",
        "More push out the oldest.",
    ),
    Setting("HEARTBEAT_S", seconds(0.05, 60), "5", "s", "Silence before a ping."),
    Setting("FIRST_DELTA_TIMEOUT_S", seconds(0.05, 3600), "60", "s", "Longest wait for a piece."),
    Setting("RUN_TIMEOUT_S", seconds(0.05, 86400), "600", "s", "Longest run."),
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
    default_provider: str
    openai_api_key: str
    openai_base_url: str
    openai_model: str
    stream_chunk_words: int
    stream_delay_s: float
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    allow_anonymous: bool
    max_message_bytes: int
    max_body_bytes: int
    max_reply_bytes: int
    max_runs: int
    session_idle_s: float
    max_sessions_in_memory: int
    heartbeat_s: float
    first_delta_timeout_s: float
    run_timeout_s: float
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
            shown = "(not shown)" if setting.secret else repr(written)
            raise BadSetting(f"{setting.name} is {shown}; it must be {allowed}.") from None
    values["openai_is_set_up"] = bool(
        environ.get("OPENAI_API_KEY", "").strip() or environ.get("OPENAI_BASE_URL", "").strip()
    )
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if not settings.on_loopback and not settings.allow_anonymous:
        raise BadSetting(
            f"HOST is {settings.host!r}, which others can reach, and there is no authentication. "
            "Set HOST=127.0.0.1, or ALLOW_ANONYMOUS=1 if everybody may use it."
        )
    if settings.default_provider == "openai" and not settings.openai_is_set_up:
        raise BadSetting(
            "DEFAULT_PROVIDER is 'openai', which is not set up; "
            "set OPENAI_API_KEY or OPENAI_BASE_URL."
        )
