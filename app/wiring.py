"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app import __version__
from app.chats.chat_interface import ChatInterface
from app.chats.session_map import SessionMap
from app.chats.session_service import SessionService
from app.extensions import limiter
from app.listening import listen
from app.log_setup import set_up_logs
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.openai_compatible import OpenAICompatible
from app.runs.errors import StorageUnavailable
from app.runs.interfaces import Clock, Provider, RunLimits
from app.runs.records import new_id
from app.runs.run import interrupted
from app.runs.run_service import RunService
from app.runtime import Runtime, make_runtime
from app.settings import BadSetting, Settings, load_settings
from app.starting import explain, raise_file_limit, refuse
from app.stores.memory import MemoryStore
from app.stores.migrate import DatabaseTooNew, migrate
from app.stores.sql import SqlStore
from app.threads import ThreadRuntime
from app.transports.auth import Authenticator, AuthOptions
from app.transports.flask_app import make_app
from app.transports.origins import OriginPolicy
from app.transports.rate_limits import RateLimits
from app.transports.services import DoorLimits, Services

log = logging.getLogger(__name__)

READ_TIMEOUT_SLACK_S = 30  # the deadlines of runs are the ticker's; a socket's is a last resort
TICK_S = 0.1  # how exact heartbeats and deadlines are
TICKS_PER_TIDY = 10  # a second: checkpoints, idle sessions

Store = MemoryStore | SqlStore


