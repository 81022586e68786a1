"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app import __version__
from app.chats.chat_interface import ChatInterface
from app.chats.rules import ChatRules, TextFilter
from app.chats.session_feed import SessionFeed
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.runs import new_id
from app.providers.build import make_catalog
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.runs.housekeeping import Keeping, Sweeper
from app.runs.ports import Clock, Provider, RunLimits
from app.runs.recovery import Recovery
from app.runs.service import RunService
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.settings import BadSetting, Settings
from app.stores.memory import MemoryStore
from app.stores.sql.migrate import migrate
from app.stores.sqlite.locks import FileLocks, NoLocks
from app.stores.sqlite.store import SqliteStore
from app.transports.app import limiter, make_app
from app.transports.guards.auth import Authenticator, AuthOptions
from app.transports.guards.origins import OriginPolicy
from app.transports.guards.rates import RateLimits
from app.transports.services import CallerLimits, Services
from app.usage.limits import DailyLimits
from app.usage.prices import Prices

Store = MemoryStore | SqliteStore


def create_app(
    settings: Settings,
    providers: Mapping[str, Provider] | None = None,
    runtime: Runtime | None = None,
    clock: Clock | None = None,
) -> Tandem:
    """Build a server from its settings.

    Raises BadSetting, DatabaseTooNew, DatabaseUnusable, OSError, StorageUnavailable.
    """
    runtime = runtime or make_runtime(settings.async_mode)
    clock = clock or Clock()
    catalog = make_catalog(settings, runtime, clock, providers, runtime.reader_of)
    prices = read_prices(settings)
    rules = chat_rules(settings)
    store = make_store(settings)
    runs = RunService(
        store,
        runtime,
        lambda: recovery.worker_id,
        clock,
        run_limits(settings),
        lambda run: sessions.tell_ended(run),
        lambda lost: recovery.register(lost),
        prices.cost,
    )
    recovery = Recovery(store, make_locks(settings), runs.calls, clock, prices.cost)
    keeping = Keeping(settings.replay_ttl_s, settings.retention_days)
    sweeper = Sweeper(runs, recovery, clock, keeping)
    session_map = SessionMap(
        lambda owner, session_id: ChatInterface(owner, session_id, runs, catalog, clock, rules),
        settings.session_idle_s,
        settings.max_sessions_in_memory,
        clock.monotonic,
    )
    feed = SessionFeed(runtime.new_waiter, clock.monotonic)
    daily = DailyLimits(settings.daily_tokens_per_user, settings.daily_cost_per_user)
    sessions = SessionService(store, session_map, runs, feed, clock, daily)
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
        answers=catalog.choose(None),
        head_timeout_s=settings.request_head_timeout_s,
        viewer_stall_s=settings.viewer_stall_s,
        shutdown_grace_s=settings.shutdown_grace_s,
        each_tick=[runs.tick, feed.wake_due, app.extensions["tandem.sockets"].drop_expired],
        each_second=[
            sweeper.sweep,
            session_map.evict_idle,
            lambda: runtime.run_blocking(store.tidy, clock.wall()),
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
        connections=runtime,
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
        limits=CallerLimits(
            max_sockets_per_user=settings.max_sockets_per_user,
            socket_events_per_s=settings.socket_events_per_s,
            request_head_timeout_s=settings.request_head_timeout_s,
            request_body_timeout_s=settings.request_body_timeout_s,
            trusted_proxies=settings.trusted_proxies,
            viewer_stall_s=settings.viewer_stall_s,
        ),
        max_body_bytes=settings.max_body_bytes,
        max_message_bytes=settings.max_message_bytes,
        catalog=catalog,
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
        delta_timeout_s=settings.delta_timeout_s,
        run_timeout_s=settings.run_timeout_s,
        store_timeout_s=settings.store_timeout_s,
        heartbeat_s=settings.heartbeat_s,
        orphan_run_s=settings.orphan_run_s,
    )


def chat_rules(settings: Settings) -> ChatRules:
    """Return what holds for every conversation. Raises BadSetting."""
    return ChatRules(
        system_prompt=settings.system_prompt,
        context_tokens=settings.context_tokens,
        max_output_tokens=settings.max_output_tokens,
        text_filter=load_filter(settings),
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
    return SqliteStore(settings.database_path, settings.store_timeout_s)


def make_locks(settings: Settings) -> FileLocks | NoLocks:
    """Return the locks by which workers on one database know each other."""
    path = settings.database_path
    return NoLocks() if path is None else FileLocks(f"{path}.workers")


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


def read_prices(settings: Settings) -> Prices:
    """Return the prices of PRICES_FILE, none without one. Raises BadSetting."""
    if not settings.prices_file:
        return Prices()
    try:
        return Prices.from_text(Path(settings.prices_file).read_text())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadSetting(f"PRICES_FILE is {settings.prices_file!r}: {why}.") from None


def load_filter(settings: Settings) -> TextFilter | None:
    """Return the callable that TEXT_FILTER names. Raises BadSetting."""
    if not settings.text_filter:
        return None
    module, _, name = settings.text_filter.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise BadSetting(
            f"TEXT_FILTER is {settings.text_filter!r}; "
            "it must be `module:callable`, of a module that can be imported."
        )
    text_filter: TextFilter = found
    return text_filter
