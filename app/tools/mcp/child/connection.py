"""The connection to one server: made when somebody needs it, made anew when it has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import httpx2
from mcp import Client, StdioServerParameters, types
from mcp.client import Transport
from mcp.client.session import ElicitationFnT
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from app import __version__
from app.tools.mcp.child.results import reason, tool_json

log = logging.getLogger("mcp.connection")
CONNECT_S = 60.0  # npx and the like fetch a server before they start it
LIST_S = 30.0
MAX_PAGES = 100  # of a list: a server that never ends it is not to hang us
MAX_TOOLS = 2000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # between attempts to connect
HTTP_S, READ_S = 30.0, 300.0  # a server may keep a stream open in silence
SESSION_HEADER = "mcp-session-id"
NEWEST = "2026-07-28"  # the first without sessions


class Away(Exception):
    """Why a server cannot be asked."""


@dataclass(frozen=True, slots=True)
class Server:
    """How one is reached; as app/tools/mcp/config.py reads it."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None
    protocol: str = "auto"
    read_s: float = READ_S

    @property
    def mode(self) -> str:
        """What the SDK calls it."""
        return "legacy" if self.protocol == "2025" else "auto"


class Connection:
    """To one server. `changed` is called with its tools whenever they are not those of before."""

    def __init__(
        self,
        server: Server,
        ask: ElicitationFnT,
        changed: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self.server = server
        self._ask = ask
        self._changed = changed
        self._opened: asyncio.Future[Client] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()  # of the connection that there is
        self._refusal = 0  # the last status by which it was refused as a session
        self._failures = 0
        self._not_before = 0.0
        self._why = ""

    async def client(self) -> Client:
        """Return the client, connected. Raises Away."""
        opened = self._opened
        if opened is None or (opened.done() and self._gone.is_set()):
            opened = self._open()
        try:
            return await asyncio.shield(opened)
        except asyncio.CancelledError:
            if opened.cancelled():
                raise Away("the connection was closed.") from None
            raise

    async def tools(self) -> list[dict[str, Any]]:
        """Ask for all tools, and return them. Raises Away, MCPError, TimeoutError."""
        return await self._listed(await self.client())

    def dropped(self) -> bool:
        """Close the connection if its session was refused, so that the next call makes another.
        Return whether the server has forgotten the session, and so done nothing of a call.

        MCP 2025-11-25, Transports, Session Management: 404; some say 400, of other things too.
        """
        refusal, self._refusal = self._refusal, 0
        if refusal:
            self._gone.set()
            self._opened = None
        return refusal == 404

    async def _look_at(self, response: httpx2.Response) -> None:
        if response.status_code in (400, 404) and SESSION_HEADER in response.request.headers:
            self._refusal = response.status_code

    async def close(self) -> None:
        """Close the connection, and end the server if it is a process of ours."""
        self._gone.set()
        if self._holding is not None:
            with suppress(asyncio.CancelledError):
                await self._holding

    def _open(self) -> asyncio.Future[Client]:
        loop = asyncio.get_running_loop()
        wait = self._not_before - loop.time()
        if wait > 0:
            raise Away(f"{self._why} (It is tried again in {wait:.0f} s.)")
        self._opened = opened = loop.create_future()
        opened.add_done_callback(_retrieved)
        self._gone = asyncio.Event()
        self._holding = asyncio.create_task(self._hold(opened, self._gone))
        return opened

    async def _hold(self, opened: asyncio.Future[Client], gone: asyncio.Event) -> None:
        """Be connected until the connection is lost or dropped: what the SDK opens in one task it
        must close there."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(CONNECT_S) as patience:
                async with self._client(gone) as client:
                    await self._listed(client)
                    patience.reschedule(None)
                    opened.set_result(client)
                    watching = asyncio.create_task(self._watch(client, gone))
                    await gone.wait()
                    watching.cancel()
            why = "it has gone away."
        except Exception as error:  # whatever the SDK raises of a server that does not work
            why = reason(error)
            log.debug("%s: %r", self.server.name, error)
        lived = asyncio.get_running_loop().time() - began
        was_open = opened.done()
        self._failures = 0 if was_open and lived > LONGEST_PAUSE_S else self._failures + 1
        if not was_open or self._failures > 1:  # one that worked is connected again at once
            pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
            self._not_before, self._why = asyncio.get_running_loop().time() + pause, why
        if self._opened is opened:
            self._opened = None
        if not was_open:
            opened.set_exception(Away(why))

    @asynccontextmanager
    async def _client(self, gone: asyncio.Event) -> AsyncIterator[Client]:
        server = self.server
        async with _http(server, self._look_at) as http:
            if http is not None:
                transport = streamable_http_client(server.url, http_client=http)
            else:
                transport = stdio_client(_command(server))
            watched = cast(Transport, _watched(transport, gone))
            async with Client(
                watched,
                mode=server.mode,
                elicitation_callback=self._ask,
                message_handler=self._heard,
                client_info=types.Implementation(name="tandem", version=__version__),
                cache=None,
            ) as client:
                yield client

    async def _listed(self, client: Client) -> list[dict[str, Any]]:
        """Ask for the tools, which the SDK needs to know too; tell of them, return them."""
        if client.server_capabilities.tools is None and client.protocol_version < NEWEST:
            found: list[types.Tool] = []
        else:
            async with asyncio.timeout(LIST_S):
                found = await _all_tools(client)
        tools = [tool_json(tool) for tool in found]
        self._changed(tools)
        return tools

    async def _heard(self, message: Any) -> None:
        """Take a notification of the server's."""
        if isinstance(message, types.ToolListChangedNotification) and self._opened is not None:
            # Not here: the SDK reads nothing on while this runs.
            task = asyncio.create_task(self._refresh())
            task.add_done_callback(_retrieved)

    async def _refresh(self) -> None:
        with suppress(Away, MCPError, TimeoutError):
            await self.tools()

    async def _watch(self, client: Client, gone: asyncio.Event) -> None:
        """Listen for changes of the list where the protocol has no session that tells of them."""
        tools = client.server_capabilities.tools
        if client.protocol_version < NEWEST or tools is None or not tools.list_changed:
            return
        pause = FIRST_PAUSE_S
        while not gone.is_set():
            with suppress(Exception):  # listening is a convenience: lists are asked for anyway
                async with client.listen(tools_list_changed=True) as events:
                    pause = FIRST_PAUSE_S
                    async for _ in events:
                        await self._refresh()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


async def _all_tools(client: Client) -> list[types.Tool]:
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) >= MAX_TOOLS:
            break
    return found[:MAX_TOOLS]


