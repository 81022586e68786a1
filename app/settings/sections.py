"""The sections: every setting of the server itself, with its type, default, unit and sentence.

A setting is named in the environment as here, in upper case. Those of the providers are declared
beside the providers, in the same way.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from annotated_types import Unit
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.settings.types import (
    Bytes,
    DatabaseUrl,
    Days,
    HostName,
    LogLevel,
    NodeName,
    OptionalAddress,
    Origin,
    PageHost,
    PublicKey,
    Rate,
    RedisUrl,
    Seconds,
    SharedKey,
    Tokens,
    WorkerCount,
)

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Section(BaseModel):
    """Frozen; a default is checked like what is written."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class ServerSettings(Section):
    """Where it listens, and who may call it from where."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=5000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    async_mode: Literal["eventlet", "gevent"] = "eventlet"
    """What runs the tasks."""
    workers: Annotated[WorkerCount, Unit("processes")] = 1
    """Processes on the port, with one database; auto: one a core. docs/scale.md says when."""
    node: NodeName = ""
    """What Socket.IO's session ids begin with, for a proxy before several hosts: docs/scale.md."""
    shutdown_grace_s: Seconds = Field(default=10, ge=0, le=600)
    """What running replies get at SIGTERM."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins, besides its own and loopback, whose pages may use it (https://*.my.org); *: all."""
    allowed_hosts: tuple[HostName, ...] = ()
    """Names, besides loopback, that one on loopback answers to (.my.org: all below it); *: all."""

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOOPBACK or self.host.startswith("127.")


class LogSettings(Section):
    """Where log lines go."""

    log_dir: str = "logs"
    """Folder of app.log."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    log_file_bytes: Bytes = Field(default=10_000_000, ge=1000, le=10**10)
    """app.log is rotated then."""
    log_files: Annotated[int, Unit("files")] = Field(default=5, ge=1, le=1000)
    """How many rotated files are kept."""


class StoreSettings(Section):
    """Where everything is kept, and for how long."""

    database_url: DatabaseUrl = Field(default="sqlite:///instance/tandem.db", repr=False)
    """Where everything is kept: also postgresql://user:password@host/db; memory: forgets it."""
    redis_url: RedisUrl = SecretStr("")
    """A Redis, by which the processes on a postgresql: database hear each other and count rates."""
    replay_ttl_s: Seconds = Field(default=86400, ge=1, le=10**8)
    """Then a reply's pieces become one."""
    retention_days: Days = Field(default=0, ge=0, le=36500)
    """Unused sessions go; 0: never."""


class AuthSettings(Section):
    """Who must show a token, and how tokens are checked."""

    auth: Literal["", "off", "optional", "required"] = ""
    """Who needs a token; by default required when there is a key to check it with, else off."""
    jwt_secret: SharedKey = SecretStr("")
    """Key of HS256 access tokens, 32 bytes."""
    jwt_public_key: PublicKey = SecretStr("")
    """Public key (PEM) of RS256 or ES256 tokens."""
    jwks_url: OptionalAddress = ""
    """Where the issuer publishes its public keys."""
    jwt_audience: str = ""
    """The `aud` that tokens must have, if set."""
    jwt_issuer: str = ""
    """The `iss` that tokens must have, if set."""
    allow_anonymous: bool = False
    """1 lets a HOST off loopback serve without authentication."""

    @property
    def mode(self) -> str:
        """How it is: off, optional or required."""
        return self.auth or ("required" if self._keys() else "off")

    def _keys(self) -> list[str]:
        keys = ("jwt_secret", "jwt_public_key", "jwks_url")
        return [name.upper() for name in keys if getattr(self, name)]

    @model_validator(mode="after")
    def _one_key(self) -> AuthSettings:
        keys = self._keys()
        if self.mode != "off" and not keys:
            raise ValueError(
                f"AUTH is {self.mode!r}, and there is no key to check tokens with; "
                "set one of JWT_SECRET, JWT_PUBLIC_KEY, JWKS_URL."
            )
        if len(keys) > 1:
            raise ValueError(
                f"{' and '.join(keys)} are set; "
                "set one: a public key must never be taken for a secret."
            )
        return self


