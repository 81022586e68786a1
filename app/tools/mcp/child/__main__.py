"""Lines in, lines out: lists of tools, calls, and what comes of them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any

from mcp.shared.exceptions import MCPError

from app.tools.mcp.child.calls import Calls
from app.tools.mcp.child.connection import Away, Connection, Server
from app.tools.mcp.child.results import reason

MAX_LINE_BYTES = 2**26
BEAT_S = 5.0  # a sign of life; client.py takes a process without any for hung
LAST_S = 8.0  # for the servers to end: the SDK asks, then kills them within four seconds


class Child:
    """All servers, and the line to who asks."""

    def __init__(self, writer: asyncio.StreamWriter, setup: Mapping[str, Any]) -> None:
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[str, Calls] = {}
        self._connections: dict[str, Connection] = {}
        for name, options in setup["servers"].items():
            calls = Calls(self._tell, setup["max_bytes"])
            self._calls[name] = calls
            self._connections[name] = Connection(
                Server(name, **{**options, "args": tuple(options.get("args", ()))}),
                calls.ask,
                partial(self._list_changed, name),
            )

    def say(self, **fields: Any) -> None:
        """Send a line."""
        self._writer.write(json.dumps(fields).encode() + b"\n")

    def _list_changed(self, server: str, tools: list[dict[str, Any]]) -> None:
        self.say(server=server, tools=tools)

    def _tell(self, number: int, **fields: Any) -> None:
        self.say(id=number, **fields)

    def take(self, message: Mapping[str, Any]) -> None:
        """Do what a line asks for."""
        name = message["server"]
        match message["do"]:
            case "list":
                task = asyncio.create_task(self._list(message["id"], self._connections[name]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case "call":
                self._calls[name].start(message, self._connections[name])
            case "cancel":
                self._calls[name].cancel(message["id"])

    async def _list(self, number: int, connection: Connection) -> None:
        try:
            self._tell(number, tools=await connection.tools())
        except (Away, MCPError, TimeoutError) as error:
            self._tell(number, error=reason(error))
        except Exception as error:
            self._tell(number, error=f"its list cannot be read: {reason(error)}")

    async def beat(self) -> None:
        """Show that this process lives."""
        while True:
            self.say()
            await asyncio.sleep(BEAT_S)

    async def close(self) -> None:
        """End all connections, all at once."""
        closing = (connection.close() for connection in self._connections.values())
        await asyncio.wait_for(asyncio.gather(*closing, return_exceptions=True), LAST_S)


class Lines(logging.Handler):
    """Sends what is logged here to who keeps a log."""

    def __init__(self, child: Child) -> None:
        super().__init__(logging.WARNING)
        self._child = child

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        try:
            self._child.say(log=[record.levelno, record.name, record.getMessage()[:2000]])
        except Exception:
            self.handleError(record)


async def main() -> None:
    """Serve the socket that is this process's stdin, until it closes."""
    reader, writer = await asyncio.open_connection(
        sock=socket.socket(fileno=_taken(0)), limit=MAX_LINE_BYTES
    )
    child = Child(writer, json.loads(await reader.readline()))
    logging.getLogger().addHandler(Lines(child))
    logging.getLogger("mcp").setLevel(logging.ERROR)  # what is wrong is said by who needs it
    beating = asyncio.create_task(child.beat())
    while line := await reader.readline():
        child.take(json.loads(line))
    beating.cancel()
    try:
        await child.close()
    finally:
        writer.close()


def _taken(number: int) -> int:
    """Return another descriptor for what this one is; it becomes /dev/null."""
    taken = os.dup(number)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, number)
    os.close(null)
    return taken


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (KeyboardInterrupt, ConnectionError, TimeoutError):
        pass  # whoever asked has gone
