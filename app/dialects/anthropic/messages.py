"""What a request for a message says: its turns, with calls, their results and signed thoughts.

Source: Claude API reference, "Messages", "Tool use", "Extended thinking".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.core.attachments import FILE, IMAGE
from app.core.entries import storable
from app.core.errors import InvalidRequest
from app.core.messages import Part, ProviderMessage, text_parts
from app.dialects.anthropic.shapes import MessagesBody, SentMessage
from app.dialects.attached import NO_PLACE, by_data, by_text, by_url, named, no_place
from app.dialects.calls import checked_tools, client_call, text_of
from app.dialects.client_held import unsupported

CHOICES = {"auto": "auto", "any": "required", "none": "none"}
# Of a budget of tokens for thoughts, the effort that comes closest; more than the last is high.
EFFORTS = ((2048, "low"), (8192, "medium"))
NOT_OF_DOCUMENTS = ("context", "citations")
TEXT_ALONE = "this server takes text alone here"
# What kinds of source a picture or a document has here, besides `url`, and of which types.
ATTACHED: dict[str, dict[str, tuple[str, ...]]] = {
    "image": {"base64": ("image/jpeg", "image/png", "image/gif", "image/webp")},
    "document": {"base64": ("application/pdf",), "text": ("text/plain",)},
}
WANTED_BACK = {"thinking": "signature", "redacted_thinking": "data"}  # and what it has to have


def conversation(said: MessagesBody) -> list[ProviderMessage]:
    """Return the messages, the system's first. Raises InvalidRequest, UnsupportedParameter."""
    found: list[ProviderMessage] = []
    if system := _system(said.system, "system"):
        found.append(ProviderMessage("system", text_parts(system)))
    names: dict[str, str] = {}
    for index, message in enumerate(said.messages):
        found += _turns(message, f"messages.{index}.content", names)
    return found