class LimitSettings(Section):
    """What bounds a caller besides rates."""

    max_message_bytes: Bytes = Field(default=128_000, ge=1, le=10**8)
    """Longest message, in UTF-8."""
    max_body_bytes: Bytes = Field(default=1_000_000, ge=1024, le=10**8)
    """Largest request body."""
    max_parts_body_bytes: Bytes = Field(default=32_000_000, ge=1024, le=10**9)
    """The same where pictures and files can be in it."""
    trusted_proxies: Annotated[int, Unit("proxies")] = Field(default=0, ge=0, le=10)
    """How many proxies of yours stand in front and append to X-Forwarded-For."""
    max_sockets_per_user: Annotated[int, Unit("sockets")] = Field(default=200, ge=1, le=100_000)
    """Socket.IO connections to one process."""
    socket_events_per_s: Annotated[int, Unit("events/s")] = Field(default=50, ge=1, le=10_000)
    """Events of one socket: 200 more are refused, then it is cut off."""
    http_requests_per_s_per_connection: Annotated[int, Unit("requests/s")] = Field(
        default=200, ge=1, le=100_000
    )
    """Requests that a connection sends without waiting for answers; the rest waits."""
    request_head_timeout_s: Seconds = Field(default=10, ge=0.1, le=600)
    """Longest wait for headers."""
    request_body_timeout_s: Seconds = Field(default=10, ge=0.1, le=600)
    """Longest wait for a body."""
    viewer_stall_s: Seconds = Field(default=30, ge=1, le=3600)
    """A viewer that takes nothing is let go."""


class RateSettings(Section):
    """How often."""

    rate_limit_stream: Rate = "30 per minute"
    """New streamed replies a user; or off."""
    rate_limit_chat: Rate = "60 per minute"
    """New whole replies a user; or off."""
    rate_limit_read: Rate = "300 per minute"
    """Reads, resumes and stops a user; or off."""


class RunSettings(Section):
    """What bounds a run."""

    max_reply_bytes: Bytes = Field(default=4_000_000, ge=1, le=10**9)
    """Longest reply, in UTF-8."""
    max_piece_bytes: Bytes = Field(default=16_000, ge=64, le=10**9)
    """Longest piece, in UTF-8: a longer one leaves as several."""
    max_runs: Annotated[int, Unit("runs")] = Field(default=2000, ge=1, le=100_000)
    """Runs going at once in a process; more get 503."""
    max_runs_per_user: Annotated[int, Unit("runs")] = Field(default=100, ge=1, le=100_000)
    """Those of one user, in all processes on the database."""
    heartbeat_s: Seconds = Field(default=5, ge=0.05, le=60)
    """Silence before a ping."""
    first_delta_timeout_s: Seconds = Field(default=60, ge=0.05, le=3600)
    """Longest wait for piece 1."""
    delta_timeout_s: Seconds = Field(default=60, ge=0.05, le=3600)
    """Longest wait for a later piece."""
    run_timeout_s: Seconds = Field(default=600, ge=0.05, le=86400)
    """Longest run."""
    orphan_run_s: Seconds = Field(default=0, ge=0, le=86400)
    """Unwatched runs are stopped; 0: never."""
    store_timeout_s: Seconds = Field(default=5, ge=0.1, le=60)
    """How long a failing store is tried."""
    commit_gather_ms: Annotated[float, Unit("ms")] = Field(default=3, ge=0, le=100)
    """What a commit to PostgreSQL waits for more pieces; other stores commit at once."""


class ChatSettings(Section):
    """What holds for every conversation."""

    system_prompt: str = ""
    """System prompt where nothing else gives one."""
    context_tokens: Tokens = Field(default=100_000, ge=0, le=10**8)
    """Room for a conversation: its oldest exchanges are left out over it; 0: no bound."""
    max_output_tokens: Tokens = Field(default=0, ge=0, le=10**8)
    """Longest reply asked for; 0: as the request and the model say."""
    text_filter: str = ""
    """`module:callable` that every message and piece passes; docs/upstream.md says how."""
    session_idle_s: Seconds = Field(default=3600, ge=1, le=10**7)
    """Idle sessions leave memory."""
    max_sessions_in_memory: Annotated[int, Unit("sessions")] = Field(default=10_000, ge=1, le=10**7)
    """More push out the oldest."""


