"""The table of settings: what README.md and .env.example show, and what load.py reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.providers.wrappers.fault import parse_fault
from app.settings.readers import (
    database_url,
    factor,
    header_key,
    http_url,
    integer,
    log_level,
    money,
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
        one_of("", "openai", "google", "gemini", "local", "ollama", "replay", "fault", "demo"),
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
    Setting(
        "OPENAI_MAX_TOKENS_FIELD",
        one_of("", "max_tokens", "max_completion_tokens"),
        "",
        "",
        "What the server calls the limit of a reply; by default what is known of its host.",
    ),
    Setting("OPENAI_STREAM", yes_no, "1", "", "0 asks it for whole replies."),
    Setting("GEMINI_API_KEY", header_key, "", "", "Key of Google's Gemini.", secret=True),
    Setting(
        "GEMINI_BASE_URL",
        http_url,
        "https://generativelanguage.googleapis.com/v1beta",
        "",
        "Address of Gemini's API.",
    ),
    Setting("GEMINI_MODEL", text, "gemini-3.8-flash", "", "Model asked for by default."),
    Setting("GEMINI_STREAM", yes_no, "1", "", "0 hands its replies out as if they came whole."),
    Setting(
        "LOCAL_LLM_URL",
        optional_url,
        "",
        "",
        "Address of an Ollama or another compatible server of yours, with its /v1.",
    ),
    Setting("LOCAL_LLM_MODEL", text, "", "", "Its model; by default the first that it lists."),
    Setting(
        "FIND_OLLAMA", yes_no, "1", "", "1 looks for an Ollama here when nothing else is set up."
    ),
    Setting("LOCAL_LLM_STREAM", yes_no, "1", "", "0 asks it for whole replies."),
    Setting(
        "FALLBACK_PROVIDERS",
        words,
        "",
        "",
        "Providers asked next when one fails before its first piece, separated by commas.",
    ),
    Setting("MAX_RETRIES", integer(0, 10), "2", "retries", "Of the same provider, before that."),
    Setting(
        "FALLBACK_AFTER_S", seconds(0.05, 3600), "20", "s", "Silence that asks the next provider."
    ),
    Setting(
        "RETRY_AFTER_MAX_S", seconds(0, 3600), "30", "s", "Longest Retry-After that is waited for."
    ),
    Setting(
        "BREAKER_FAILURES",
        integer(1, 1000),
        "3",
        "runs",
        "A provider that fails so many in a row is left out.",
    ),
    Setting("BREAKER_S", seconds(0.05, 86400), "30", "s", "How long it is left out."),
    Setting("SYSTEM_PROMPT", text, "", "", "System prompt where nothing else gives one."),
    Setting(
        "CONTEXT_TOKENS",
        integer(0, 10**8),
        "100000",
        "tokens",
        "Room for a conversation: its oldest exchanges are left out over it; 0: no bound.",
    ),
    Setting(
        "MAX_OUTPUT_TOKENS",
        integer(0, 10**8),
        "0",
        "tokens",
        "Longest reply asked for; 0: as the request and the model say.",
    ),
    Setting(
        "DAILY_TOKENS_PER_USER",
        integer(0, 10**12),
        "0",
        "tokens",
        "A user who has used so many since 00:00 UTC gets 429; 0: no limit.",
    ),
    Setting(
        "DAILY_COST_PER_USER",
        money,
        "0",
        "",
        "The same for cost, in the currency of PRICES_FILE; 0: no limit.",
    ),
    Setting(
        "PRICES_FILE",
        text,
        "",
        "",
        "Prices of models (TOML); docs/prices.example.toml is an example.",
    ),
    Setting(
        "TEXT_FILTER",
        text,
        "",
        "",
        "`module:callable` that every message and piece passes; docs/upstream.md says how.",
    ),
    Setting(
        "RECORD_DIR", text, "", "", "Folder where provider streams are kept, with what was said."
    ),
    Setting("REPLAY_DIR", text, "", "", "Folder of recordings for the provider `replay`."),
    Setting("REPLAY_SPEED", factor, "1", "times", "Speed of replay; 0: at once."),
    Setting(
        "FAULT",
        parse_fault,
        "",
        "",
        "What the provider `fault` does wrong, like drop:5; for tests.",
    ),
    Setting("FAULT_PROVIDER", text, "demo", "", "Whose replies FAULT spoils."),
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
    Setting("CONNECT_TIMEOUT_S", seconds(0.05, 600), "5", "s", "Longest wait for a connection."),
    Setting("FIRST_DELTA_TIMEOUT_S", seconds(0.05, 3600), "60", "s", "Longest wait for piece 1."),
    Setting("DELTA_TIMEOUT_S", seconds(0.05, 3600), "60", "s", "Longest wait for a later piece."),
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
