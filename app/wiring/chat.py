"""A conversation without a server."""

from __future__ import annotations

from collections.abc import Mapping

from app.chats.chat_interface import ChatInterface
from app.metrics.counts import Metrics
from app.providers.catalog import ProviderCatalog
from app.runs.ports import Clock, Provider
from app.runtimes.threads import ThreadRuntime
from app.stores.memory import MemoryStore
from app.stores.no_locks import NoLocks
from app.wiring.parts import load_filter, make_mcp, make_toolbox, read_catalog
from app.wiring.runs import make_runs
from app.wiring.settings import load_settings


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
