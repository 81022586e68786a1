"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from app import __version__
from app.chats.chat_interface import ChatInterface
from app.chats.rules import TextFilter
from app.chats.session_feed import SessionFeed
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.runs import new_id
from app.providers.build import NotSetUp, Vendors, make_catalog
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.settings import ProviderSettings
from app.runs.housekeeping import Sweeper
from app.runs.ports import Clock, Provider
from app.runs.recovery import Recovery
from app.runs.service import RunService
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.settings import AllSettings, BadSetting, load
from app.settings.sections import (
    AuthSettings,
    ChatSettings,
    LimitSettings,
    LogSettings,
    RateSettings,
    RunSettings,
    ServerSettings,
    StoreSettings,
    UsageSettings,
    check_reach,
)
from app.stores.memory import MemoryStore
from app.stores.sql.migrate import migrate
from app.stores.sqlite.locks import FileLocks, NoLocks
from app.stores.sqlite.store import SqliteStore
from app.transports.app import limiter, make_app
from app.transports.guards.auth import Authenticator
from app.transports.guards.origins import OriginPolicy
from app.transports.guards.rates import RateLimits
from app.transports.services import Services
from app.usage.limits import DailyLimits
from app.usage.prices import Prices

Store = MemoryStore | SqliteStore


class Settings(AllSettings):
    """Every setting, in the order that README.md has."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    logs: LogSettings = LogSettings()
    vendors: Vendors = Vendors()
    providers: ProviderSettings = ProviderSettings()
    chats: ChatSettings = ChatSettings()
    usage: UsageSettings = UsageSettings()
    auth: AuthSettings = AuthSettings()
    rates: RateSettings = RateSettings()
    limits: LimitSettings = LimitSettings()
    runs: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _check_reach(self) -> Settings:
        check_reach(self.server, self.auth)
        return self


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment (os.environ by default). Raises BadSetting."""
    return load(Settings, environ)


def create_app(
    settings: Settings,
    providers: Mapping[str, Provider] | None = None,
    runtime: Runtime | None = None,
    clock: Clock | None = None,
) -> Tandem:
    """Build a server from its settings.

    Raises BadSetting, DatabaseTooNew, DatabaseUnusable, OSError, StorageUnavailable.
    """
    runtime = runtime or make_runtime(settings.server.async_mode)
    clock = clock or Clock()
    catalog = read_catalog(settings, runtime, clock, providers)
    prices = read_prices(settings.usage.prices_file)
    text_filter = load_filter(settings.chats.text_filter)
    store = make_store(settings)
    runs = RunService(
        store,
        runtime,
        lambda: recovery.worker_id,
        clock,
        settings.runs,
        lambda run: sessions.tell_ended(run),
        lambda lost: recovery.register(lost),
        prices.cost,
    )
    recovery = Recovery(store, make_locks(settings), runs.calls, clock, prices.cost)
    sweeper = Sweeper(runs, recovery, clock, settings.store)
    session_map = SessionMap(
        lambda owner, session_id: ChatInterface(
            owner, session_id, runs, catalog, clock, settings.chats, text_filter
        ),
        settings.chats.session_idle_s,
        settings.chats.max_sessions_in_memory,
        clock.monotonic,
    )
    feed = SessionFeed(runtime.new_waiter, clock.monotonic)
    sessions = SessionService(store, session_map, runs, feed, clock, DailyLimits(settings.usage))
    about = _about(settings, runtime, store, catalog, runs, sessions, clock)
    services = _make_services(settings, runtime, clock, catalog, runs, sessions, about)
    app = make_app(services, runtime.name)
    recovery.register()
    recovery.sweep()  # before anybody is let in: what a crash left is ended when they look
    return Tandem(
        app=app,
        runtime=runtime,
        runs=runs,
        clock=clock,
        answers=catalog.choose(None),
        head_timeout_s=settings.limits.request_head_timeout_s,
        viewer_stall_s=settings.limits.viewer_stall_s,
        shutdown_grace_s=settings.server.shutdown_grace_s,
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
    server = settings.server
    return Services(
        runs=runs,
        sessions=sessions,
        runtime=runtime,
        connections=runtime,
        auth=Authenticator(settings.auth, clock.wall),
        origins=OriginPolicy(server.cors_origins, server.allowed_hosts, server.on_loopback),
        rates=RateLimits(limiter, settings.rates),
        limits=settings.limits,
        catalog=catalog,
        about=about,
        is_healthy=lambda: not (runs.calls.failing or runs.live.refusing),
    )


def open_chat(provider: Provider | None = None, session_id: str = "local") -> ChatInterface:
    """Return a conversation without a server: threads, memory, the demo provider unless told
    otherwise; what is a setting of the server has its default.

    `for text in open_chat().chat("hello", stream=True): print(text, end="")`
    """
    runtime, clock, settings = ThreadRuntime(), Clock(), Settings()
    pacing = settings.providers
    demo = provider or DemoProvider(runtime.sleep, pacing.stream_chunk_words, pacing.stream_delay_s)
    worker_id = new_id()
    runs = RunService(MemoryStore(), runtime, lambda: worker_id, clock, settings.runs)
    catalog = ProviderCatalog({}, {}, demo, "")
    return ChatInterface("local", session_id, runs, catalog, clock, settings.chats)


def read_catalog(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    given: Mapping[str, Provider] | None = None,
) -> ProviderCatalog:
    """Return the catalog of providers. Raises BadSetting."""
    try:
        return make_catalog(
            settings.providers, settings.vendors, settings.runs, runtime, clock, given
        )
    except NotSetUp as error:
        raise BadSetting(str(error)) from None


def make_store(settings: Settings) -> Store:
    """Return the store, its file made or brought up to date."""
    path = settings.store.database_path
    if path is None:
        return MemoryStore()
    migrate(path)
    return SqliteStore(path, settings.runs.store_timeout_s)


def make_locks(settings: Settings) -> FileLocks | NoLocks:
    """Return the locks by which workers on one database know each other."""
    path = settings.store.database_path
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


def read_prices(file: str) -> Prices:
    """Return the prices of PRICES_FILE, none without one. Raises BadSetting."""
    if not file:
        return Prices()
    try:
        return Prices.from_text(Path(file).read_text())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadSetting(f"PRICES_FILE is {file!r}: {why}.") from None


def load_filter(written: str) -> TextFilter | None:
    """Return the callable that TEXT_FILTER names, None if it names none. Raises BadSetting."""
    if not written:
        return None
    module, _, name = written.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise BadSetting(
            f"TEXT_FILTER is {written!r}; "
            "it must be `module:callable`, of a module that can be imported."
        )
    text_filter: TextFilter = found
    return text_filter
