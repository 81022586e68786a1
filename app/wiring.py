"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from app import __version__
from app.chats.chat_interface import ChatInterface
from app.chats.session_feed import SessionFeed
from app.chats.session_map import SessionMap
from app.chats.session_service import SessionService
from app.extensions import limiter
from app.listening import listen
from app.log_setup import set_up_logs
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.openai_compatible import OpenAICompatible
from app.runs.interfaces import Clock, Provider, RunLimits
from app.runs.records import new_id
from app.runs.recovery import Recovery
from app.runs.run_service import RunService
from app.runs.sweeper import Keeping, Sweeper
from app.runtime import Runtime, make_runtime
from app.serving import Tandem
from app.settings import BadSetting, Settings, load_settings
from app.starting import explain, raise_file_limit, refuse
from app.stores.memory import MemoryStore
from app.stores.migrate import DatabaseTooNew, DatabaseUnusable, migrate
from app.stores.sql import SqlStore
from app.stores.worker_locks import FileLocks, NoLocks
from app.threads import ThreadRuntime
from app.transports.auth import Authenticator, AuthOptions
from app.transports.flask_app import make_app
from app.transports.origins import OriginPolicy
from app.transports.rate_limits import RateLimits
from app.transports.services import DoorLimits, Services

log = logging.getLogger(__name__)

READ_TIMEOUT_SLACK_S = 30  # the deadlines of runs are the ticker's; a socket's is a last resort
Store = MemoryStore | SqlStore


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
    store = make_store(settings)
    runs = RunService(
        store,
        runtime,
        lambda: recovery.worker_id,
        clock,
        run_limits(settings),
        lambda run: sessions.tell_ended(run),
        lambda lost: recovery.register(lost),
    )
    recovery = Recovery(store, make_locks(settings), runs.calls, clock)
    keeping = Keeping(settings.replay_ttl_s, settings.retention_days)
    sweeper = Sweeper(runs, recovery, clock, keeping)
    session_map = SessionMap(
        lambda owner, session_id: ChatInterface(owner, session_id, runs, catalog, clock),
        settings.session_idle_s,
        settings.max_sessions_in_memory,
        clock.monotonic,
    )
    feed = SessionFeed(runtime.new_waiter, clock.monotonic)
    sessions = SessionService(store, session_map, runs, feed, clock)
    about = _about(settings, runtime, store, catalog, runs, sessions, clock)
    services = _make_services(settings, runtime, clock, catalog, runs, sessions, about)
    app = make_app(services, settings.async_mode)
    recovery.register()
    recovery.sweep()  # before anybody is let in: what a crash left is ended when they look
    return Tandem(
        app=app,
        runtime=runtime,
        runs=runs,
        clock=clock,
        head_timeout_s=settings.request_head_timeout_s,
        viewer_stall_s=settings.viewer_stall_s,
        shutdown_grace_s=settings.shutdown_grace_s,
        each_tick=[runs.tick, feed.wake_due, app.extensions["tandem.sockets"].drop_expired],
        each_second=[
            sweeper.sweep,
            session_map.evict_idle,
            lambda: runtime.run_blocking(store.checkpoint),
        ],
        at_end=[recovery.retire],
    )


def _make_services(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    catalog: ProviderCatalog,
    runs: RunService,
    sessions: SessionService,
    about: Callable[[bool], dict[str, Any]],
) -> Services:
    origins = OriginPolicy(settings.cors_origins, settings.allowed_hosts, settings.on_loopback)
    return Services(
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
            viewer_stall_s=settings.viewer_stall_s,
        ),
        max_body_bytes=settings.max_body_bytes,
        max_message_bytes=settings.max_message_bytes,
        providers=catalog.providers,
        about=about,
        is_healthy=lambda: not (runs.calls.failing or runs.live.refusing),
    )


def open_chat(provider: Provider | None = None, session_id: str = "local") -> ChatInterface:
    """Return a conversation without a server: threads, memory, the demo provider unless told
    otherwise.

    `for text in open_chat().chat("hello", stream=True): print(text, end="")`
    """
    runtime, clock = ThreadRuntime(), Clock()
    demo = provider or DemoProvider(runtime.sleep)
    worker_id = new_id()
    runs = RunService(MemoryStore(), runtime, lambda: worker_id, clock)
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
        orphan_run_s=settings.orphan_run_s,
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


def make_store(settings: Settings) -> Store:
    """Return the store, its file made or brought up to date."""
    if settings.database_path is None:
        return MemoryStore()
    migrate(settings.database_path)
    return SqlStore(settings.database_path, settings.store_timeout_s)


def make_locks(settings: Settings) -> FileLocks | NoLocks:
    """Return the locks by which workers on one database know each other."""
    path = settings.database_path
    return NoLocks() if path is None else FileLocks(f"{path}.workers")


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
            "runs": runs.live.counts(),
            "sessions": sessions.counts(),
            "tasks": runtime.task_count(),
        }
        return {**counts, "details": runs.details()} if for_admin else counts

    return about


def banner(settings: Settings, listener: socket.socket) -> str:
    """Return what a person wants to know at the start."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    provider = make_catalog(settings, lambda seconds: None).choose(None)
    hint = "" if settings.openai_is_set_up else "  (set OPENAI_API_KEY in .env for a real model)"
    return "\n".join(
        (
            f"Tandem {__version__} on http://{shown}:{port}",
            f"  model   {provider.name}: {provider.default_model}{hint}",
            f"  store   {settings.database_url}",
            f"  auth    {_auth_in_words(settings)}",
            f"  mode    {settings.async_mode}, process {os.getpid()}",
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
        runtime = make_runtime(settings.async_mode)
        tandem = create_app(settings, runtime=runtime)
    except DatabaseTooNew as error:
        return refuse(
            f"The database {error} was made by a newer Tandem. "
            "Update the code, or set DATABASE_URL to another file."
        )
    except DatabaseUnusable as error:
        return refuse(f"The database cannot be used: {error}. Set DATABASE_URL to another file.")
    except OSError as error:
        return refuse(explain(error, settings.host, settings.port))
    print(banner(settings, listener), flush=True)
    print(f"  files   at most {files} open at once", flush=True)
    runtime.serve(listener, tandem)
    print("Tandem has stopped.", flush=True)
    return 0
