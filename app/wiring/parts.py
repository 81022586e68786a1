"""What is made of a few settings each: providers, prices, tools, attachments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.attachments.apart import Apart
from app.attachments.service import AttachmentService
from app.attachments.shelf import shelf_of
from app.chats.rules import TextFilter
from app.core.store import Store
from app.providers.build import make_catalog
from app.providers.catalog import ProviderCatalog
from app.providers.http.ways import ways_out
from app.providers.settings import NotSetUp
from app.runs.ports import Clock, Provider
from app.runs.ports import Runtime as RunRuntime
from app.runtimes.runtime import Runtime
from app.settings import BadSetting, environment
from app.settings.named import callable_of, reading
from app.settings.sections import (
    ToolSettings,
)
from app.stores.calls import StoreCalls
from app.tools.builtin.build import built_in
from app.tools.loop import Surroundings
from app.tools.mcp.config import read_servers
from app.tools.mcp.servers import McpServers
from app.tools.toolbox import More, NoSuchTool, Toolbox, load_tools
from app.tools.web.network import Network
from app.usage.prices import Prices
from app.wiring.settings import Settings


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
    settings: Settings,
    usual: str | None,
    store: Store,
    calls: StoreCalls,
    runtime: Runtime,
    clock: Clock,
) -> AttachmentService:
    """Return what keeps attachments, in the `usual` folder unless another is set."""
    shelf = shelf_of(settings.attachments.attachments_dir, usual)
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
