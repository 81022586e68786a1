"""A whole server: from the settings to what listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app import __version__
from app.attachments.service import AttachmentService
from app.broker.build import make_broker
from app.chats.chat_interface import ChatInterface
from app.chats.rules import TextFilter
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.store import CountsHits, Store
from app.metrics.counts import Metrics
from app.providers.catalog import ProviderCatalog
from app.rates.build import make_shared
from app.rates.memory import MemoryWindows
from app.rates.stored import CountHit
from app.rates.windows import Hit
from app.runs.housekeeping import Housekeeper
from app.runs.ports import Clock, Provider
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.server import Tandem
from app.settings.place import Place
from app.stores.build import Database, database_of, make_store
from app.stores.calls import StoreCalls
from app.stores.searches import Searches
from app.tools.toolbox import Toolbox
from app.transports.app import make_app, own_windows
from app.transports.guards.auth import Authenticator
from app.transports.guards.origins import OriginPolicy
from app.transports.guards.rates import RateLimits
from app.transports.services import ServerFacts, Services
from app.usage.limits import DailyLimits
from app.wiring.parts import (
    load_filter,
    make_attachments,
    make_mcp,
    make_toolbox,
    read_catalog,
    read_prices,
)
from app.wiring.runs import RunParts, make_runs
from app.wiring.settings import Settings
from app.workers.siblings import Siblings


def create_app(
    settings: Settings,
    providers: Mapping[str, Provider] | None = None,
    runtime: Runtime | None = None,
    clock: Clock | None = None,
    make: Callable[[str, int], Runtime] = make_runtime,
    place: Place | None = None,
) -> Tandem:
    """Build a server; `make` gives it a runtime unless it is handed one, `place` is its own among
    several processes. Raises BadSetting, DatabaseTooNew, DatabaseUnusable, OSError,
    StorageUnavailable."""
    database = database_of(settings.store.database_url)
    runtime = runtime or make(settings.server.async_mode, database.threads)
    clock = clock or Clock()
    catalog = read_catalog(settings, runtime, clock, providers)
    text_filter, metrics = load_filter(settings.chats.text_filter), Metrics()
    parts = _make_parts(settings, database, runtime, clock, metrics)
    mcp = make_mcp(settings.tools, runtime, clock)
    toolbox = make_toolbox(settings, runtime, clock, mcp)
    attachments = make_attachments(
        settings, database.attachments, parts.store, parts.calls, runtime, clock
    )
    session_map = _make_map(settings, parts, catalog, clock, text_filter, toolbox, attachments)
    searches = Searches(parts.store, runtime)
    sessions = _make_sessions(settings, parts, session_map, clock, searches)
    siblings = Siblings(place, runtime) if place else None
    services = _make_services(
        settings, runtime, clock, catalog, parts, sessions, metrics, toolbox, attachments, siblings
    )
    app = make_app(services, runtime.name)
    parts.worker.register()
    parts.recovery.sweep()  # before anybody is let in: what a crash left is ended when they look
    tandem = _make_tandem(settings, runtime, clock, catalog, app, parts)
    tandem.siblings = siblings
    tandem.each_tick += [searches.tick, app.extensions["tandem.sockets"].drop_expired]
    tandem.each_second += [session_map.evict_idle, catalog.refresh, attachments.sweep]
    tandem.at_end += _share_rates(settings, database, parts, services.rates)
    tandem.at_end += [one.close for one in mcp] + ([siblings.end] if siblings else [])
    return tandem


def _make_parts(
    settings: Settings, database: Database, runtime: Runtime, clock: Clock, metrics: Metrics
) -> RunParts:
    """Return what runs are made of, on a database that is made or brought up to date."""
    cost_of = read_prices(settings.usage.prices_file).cost
    store = make_store(database, settings.runs.store_timeout_s, runtime)
    locks = database.make_locks(runtime)
    broker = make_broker(database, _redis_url(settings), runtime, clock)
    shared = settings.server.workers > 1
    return make_runs(
        store, locks, runtime, clock, settings.runs, metrics, cost_of, broker, shared=shared
    )


def _redis_url(settings: Settings) -> str:
    return settings.store.redis_url.get_secret_value()


def _share_rates(
    settings: Settings, database: Database, parts: RunParts, rates: RateLimits
) -> list[Callable[[], object]]:
    """Count rates with the other processes on the database, while there are any; return what is to
    be done at the end."""
    own, redis_url = rates.windows, _redis_url(settings)
    count = _counting(parts.store, parts.calls)
    group = database.group() if redis_url else ""
    shared = make_shared(own, redis_url, group, database.windows, count)
    if shared is None:
        return []
    if redis_url:
        rates.count_in(shared)
    else:
        parts.neighbours.tell(lambda there: rates.count_in(shared if there else own))
    return [shared.close]


def _counting(store: Store, calls: StoreCalls) -> CountHit | None:
    if not isinstance(store, CountsHits):
        return None
    count_hit = store.count_hit

    def count(key: str, most: int, window_s: int) -> Hit:
        return calls(count_hit, key, most, window_s)

    return count


def _make_tandem(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    catalog: ProviderCatalog,
    app: Any,
    parts: RunParts,
) -> Tandem:
    return Tandem(
        app=app,
        runtime=runtime,
        registry=parts.registry,
        clock=clock,
        answers=catalog.choose(None),
        head_timeout_s=settings.limits.request_head_timeout_s,
        viewer_stall_s=settings.limits.viewer_stall_s,
        requests_per_s=settings.limits.http_requests_per_s_per_connection,
        shutdown_grace_s=settings.server.shutdown_grace_s,
        each_tick=[parts.locks.tick, parts.runs.tick, parts.broker.tick],
        each_second=_upkeep(settings, runtime, clock, parts),
        at_end=[parts.recovery.retire, parts.broker.close],
    )


def _upkeep(
    settings: Settings, runtime: Runtime, clock: Clock, parts: RunParts
) -> list[Callable[[], object]]:
    """Return what is done once a second for the store and its runs."""
    store = parts.store
    housekeeper = Housekeeper(
        store, parts.calls, parts.committer, parts.recovery, parts.remote, clock, settings.store
    )
    tidy = partial(runtime.run_blocking, lambda: store.tidy(clock.wall()))
    return [housekeeper.work, parts.runs.end_expired, tidy]


def _make_sessions(
    settings: Settings,
    parts: RunParts,
    session_map: SessionMap,
    clock: Clock,
    searches: Searches,
) -> SessionService:
    store, daily = parts.store, DailyLimits(settings.usage)
    sessions = SessionService(
        store, parts.calls, session_map, parts.runs, parts.broker, clock, daily, searches
    )
    parts.broker.hear(sessions.hear)
    return sessions


def _make_map(
    settings: Settings,
    parts: RunParts,
    catalog: ProviderCatalog,
    clock: Clock,
    text_filter: TextFilter | None,
    toolbox: Toolbox,
    attachments: AttachmentService,
) -> SessionMap:
    chats, runs = settings.chats, parts.runs
    more = (text_filter, toolbox, attachments)

    def make(owner: str, session_id: str) -> ChatInterface:
        return ChatInterface(owner, session_id, runs, catalog, clock, chats, *more)

    return SessionMap(make, chats.session_idle_s, chats.max_sessions_in_memory, clock.monotonic)


def _make_services(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    catalog: ProviderCatalog,
    parts: RunParts,
    sessions: SessionService,
    metrics: Metrics,
    toolbox: Toolbox,
    attachments: AttachmentService,
    siblings: Siblings | None,
) -> Services:
    started = clock.monotonic()
    server = settings.server
    return Services(
        runs=parts.runs,
        sessions=sessions,
        runtime=runtime,
        connections=runtime,
        auth=Authenticator(settings.auth, clock.wall),
        origins=OriginPolicy(server.cors_origins, server.allowed_hosts, server.on_loopback),
        rates=RateLimits(MemoryWindows(own_windows), settings.rates),
        limits=settings.limits,
        catalog=catalog,
        facts=ServerFacts(
            version=__version__,
            async_mode=runtime.name,
            store=parts.store.name,
            uptime_s=lambda: clock.monotonic() - started,
            task_count=runtime.task_count,
            node=server.node,
        ),
        is_healthy=lambda: not (parts.calls.failing or parts.registry.refusing),
        metrics=metrics,
        toolbox=toolbox,
        attachments=attachments,
        siblings=siblings,
    )
