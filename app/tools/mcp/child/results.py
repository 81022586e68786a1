"""What a server says of a tool and of a call, as the lines have it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mcp import types
from mcp.shared.exceptions import MCPError

from app.core.tools import bounded

MAX_SOURCES = 50
MAX_DESCRIPTION = 8000  # characters: the model pays for them in every request
_NO_LINKS = ("javascript:", "data:", "vbscript:")  # a viewer may show a source as a link


def tool_json(tool: types.Tool) -> dict[str, Any]:
    """Return what there is to know of a tool."""
    return {
        "name": tool.name,
        "description": (tool.description or tool.title or "")[:MAX_DESCRIPTION],
        "schema": tool.input_schema,
    }


def result_json(result: types.CallToolResult, max_bytes: int) -> dict[str, Any]:
    """Return the result of a call: its output, or its error."""
    texts, sources = _read(result.content)
    text = "\n".join(texts)
    if result.is_error:
        return {"error": text or "The tool failed, and did not say why."}
    found = {"output": bounded(_output(result, text), max_bytes)}
    return {**found, "sources": sources[:MAX_SOURCES]} if sources else found


def _output(result: types.CallToolResult, text: str) -> Any:
    """Return the structured content if there is any; what it cannot have is added as text."""
    structured = result.structured_content
    if structured is None or _says(structured, text):
        return text
    if all(isinstance(block, types.TextContent) for block in result.content):
        return structured
    others = [block for block in result.content if not isinstance(block, types.TextContent)]
    said = json.dumps(structured, ensure_ascii=False)
    return "\n".join([said, *_read(others)[0]])


def _says(structured: Any, text: str) -> bool:
    """Whether the text is all there is in it: SDKs wrap a plain result so."""
    if not isinstance(structured, dict) or structured.keys() != {"result"}:
        return False
    return text in (structured["result"], json.dumps(structured["result"]))


def _read(content: Iterable[types.ContentBlock]) -> tuple[list[str], list[dict[str, str]]]:
    """Return what is there to read, and where it is from."""
    texts: list[str] = []
    sources: list[dict[str, str]] = []
    for block in content:
        if isinstance(block, types.TextContent):
            texts.append(block.text)
        elif isinstance(block, types.ResourceLink):
            title = block.title or block.name
            texts.append(f"[{title}: {block.uri}]")
            sources.append({"url": str(block.uri), "title": title})
        elif isinstance(block, types.EmbeddedResource):
            texts.append(_resource(block.resource))
            sources.append({"url": str(block.resource.uri)})
        else:
            texts.append(_bytes(block.type, block.mime_type, block.data))
    return texts, [one for one in sources if not one["url"].lower().startswith(_NO_LINKS)]


def _resource(resource: types.TextResourceContents | types.BlobResourceContents) -> str:
    if isinstance(resource, types.TextResourceContents):
        return resource.text
    return _bytes("file", resource.mime_type, resource.blob)


def _bytes(kind: str, media_type: str | None, base64: str) -> str:
    size = len(base64) * 3 // 4 - base64[-2:].count("=")
    return f"[{kind}, {media_type or 'unknown type'}, {size} bytes]"


def reason(error: BaseException) -> str:
    """Return in a sentence why something failed; of several errors in one the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FileNotFoundError):
        return f"{error.filename or 'its command'} is not there."
    if isinstance(error, TimeoutError):
        return "it did not answer in time."
    if isinstance(error, MCPError):
        return error.message or "it answered with an error."
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