class ToolSettings(Section):
    """Tools that the server runs for a model, and what bounds them."""

    tools: tuple[str, ...] = ()
    """`module:name` of functions that are tools, separated by commas; docs/tools.md says how."""
    mcp_servers: str = ""
    """File (TOML) of MCP servers whose tools can be used; docs/mcp.md says how."""
    max_tool_steps: Annotated[int, Unit("steps")] = Field(default=16, ge=1, le=1000)
    """Then a model that keeps calling tools has to answer."""
    tool_timeout_s: Seconds = Field(default=60, ge=0.05, le=3600)
    """Longest run of a tool."""
    max_tools_at_once: Annotated[int, Unit("tools")] = Field(default=8, ge=1, le=100)
    """Of one reply; more wait for their turn."""
    max_tool_result_bytes: Bytes = Field(default=200_000, ge=100, le=10**8)
    """Longer results are cut, and say so."""
    action_ttl_s: Seconds = Field(default=86400, ge=1, le=10**7)
    """How long a reply waits for an approval, or for a client's result; then it ends."""
    fetch_page: bool = False
    """1 has the tool fetch_page, which reads pages of the public internet."""
    fetch_page_hosts: tuple[PageHost, ...] = ()
    """Hosts that it may ask though they are private, or on other ports than 80 and 443."""
    fetch_page_proxy: bool = False
    """1 lets it use the proxy of HTTP_PROXY and its like, which then decides what is private."""
    search_url: OptionalAddress = ""
    """A SearXNG that answers in JSON: has the tool web_search."""
    brave_api_key: SecretStr = SecretStr("")
    """The same with Brave's search; SEARCH_URL goes before it."""
    brave_search_url: OptionalAddress = "https://api.search.brave.com/res/v1/web/search"
    """Where Brave's search is."""
    tavily_api_key: SecretStr = SecretStr("")
    """The same with Tavily's search; the other two go before it."""
    tavily_url: OptionalAddress = "https://api.tavily.com/search"
    """Where Tavily's search is."""


class AttachmentSettings(Section):
    """Pictures and files that come with messages."""

    attachments_dir: str = ""
    """Folder of their bytes; by default <database>.attachments beside SQLite's file."""
    max_attachment_bytes: Bytes = Field(default=20_000_000, ge=1024, le=10**9)
    """Largest file."""
    max_attachment_bytes_per_user: Bytes = Field(default=10**9, ge=1024, le=10**15)
    """All files of a user; the smallest counts as 4,096."""
    image_max_pixels: Annotated[int, Unit("pixels")] = Field(default=4_000_000, ge=10_000, le=10**8)
    """Larger pictures are scaled down for a model."""


class UsageSettings(Section):
    """What a user may use, and what it costs."""

    daily_tokens_per_user: Tokens = Field(default=0, ge=0, le=10**12)
    """A user who has used so many since 00:00 UTC gets 429; 0: no limit."""
    daily_cost_per_user: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000)
    """The same for cost, in the currency of PRICES_FILE; 0: no limit."""
    prices_file: str = ""
    """Prices of models (TOML); docs/prices.example.toml is an example."""


def check_workers(server: ServerSettings, store: StoreSettings) -> None:
    """Raise ValueError if there are to be several processes, and one alone can see what is kept."""
    if server.workers > 1 and store.database_url == "memory:":
        raise ValueError(
            f"WORKERS is {server.workers}, and DATABASE_URL is 'memory:', which is that of one "
            "process; WORKERS must be 1, or DATABASE_URL sqlite:///<path> or postgresql://..."
        )


def check_reach(server: ServerSettings, auth: AuthSettings) -> None:
    """Raise ValueError if others can reach the server, and nobody decided who may use it."""
    if auth.mode == "off" and not server.on_loopback and not auth.allow_anonymous:
        raise ValueError(
            f"HOST is {server.host!r}, which others can reach, and there is no authentication. "
            "There are two ways: set JWT_SECRET (`openssl rand -hex 32`; `make token SUB=me` makes "
            "access tokens), or ALLOW_ANONYMOUS=1 if everybody may use it and spend its keys."
        )


def check_is_ones_own(server: ServerSettings, auth: AuthSettings) -> None:
    """Raise ValueError if who asks may be another than the operator, who alone may see what a
    model's server says."""
    if auth.mode != "off" or not server.on_loopback:
        raise ValueError(
            "SHOW_UPSTREAM_ERRORS is '1', and others can use the server; "
            "it must be 0 unless HOST is on loopback and AUTH is off."
        )


def check_redis(store: StoreSettings) -> None:
    """Raise ValueError if there is a Redis beside a database that no other host can share."""
    url = store.database_url
    if store.redis_url and url.startswith(("sqlite:", "memory:")):
        raise ValueError(
            f"REDIS_URL is set, and DATABASE_URL is {url!r}; Redis is for the processes on a "
            "postgresql: database: those on one of SQLite's count in a file beside it, and memory: "
            "has no others. Unset REDIS_URL."
        )
