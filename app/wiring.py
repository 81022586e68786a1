"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import model_validator

from app import __version__
from app.attachments.apart import Apart
from app.attachments.service import AttachmentService
from app.attachments.shelf import shelf_of
from app.broker.local import LocalBroker
from app.chats.chat_interface import ChatInterface
from app.chats.rules import TextFilter
from app.chats.session_map import SessionMap
from app.chats.sessions import SessionService
from app.core.entries import Entry
from app.core.store import Store
from app.core.usage import CostOf, no_cost
from app.metrics.counts import Metrics
from app.providers.build import Vendors, make_catalog
from app.providers.catalog import ProviderCatalog
from app.providers.http.ways import ways_out
from app.providers.settings import NotSetUp, ProviderSettings
from app.runs.committer import Committer
from app.runs.housekeeping import Housekeeper
from app.runs.ports import Clock, Provider, RunLimits, RunMetrics
from app.runs.ports import Runtime as RunRuntime
from app.runs.ports import WorkerLocks
from app.runs.registry import RunRegistry
from app.runs.remote_logs import RemoteLogs
from app.runs.service import RunService
from app.runs.worker import Recovery, Worker
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.settings import AllSettings, BadSetting, environment, load
from app.settings.named import callable_of, reading
from app.settings.sections import (
    AttachmentSettings,
    AuthSettings,
    ChatSettings,
    LimitSettings,
    LogSettings,
    RateSettings,
    RunSettings,
    ServerSettings,
    StoreSettings,
    ToolSettings,
    UsageSettings,
    check_is_ones_own,
    check_reach,
)
from app.stores.build import engine_of, make_locks, make_store
from app.stores.calls import StoreCalls
from app.stores.memory import MemoryStore, NoLocks
from app.stores.searches import Searches
from app.tools.builtin.build import built_in
from app.tools.loop import Surroundings
from app.tools.mcp.config import read_servers
from app.tools.mcp.servers import McpServers
from app.tools.toolbox import More, NoSuchTool, Toolbox, load_tools
from app.tools.web.network import Network
from app.transports.app import limiter, make_app
from app.transports.guards.auth import Authenticator
from app.transports.guards.origins import OriginPolicy
from app.transports.guards.rates import RateLimits
from app.transports.services import ServerFacts, Services
from app.usage.limits import DailyLimits
from app.usage.prices import Prices


class Settings(AllSettings):
    """Every setting, in the order that README.md has."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    logs: LogSettings = LogSettings()
    vendors: Vendors = Vendors()
    providers: ProviderSettings = ProviderSettings()
    chats: ChatSettings = ChatSettings()
    tools: ToolSettings = ToolSettings()
    attachments: AttachmentSettings = AttachmentSettings()
    usage: UsageSettings = UsageSettings()
    auth: AuthSettings = AuthSettings()
    rates: RateSettings = RateSettings()
    limits: LimitSettings = LimitSettings()
    runs: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _check_reach(self) -> Settings:
        check_reach(self.server, self.auth)
        if self.providers.show_upstream_errors:
            check_is_ones_own(self.server, self.auth)
        return self


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment, by default the process's. Raises BadSetting."""
    return load(Settings, environ)


