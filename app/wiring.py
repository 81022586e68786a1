"""The composition root: the one module that sees every layer, from the settings to a server that
listens."""

from __future__ import annotations

import logging
import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app import __version__
from app.chats.chat_interface import ChatInterface
from app.chats.session_map import SessionMap
from app.chats.session_service import SessionService
from app.listening import is_address_in_use, listen
from app.log_setup import set_up_logs
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.openai_compatible import OpenAICompatible
from app.runs.errors import StorageUnavailable
from app.runs.interfaces import Clock, Provider, RunLimits
from app.runs.records import new_id
from app.runs.run import interrupted
from app.runs.run_service import RunService
from app.runtime import Runtime, ThreadRuntime, make_runtime
from app.settings import BadSetting, Settings, load_settings
from app.stores.memory import MemoryStore
from app.stores.migrate import DatabaseTooNew, migrate
from app.stores.sql import SqlStore
from app.transports.auth import Authenticator
from app.transports.flask_app import make_app
from app.transports.origins import OriginPolicy
from app.transports.services import Services

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

    def start_ticking(self) -> None:
        """Start the one task that does what time brings."""
        self.runtime.spawn(self._tick)

    def _tick(self) -> None:
        ticks = 0
        while not self.stopped:
            self.runtime.sleep(TICK_S)
            ticks += 1
            self.runs.tick()
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
        auth=Authenticator(),
        origins=origins,
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
        max_reply_bytes=settings.max_reply_bytes,
        first_delta_timeout_s=settings.first_delta_timeout_s,
        run_timeout_s=settings.run_timeout_s,
        store_timeout_s=settings.store_timeout_s,
        heartbeat_s=settings.heartbeat_s,
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
) -> Callable[[], dict[str, Any]]:
    started = clock.monotonic()

    def about() -> dict[str, Any]:
        return {
            "version": __version__,
            "uptime_s": round(clock.monotonic() - started, 1),
            "async_mode": runtime.name,
            "store": store.name,
            "providers": catalog.names(),
            "runs": runs.counts(),
            "sessions": sessions.counts(),
        }

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
            f"  auth    {'off: only this machine can reach it' if settings.on_loopback else 'OFF'}",
            f"  mode    {tandem.runtime.name}, process {os.getpid()}",
        )
    )


def main() -> int:
    """Serve until told to stop; return the exit code. A start that fails says in a line what to
    do."""
    try:
        settings = load_settings()
    except BadSetting as error:
        return _refuse(f"{error}\nAll settings are in README.md and .env.example.")
    try:
        set_up_logs(settings.log_dir, settings.log_level)
        files = raise_file_limit()
        listener = listen(settings.host, settings.port)
        tandem = create_app(settings)
    except DatabaseTooNew as error:
        return _refuse(
            f"The database {error} was made by a newer Tandem. "
            "Update the code, or set DATABASE_URL to another file."
        )
    except OSError as error:
        return _refuse(_explain(error, settings))
    print(banner(tandem, listener), flush=True)
    print(f"  files   at most {files} open at once", flush=True)
    tandem.runtime.serve(listener, tandem)
    print("Tandem has stopped.", flush=True)
    return 0


def raise_file_limit() -> int:
    """Raise the limit of open files to the hard one (each viewer is one); return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft  # macOS refuses what it calls unlimited
    return hard


def _refuse(reason: str) -> int:
    print(f"Tandem cannot start. {reason}", file=sys.stderr)
    return 2


def _explain(error: OSError, settings: Settings) -> str:
    if is_address_in_use(error):
        advice = f"PORT={settings.port + 1} make run"
        airplay = " (macOS keeps 5000 for AirPlay Receiver)" if settings.port == 5000 else ""
        return f"Port {settings.port} is in use{airplay}. Stop what uses it, or try: {advice}"
    return f"{error.strerror or error}: {error.filename or settings.host}"
