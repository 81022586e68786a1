"""An MCP server made with the official SDK: `server.py` on stdio, `server.py PORT` over HTTP.

MANY=200 gives it so many tools more; what it was told besides is in the file that SEEN names.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from mcp import types
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel

server = MCPServer("example")


class Place(BaseModel):
    city: str
    nights: int = 1


def seen(word: str) -> None:
    """Leave a word for the test."""
    if path := os.environ.get("SEEN"):
        with open(path, "a") as file:
            file.write(f"{word}\n")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    seen("add")
    return a + b


@server.tool()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@server.tool()
def weather(city: str) -> Place:
    """Return JSON."""
    return Place(city=city, nights=3)


@server.tool()
def fail() -> str:
    """Fail with a message."""
    raise ToolError("the printer is on fire")


@server.tool()
async def hang() -> str:
    """Never end."""
    seen("hangs")
    try:
        await asyncio.Event().wait()
    finally:
        seen("cancelled")
    return ""


@server.tool()
def die() -> str:
    """End the server."""
    os._exit(3)


@server.tool()
def long() -> str:
    """Return much."""
    return "x" * 300_000


@server.tool()
def picture() -> Image:
    """Return an image."""
    return Image(data=b"1234567", format="png")


@server.tool(structured_output=False)
def links() -> list[Any]:
    """Return resources."""
    return [
        types.TextContent(text="Two of them."),
        types.ResourceLink(uri="https://example.org/a", name="a", title="The first"),
        types.ResourceLink(uri="javascript:alert(1)", name="b"),
        types.EmbeddedResource(
            resource=types.TextResourceContents(uri="file:///notes.txt", text="what it says")
        ),
    ]


@server.tool()
async def steps(ctx: Context) -> str:
    """Tell how far it has come."""
    await ctx.report_progress(1, 2, "half")
    return "done"


@server.tool()
async def grow(ctx: Context) -> str:
    """Get another tool, and tell of it."""

    def grown() -> str:
        """Was not there before."""
        return "new"

    server.add_tool(grown)
    if (ctx.protocol_version or "") >= "2026":
        await ctx.notify_tools_changed()
    else:
        await ctx.session.send_tool_list_changed()
    return "grown"


def ask_place() -> Elicit[Place]:
    """Ask where to."""
    return Elicit("Where to?", Place)


@server.tool()
async def book(place: Annotated[Place, Resolve(ask_place)]) -> str:
    """Book a room, where the user says."""
    seen("booked")
    return f"{place.nights} nights in {place.city}"


@server.tool()
async def twice(ctx: Context) -> str:
    """Ask two things, one after the other (only in a session)."""
    first = await ctx.elicit("First?", Place)
    second = await ctx.elicit("Second?", Place)
    return f"{first.action} {second.action}"


def many() -> None:
    """Add tools."""
    for number in range(int(os.environ.get("MANY", "0"))):

        def one(number: int = number) -> int:
            return number

        server.add_tool(one, name=f"tool.{number}", description=f"The tool {number}.")


if __name__ == "__main__":
    many()
    if path := os.environ.get("PIDS"):
        Path(path).open("a").write(f"{os.getpid()}\n")
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