def create_app(
    settings: Settings,
    providers: Mapping[str, Provider] | None = None,
    runtime: Runtime | None = None,
    clock: Clock | None = None,
    make: Callable[[str, int], Runtime] = make_runtime,
) -> Tandem:
    """Build a server from its settings; `make` gives it a runtime unless it is handed one.

    Raises BadSetting, DatabaseTooNew, DatabaseUnusable, OSError, StorageUnavailable.
    """
    path = settings.store.database_path
    runtime = runtime or make(settings.server.async_mode, engine_of(path).threads)
    clock = clock or Clock()
    catalog = read_catalog(settings, runtime, clock, providers)
    cost_of = read_prices(settings.usage.prices_file).cost
    text_filter = load_filter(settings.chats.text_filter)
    store, locks = make_store(path, settings.runs.store_timeout_s), make_locks(path)
    metrics = Metrics()
    parts = make_runs(store, locks, runtime, clock, settings.runs, metrics, cost_of)
    mcp = make_mcp(settings.tools, runtime, clock)
    toolbox = make_toolbox(settings, runtime, clock, mcp)
    attachments = make_attachments(settings, store, parts.calls, runtime, clock)
    session_map = _make_map(settings, parts, catalog, clock, text_filter, toolbox, attachments)
    searches = Searches(store, runtime)
    sessions = _make_sessions(settings, parts, store, session_map, clock, searches)
    services = _make_services(
        settings, runtime, clock, catalog, store, parts, sessions, metrics, toolbox, attachments
    )
    app = make_app(services, runtime.name)
    parts.worker.register()
    parts.recovery.sweep()  # before anybody is let in: what a crash left is ended when they look
    tandem = _make_tandem(settings, runtime, clock, catalog, app, parts)
    tandem.each_tick += [searches.tick, app.extensions["tandem.sockets"].drop_expired]
    tandem.each_second += _upkeep(settings, runtime, clock, store, parts)
    tandem.each_second += [session_map.evict_idle, catalog.refresh, attachments.sweep]
    tandem.at_end += [one.close for one in mcp]
    return tandem


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
        each_tick=[parts.runs.tick, parts.broker.wake_due],
        at_end=[parts.recovery.retire],
    )


def _upkeep(
    settings: Settings, runtime: Runtime, clock: Clock, store: Store, parts: RunParts
) -> list[Callable[[], object]]:
    """Return what is done once a second for the store and its runs."""
    housekeeper = Housekeeper(
        store, parts.calls, parts.committer, parts.recovery, parts.remote, clock, settings.store
    )
    tidy = partial(runtime.run_blocking, lambda: store.tidy(clock.wall()))
    return [housekeeper.work, parts.runs.end_expired, tidy]


def _make_sessions(
    settings: Settings,
    parts: RunParts,
    store: Store,
    session_map: SessionMap,
    clock: Clock,
    searches: Searches,
) -> SessionService:
    daily = DailyLimits(settings.usage)
    return SessionService(
        store, parts.calls, session_map, parts.runs, parts.broker, clock, daily, searches
    )


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


class RunParts(NamedTuple):
    """What runs are made of; a run is started by `runs`."""

    calls: StoreCalls
    locks: WorkerLocks
    registry: RunRegistry
    worker: Worker
    recovery: Recovery
    broker: LocalBroker
    committer: Committer
    remote: RemoteLogs
    runs: RunService


def make_runs(
    store: Store,
    locks: WorkerLocks,
    runtime: RunRuntime,
    clock: Clock,
    limits: RunLimits,
    metrics: RunMetrics,
    cost_of: CostOf = no_cost,
    broker: LocalBroker | None = None,
) -> RunParts:
    """Build what runs need, from the store up. The worker has still to be registered."""
    calls = StoreCalls(store, runtime, clock, limits.store_timeout_s)
    registry = RunRegistry(limits.max_runs, limits.max_runs_per_user, clock.monotonic)
    worker = Worker(store, locks, calls, registry, runtime, clock)
    broker = broker or LocalBroker(runtime.new_waiter, clock.monotonic)
    committer = Committer(
        store,
        calls,
        worker,
        registry,
        broker,
        metrics,
        runtime,
        clock,
        limits.store_timeout_s,
        cost_of,
    )

    def read(run_id: str, after: int) -> list[Entry]:
        return calls(store.read_entries, run_id, after)

    remote = RemoteLogs(read, broker)
    runs = RunService(
        store, calls, worker, registry, committer, remote, broker, runtime, clock, limits, metrics
    )
    recovery = Recovery(store, locks, calls, worker, clock, cost_of)
    return RunParts(calls, locks, registry, worker, recovery, broker, committer, remote, runs)