def _command(server: Server) -> StdioServerParameters:
    env = dict(server.env or {})
    return StdioServerParameters(
        command=server.command,
        args=list(server.args),
        env=env,
        cwd=server.cwd,
        encoding_error_handler="replace",
    )


@asynccontextmanager
async def _http(
    server: Server, look_at: Callable[[httpx2.Response], Awaitable[None]]
) -> AsyncIterator[httpx2.AsyncClient | None]:
    if not server.url:
        yield None
        return
    timeout = httpx2.Timeout(HTTP_S, read=server.read_s)
    headers, hooks = dict(server.headers or {}), {"response": [look_at]}
    async with httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as http:
        yield http


@asynccontextmanager
async def _watched(transport: Any, gone: asyncio.Event) -> AsyncIterator[tuple[Any, Any]]:
    """Enter a transport; set `gone` when it has nothing more to read."""
    async with transport as (read, write):
        yield _WatchedStream(read, gone), write


class _WatchedStream:
    """The SDK's stream of what a server says, that tells of its end."""

    def __init__(self, stream: Any, gone: asyncio.Event) -> None:
        self._stream = stream
        self._gone = gone

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> _WatchedStream:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self._gone.set()
            raise

    async def __aenter__(self) -> _WatchedStream:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Look at how it ended, so that asyncio does not log what nobody waited for."""
    if not future.cancelled():
        future.exception()