@dataclass(slots=True)
class Tandem:
    """A built server: the Flask app, and what its life needs. Implements `runtime.Server`."""

    app: Flask
    settings: Settings
    runtime: Runtime
    runs: RunService
    session_map: SessionMap
    catalog: ProviderCatalog
    store: Store
    clock: Clock
    stopped: bool = False

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The WSGI application."""
        return self.app

    @property
    def head_timeout_s(self) -> float:
        """How long the head of a request may take to arrive."""
        return self.settings.request_head_timeout_s

    def start_ticking(self) -> None:
        """Start the one task that does what time brings."""
        self.runtime.spawn(self._tick)

    def _tick(self) -> None:
        ticks = 0
        while not self.stopped:
            self.runtime.sleep(TICK_S)
            ticks += 1
            self.runs.tick()
            self.app.extensions["tandem.sockets"].drop_expired()
            if ticks % TICKS_PER_TIDY == 0:
                self.session_map.evict_idle()
                self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            self.runtime.run_blocking(self.store.checkpoint)
        except StorageUnavailable:
            log.debug("no checkpoint this time")

    def started(self) -> None:
        """Called once connections are accepted."""
        self.start_ticking()

    def stopping(self) -> None:
        """Refuse new runs, give those going their grace, then interrupt them."""
        log.info("stopping: no new replies")
        self.runs.refuse_new()
        deadline = self.clock.monotonic() + self.settings.shutdown_grace_s
        while self.runs.going() and self.clock.monotonic() < deadline:
            self.runtime.sleep(TICK_S)
        for run in self.runs.going():
            run.end_with(interrupted())
        if self.runs.counts()["ended"]:
            self.runtime.sleep(TICK_S)  # for the last events to leave
        self.stopped = True


def create_app(
    settings: Settings,
    providers: Mapping[str, Provider] | None = None,
    runtime: Runtime | None = None,
    clock: Clock | None = None,
) -> Tandem:
    """Build a server from its settings. Raises DatabaseTooNew, OSError, StorageUnavailable."""
    runtime = runtime or make_runtime(settings.async_mode)
    clock = clock or Clock()
    catalog = make_catalog(settings, runtime.sleep, providers)
    worker_id = new_id()
    store = make_store(settings.database_path, settings.store_timeout_s)
    store.register_worker(worker_id, clock.wall())
    runs = RunService(store, runtime, worker_id, clock, run_limits(settings))
    session_map = SessionMap(
        lambda owner, session_id: ChatInterface(owner, session_id, runs, catalog, clock),
        settings.session_idle_s,
        settings.max_sessions_in_memory,
        clock.monotonic,
    )
    sessions = SessionService(store, session_map, runs, runtime, clock)
    origins = OriginPolicy(settings.cors_origins, settings.allowed_hosts, settings.on_loopback)
    services = Services(
        runs=runs,
        sessions=sessions,
        runtime=runtime,
        auth=Authenticator(_auth_options(settings), clock.wall),
        origins=origins,
        rates=RateLimits(
            limiter,
            {
                "stream": settings.rate_limit_stream,
                "chat": settings.rate_limit_chat,
                "read": settings.rate_limit_read,
            },
        ),
        limits=DoorLimits(
            max_sockets_per_user=settings.max_sockets_per_user,
            socket_events_per_s=settings.socket_events_per_s,
            request_head_timeout_s=settings.request_head_timeout_s,
            request_body_timeout_s=settings.request_body_timeout_s,
            trusted_proxies=settings.trusted_proxies,
        ),
        max_body_bytes=settings.max_body_bytes,
        max_message_bytes=settings.max_message_bytes,
        about=_about(settings, runtime, store, catalog, runs, sessions, clock),
        is_healthy=lambda: True,
    )
    app = make_app(services, settings.async_mode)
    return Tandem(app, settings, runtime, runs, session_map, catalog, store, clock)


def open_chat(provider: Provider | None = None, session_id: str = "local") -> ChatInterface:
    """Return a conversation without a server: threads, memory, the demo provider unless told
    otherwise.

    `for text in open_chat().chat("hello", stream=True): print(text, end="")`
    """
    runtime, clock = ThreadRuntime(), Clock()
    demo = provider or DemoProvider(runtime.sleep)
    runs = RunService(MemoryStore(), runtime, new_id(), clock)
    return ChatInterface("local", session_id, runs, ProviderCatalog({}, {}, demo, ""), clock)


def run_limits(settings: Settings) -> RunLimits:
    """Return what bounds a run."""
    return RunLimits(
        max_runs=settings.max_runs,
        max_runs_per_user=settings.max_runs_per_user,
        max_reply_bytes=settings.max_reply_bytes,
        first_delta_timeout_s=settings.first_delta_timeout_s,
        run_timeout_s=settings.run_timeout_s,
        store_timeout_s=settings.store_timeout_s,
        heartbeat_s=settings.heartbeat_s,
    )


def _auth_options(settings: Settings) -> AuthOptions:
    return AuthOptions(
        mode=settings.auth,
        secret=settings.jwt_secret,
        public_key=settings.jwt_public_key,
        jwks_url=settings.jwks_url,
        audience=settings.jwt_audience,
        issuer=settings.jwt_issuer,
    )


def make_store(database_path: str | None, busy_timeout_s: float) -> Store:
    """Return the store, its file made or brought up to date."""
    if database_path is None:
        return MemoryStore()
    migrate(database_path)
    return SqlStore(database_path, busy_timeout_s)


def make_catalog(
    settings: Settings,
    sleep: Callable[[float], None],
    providers: Mapping[str, Provider] | None = None,
) -> ProviderCatalog:
    """Return the providers that are set up, and what the others lack."""
    demo = DemoProvider(sleep, settings.stream_chunk_words, settings.stream_delay_s)
    configured: dict[str, Provider] = dict(providers or {})
    missing = {}
    if settings.openai_is_set_up:
        configured["openai"] = OpenAICompatible(
            "openai",
            settings.openai_api_key,
            settings.openai_base_url,
            settings.openai_model,
            read_timeout_s=settings.run_timeout_s + READ_TIMEOUT_SLACK_S,
            max_reply_bytes=settings.max_reply_bytes,
        )
    else:
        missing["openai"] = "OPENAI_API_KEY"
    return ProviderCatalog(configured, missing, demo, settings.default_provider)


def _about(
    settings: Settings,
    runtime: Runtime,
    store: Store,
    catalog: ProviderCatalog,
    runs: RunService,
    sessions: SessionService,
    clock: Clock,
) -> Callable[[bool], dict[str, Any]]:
    started = clock.monotonic()

    def about(for_admin: bool) -> dict[str, Any]:
        counts = {
            "version": __version__,
            "uptime_s": round(clock.monotonic() - started, 1),
            "async_mode": runtime.name,
            "store": store.name,
            "providers": catalog.names(),
            "runs": runs.counts(),
            "sessions": sessions.counts(),
            "tasks": runtime.task_count(),
        }
        return {**counts, "details": runs.details()} if for_admin else counts

    return about


def banner(tandem: Tandem, listener: socket.socket) -> str:
    """Return what a person wants to know at the start."""
    settings = tandem.settings
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    provider = tandem.catalog.choose(None)
    hint = "" if settings.openai_is_set_up else "  (set OPENAI_API_KEY in .env for a real model)"
    return "\n".join(
        (
            f"Tandem {__version__} on http://{shown}:{port}",
            f"  model   {provider.name}: {provider.default_model}{hint}",
            f"  store   {settings.database_url}",
            f"  auth    {_auth_in_words(settings)}",
            f"  mode    {tandem.runtime.name}, process {os.getpid()}",
        )
    )


def _auth_in_words(settings: Settings) -> str:
    if settings.auth != "off":
        return settings.auth
    return "off: only this machine can reach it" if settings.on_loopback else "OFF, for everybody"


def main() -> int:
    """Serve until told to stop; return the exit code. A start that fails says in a line what to
    do."""
    try:
        settings = load_settings()
    except BadSetting as error:
        return refuse(f"{error}\nAll settings are in README.md and .env.example.")
    try:
        set_up_logs(
            settings.log_dir,
            settings.log_level,
            settings.log_file_bytes,
            settings.log_files,
            (settings.openai_api_key, settings.jwt_secret),
        )
        files = raise_file_limit()
        listener = listen(settings.host, settings.port)
        tandem = create_app(settings)
    except DatabaseTooNew as error:
        return refuse(
            f"The database {error} was made by a newer Tandem. "
            "Update the code, or set DATABASE_URL to another file."
        )
    except OSError as error:
        return refuse(explain(error, settings.host, settings.port))
    print(banner(tandem, listener), flush=True)
    print(f"  files   at most {files} open at once", flush=True)
    tandem.runtime.serve(listener, tandem)
    print("Tandem has stopped.", flush=True)
    return 0