def _make_services(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    catalog: ProviderCatalog,
    store: Store,
    parts: RunParts,
    sessions: SessionService,
    metrics: Metrics,
    toolbox: Toolbox,
    attachments: AttachmentService,
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
        rates=RateLimits(limiter, settings.rates),
        limits=settings.limits,
        catalog=catalog,
        facts=ServerFacts(
            version=__version__,
            async_mode=runtime.name,
            store=store.name,
            uptime_s=lambda: clock.monotonic() - started,
            task_count=runtime.task_count,
        ),
        is_healthy=lambda: not (parts.calls.failing or parts.registry.refusing),
        metrics=metrics,
        toolbox=toolbox,
        attachments=attachments,
    )


def open_chat(
    provider: Provider | None = None,
    session_id: str = "local",
    environ: Mapping[str, str] | None = None,
) -> ChatInterface:
    """Return a conversation without a server: in threads, and in memory whatever DATABASE_URL says.

    `provider` answers, or else who would with a server of the same environment (by default the
    process's): the demo where nothing is set up. Raises BadSetting.

    `for text in open_chat().chat("hello", stream=True): print(text, end="")`
    """
    runtime, clock, settings = ThreadRuntime(), Clock(), load_settings(environ)
    if provider is None:
        catalog = read_catalog(settings, runtime, clock)
    else:
        catalog = ProviderCatalog({}, {}, provider, "")
    text_filter = load_filter(settings.chats.text_filter)
    parts = make_runs(MemoryStore(), NoLocks(), runtime, clock, settings.runs, Metrics())
    parts.worker.register()
    toolbox = make_toolbox(settings, runtime, clock, make_mcp(settings.tools, runtime, clock))
    return ChatInterface(
        "local", session_id, parts.runs, catalog, clock, settings.chats, text_filter, toolbox
    )


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


def make_attachments(
    settings: Settings, store: Store, calls: StoreCalls, runtime: Runtime, clock: Clock
) -> AttachmentService:
    """Return what keeps attachments."""
    shelf = shelf_of(settings.attachments.attachments_dir, settings.store.database_path)
    apart = Apart(runtime)
    limits, room = settings.attachments, settings.chats.context_tokens
    return AttachmentService(store, calls, shelf, apart, runtime, clock, limits, room)


def read_prices(file: str) -> Prices:
    """Return the prices of PRICES_FILE, none without one. Raises BadSetting."""
    if not file:
        return Prices()
    with reading("PRICES_FILE", file):
        return Prices.from_text(Path(file).read_text())


def make_mcp(settings: ToolSettings, runtime: RunRuntime, clock: Clock) -> list[McpServers]:
    """Return the servers of MCP_SERVERS in one, none without any. Raises BadSetting."""
    file = settings.mcp_servers
    if not file:
        return []
    with reading("MCP_SERVERS", file):
        servers = read_servers(file, environment())
    timeout_s, max_bytes = settings.tool_timeout_s, settings.max_tool_result_bytes
    return [McpServers(servers, timeout_s, max_bytes, runtime, clock)] if servers else []


def make_toolbox(
    settings: Settings, runtime: RunRuntime, clock: Clock, more: Sequence[More] = ()
) -> Toolbox:
    """Return the tools that the server has. Raises BadSetting."""
    try:
        own = built_in(settings.tools, lambda: Network(*ways_out(settings.providers)), runtime)
        tools = [*own, *load_tools(settings.tools.tools)]
    except NoSuchTool as error:
        raise BadSetting(
            f"TOOLS has {str(error)!r}; it must be `module:name` of a function, or of an "
            "app.tools.tool.Tool, in a module that can be imported."
        ) from None
    except NotSetUp as error:
        raise BadSetting(str(error)) from None
    return Toolbox(tools, settings.tools, Surroundings(runtime, clock), more)


def load_filter(written: str) -> TextFilter | None:
    """Return the callable that TEXT_FILTER names, None if it names none. Raises BadSetting."""
    return callable_of("TEXT_FILTER", written) if written else None