def _system(content: str | list[dict[str, Any]] | None, field: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n\n".join(text for text in _texts(content, field) if text)


def _texts(blocks: Sequence[Any], field: str) -> Iterator[str]:
    for index, block in enumerate(blocks):
        text = block.get("text") if isinstance(block, dict) else None
        if not isinstance(text, str) or block.get("type") != "text":
            raise unsupported(f"{field}.{index}", TEXT_ALONE)
        yield text


def _turns(message: SentMessage, field: str, names: dict[str, str]) -> Iterator[ProviderMessage]:
    """Yield the message, results of calls apart from what else it says; note the calls' names."""
    if message.role == "system":
        yield ProviderMessage("system", text_parts(_system(message.content, field)))
        return
    content = message.content
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results: list[Part] = []
    others: list[Part] = []
    for index, block in enumerate(blocks):
        where = f"{field}.{index}"
        if block.get("type") == "tool_result":
            results.append(_result(block, where, names))
        elif (part := _part(block, where, message.role)) is not None:
            others.append(part)
            if part["type"] == "tool_call":
                names[part["call_id"]] = part["name"]
    if results and message.role != "user":
        raise InvalidRequest({field: "only a user's message has results of tools"})
    if results:
        yield ProviderMessage("tool", tuple(results))
    if others or not results:
        yield ProviderMessage(message.role, tuple(others))


def _part(block: Mapping[str, Any], field: str, role: str) -> Part | None:
    kind = str(block.get("type"))
    if kind == "text" and isinstance(text := block.get("text"), str):
        return {"type": "text", "text": text}
    if role == "assistant" and kind == "tool_use":
        return client_call(block, field, "id", "input")
    if role == "assistant" and kind in WANTED_BACK:
        proof = block.get(WANTED_BACK[kind])
        if not isinstance(proof, str) or not proof:
            return None  # another model's, whose thoughts nobody wants back
        kept = {name: one for name, one in block.items() if name != "cache_control"}
        return {"type": "opaque", "vendor": "", "block": storable(kept)}
    if kind in ATTACHED and role != "user":
        raise no_place(role, field)
    if kind in ATTACHED:
        return _attached(kind, block, field)
    raise unsupported(field, NO_PLACE)


def _attached(kind: str, block: Mapping[str, Any], field: str) -> Part:
    """Return the part that a picture or a document is. Raises InvalidRequest,
    UnsupportedParameter."""
    for name in NOT_OF_DOCUMENTS:
        said = block.get(name)
        if said and not (isinstance(said, Mapping) and said.get("enabled") is False):
            raise unsupported(f"{field}.{name}", "this server passes on the document alone")
    source, of = block.get("source"), f"{field}.source"
    if not isinstance(source, Mapping):
        raise InvalidRequest({of: "must be an object"})
    more = named(block.get("title"), f"{field}.title")
    by, media_types = str(source.get("type")), ATTACHED[kind]
    if by == "url":
        is_picture = kind == "image"
        return by_url(source.get("url"), f"{of}.url", IMAGE if is_picture else FILE, **more)
    if by not in media_types:
        raise unsupported(f"{of}.type", f"must be one of {', '.join(media_types)}, url")
    if source.get("media_type") not in media_types[by]:
        known = ", ".join(media_types[by])
        raise InvalidRequest({f"{of}.media_type": f"must be one of {known}"})
    if by == "text":
        return by_text(source.get("data"), f"{of}.data", **more)
    return by_data(source.get("data"), f"{of}.data", IMAGE if kind == "image" else FILE, **more)


def _result(block: Mapping[str, Any], field: str, names: Mapping[str, str]) -> Part:
    call_id = text_of(block.get("tool_use_id"), f"{field}.tool_use_id")
    if call_id not in names:
        why = "must be the id of a call in a message before it"
        raise InvalidRequest({f"{field}.tool_use_id": why})
    content = block.get("content") or ""
    if not isinstance(content, str):
        blocks = content if isinstance(content, list) else [content]
        content = "".join(_texts(blocks, f"{field}.content"))
    said = {"error" if block.get("is_error") else "output": storable(content)}
    return {"type": "tool_result", "call_id": call_id, "name": names[call_id], **said}


def parameters(said: MessagesBody) -> dict[str, Any]:
    """Return what is for a provider that takes it. Raises InvalidRequest, UnsupportedParameter."""
    found: dict[str, Any] = {}
    if said.top_p is not None and said.top_p != 1:
        found["top_p"] = said.top_p
    if said.stop_sequences:
        found["stop"] = storable(said.stop_sequences)
    form = said.output_config.format if said.output_config else None
    if form is not None:
        if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
            raise InvalidRequest({"output_config.format": "must be a json_schema with its schema"})
        schema = {"name": "response", "schema": storable(form["schema"])}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    if said.tools:
        found.update(_tools(said.tools, said.tool_choice or {"type": "auto"}))
    return found


def _tools(tools: Sequence[dict[str, Any]], choice: Mapping[str, Any]) -> dict[str, Any]:
    kind = choice.get("type")
    if kind not in {*CHOICES, "tool"}:
        raise InvalidRequest({"tool_choice.type": f"must be one of {', '.join(CHOICES)}, tool"})
    if kind == "none":
        return {}
    found: dict[str, Any] = {"tools": checked_tools([*_functions(tools)])}
    if kind == "tool":
        name = text_of(choice.get("name"), "tool_choice.name")
        found["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind == "any":
        found["tool_choice"] = "required"
    if choice.get("disable_parallel_tool_use"):
        found["parallel_tool_calls"] = False
    return found


def _functions(tools: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for index, tool in enumerate(tools):
        if tool.get("type") not in (None, "custom"):  # one that Anthropic's own servers run
            raise unsupported(f"tools.{index}", "this server runs those of `server_tools` alone")
        function = {name: tool[name] for name in ("name", "description", "strict") if name in tool}
        yield {
            "type": "function",
            "function": {**function, "parameters": tool.get("input_schema") or {}},
        }


def hints(said: MessagesBody) -> dict[str, Any]:
    """Return what a provider is told that has a word for it, and others are not."""
    effort: str | None = said.output_config.effort if said.output_config else None
    thinking = said.thinking
    if effort is None and thinking is not None and thinking.type == "enabled":
        most = thinking.budget_tokens or 0
        effort = next((effort for budget, effort in EFFORTS if most <= budget), "high")
    if effort is None:
        return {}
    return {"reasoning_effort": "xhigh" if effort == "max" else effort}
