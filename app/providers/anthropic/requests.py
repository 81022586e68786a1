"""What Claude is asked: the body of a request, and what of it is said otherwise where a model has
refused it before.

Source: Claude API reference, "Messages", "Tool use", "Structured outputs", "Extended thinking",
"Adaptive thinking", "Effort".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.core.messages import Part, ProviderMessage
from app.core.run_errors import UpstreamRejected
from app.core.runs import ProviderRequest
from app.core.tools import result_text
from app.core.turns import taking_turns
from app.providers.wire.adapting import NO_TEMPERATURE, NO_THOUGHTS
from app.providers.wire.images import FILE, IMAGE, IMAGE_URL, shown_by_users
from app.providers.wire.refusals import Refusal

PARAMETERS = frozenset(
    {
        FILE,
        IMAGE,
        IMAGE_URL,
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
        "top_p",
    }
)
MOST_TOKENS = 32_000  # of a reply, where nobody says how many: this wire wants a number
AT_MOST = "at most "  # and a number: the model writes no more than that
OTHER_THOUGHTS = "thoughts the other way"
CHOICES = {"auto": "auto", "none": "none", "required": "any"}
EFFORTS = {"minimal": "low"}
# In tokens, for the models that are told no effort.
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768}
LEAST_BUDGET = 1024
_WITH_BUDGET = re.compile(r"claude-(?:[23]\b|instant|\w+-4(?:-[0-5])?(?:-20\d{6})?(?!-?\d))")
_LIMIT = re.compile(r"max_tokens: \d+ > (\d+)")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def request_body(
    request: ProviderRequest, stream: bool, adapted: frozenset[str] = frozenset(), vendor: str = ""
) -> dict[str, Any]:
    """Return the body; `vendor` is who gets its own thoughts back; a client may hold them too."""
    given = request.parameters
    most = _limit(request.max_tokens, adapted)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": most,
        "messages": _messages(request.messages, vendor),
    }
    if stream:
        body["stream"] = True
    if system := "\n\n".join(m.text for m in request.messages if m.role == "system" and m.text):
        body["system"] = system
    body.update(_tools(given))
    config, thinking = _thinking(given.get("reasoning_effort"), request.model, most, adapted)
    if "tool_choice" in body and body["tool_choice"]["type"] in {"any", "tool"}:
        thinking = {}  # what has to be called leaves nothing to think about: a 400
    if thinking:
        body["thinking"] = thinking
    if output := {**config, **_format(given.get("response_format"))}:
        body["output_config"] = output
    is_thinking = thinking.get("type") in {"enabled", "adaptive"}
    if request.temperature is not None and NO_TEMPERATURE not in adapted and not is_thinking:
        body["temperature"] = request.temperature
    if "top_p" in given and NO_TEMPERATURE not in adapted:
        body["top_p"] = given["top_p"]
    if stop := given.get("stop"):
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    return body


def _limit(asked: int | None, adapted: frozenset[str]) -> int:
    known = [int(one.removeprefix(AT_MOST)) for one in adapted if one.startswith(AT_MOST)]
    return min([asked or MOST_TOKENS, *known])


def _thinking(
    effort: str | None, model: str, most: int, adapted: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how much effort a model is told to make, and how to think: up to 4.5 within a budget,
    and as it sees fit from then on."""
    if effort is None or NO_THOUGHTS in adapted:
        return {}, {}
    if effort == "none":
        return {}, {"type": "disabled"}
    with_budget = bool(_WITH_BUDGET.match(model.lower().rpartition("/")[2]))
    if with_budget == (OTHER_THOUGHTS in adapted):
        config = {"effort": EFFORTS.get(effort, effort)}
        return config, {"type": "adaptive", "display": "summarized"}
    budget = min(BUDGETS[effort], most // 2)
    if budget < LEAST_BUDGET:  # no room for thoughts
        return {}, {}
    return {}, {"type": "enabled", "budget_tokens": budget}


def _format(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    if not asked or asked.get("type") == "text":
        return {}
    schema = (asked.get("json_schema") or {}).get("schema")
    if asked.get("type") != "json_schema" or schema is None:
        raise UpstreamRejected()  # JSON of any shape cannot be asked for
    return {"format": {"type": "json_schema", "schema": schema}}


def _tools(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be called, and what must be."""
    tools = [one["function"] for one in given.get("tools", ())]
    if not tools:
        return {}
    choice, names = _chosen(given.get("tool_choice", "auto"))
    if names:
        tools = [one for one in tools if one["name"] in names]
    if given.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    found: dict[str, Any] = {"tools": [_declaration(one) for one in tools]}
    return found if choice == {"type": "auto"} else {**found, "tool_choice": choice}


def _chosen(choice: Any) -> tuple[dict[str, Any], list[str]]:
    """Return a `tool_choice` as this wire has it, and the tools that may be chosen among."""
    if isinstance(choice, str):
        return {"type": CHOICES[choice]}, []
    if choice.get("type") != "allowed_tools":
        return {"type": "tool", "name": choice["function"]["name"]}, []
    allowed = choice["allowed_tools"]
    names = [one["function"]["name"] for one in allowed["tools"]]
    return {"type": CHOICES[allowed["mode"]]}, names


def _declaration(function: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: function[name] for name in ("name", "description") if function.get(name)}
    if function.get("strict"):
        said["strict"] = True
    return {**said, "input_schema": function.get("parameters") or NO_PARAMETERS}


def _messages(messages: Iterable[ProviderMessage], vendor: str) -> list[dict[str, Any]]:
    """Return the turns. The first is the user's, and what a tool gave comes first in one."""
    turns = taking_turns(message for message in messages if message.role != "system")
    found: list[dict[str, Any]] = []
    for turn in shown_by_users(turns):
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = list(_blocks(turn, vendor))
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        elif blocks:
            found.append({"role": role, "content": blocks})
    if found and found[0]["role"] != "user":
        found.insert(0, {"role": "user", "content": [{"type": "text", "text": "..."}]})
    if found and found[-1]["role"] == "assistant":
        _without_space_behind(found[-1]["content"])
    return found


def _blocks(turn: ProviderMessage, vendor: str) -> Iterator[dict[str, Any]]:
    for part in turn.content:
        if part["type"] == "text" and part["text"].strip():  # white space alone is refused
            yield {"type": "text", "text": part["text"]}
        elif part["type"] == IMAGE:
            yield {"type": "image", "source": _source(part)}
        elif part["type"] == FILE:
            yield {"type": "document", "source": _source(part), "title": part.get("name", "")}
        elif part["type"] == "tool_call":
            yield {"type": "tool_use", **_names(part), "input": part.get("input") or {}}
        elif part["type"] == "tool_result":
            yield _result(part)
        elif part["type"] == "opaque" and part["vendor"] in {vendor, ""} and "block" in part:
            yield dict(part["block"])


def _source(part: Part) -> dict[str, Any]:
    if "url" in part:
        return {"type": "url", "url": part["url"]}
    return {"type": "base64", "media_type": part["media_type"], "data": part["data"]}


def _names(part: Part) -> dict[str, Any]:
    return {"id": _id(part["call_id"]), "name": part["name"]}


def _id(call_id: str) -> str:
    """Return an id as this wire takes it: other vendors have other letters in theirs."""
    return _NOT_IN_IDS.sub("_", call_id)


def _result(part: Part) -> dict[str, Any]:
    said = {"tool_use_id": _id(part["call_id"]), "content": result_text(part)}
    failed = {} if "output" in part else {"is_error": True}
    return {"type": "tool_result", **said, **failed}


def _without_space_behind(content: Sequence[dict[str, Any]]) -> None:
    """A beginning of the reply to come may not end in white space."""
    last = content[-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def adaptation_to(refusal: Refusal) -> str:
    """Return what is to be asked otherwise after this refusal; "" if nothing is."""
    if refusal.status != 400:
        return ""
    said = refusal.message.lower()
    if found := _LIMIT.search(said):
        return f"{AT_MOST}{found[1]}"
    # "adaptive thinking is not supported on this model", "thinking.type.enabled ... use adaptive"
    if "thinking" in said and ("adaptive" in said or "enabled" in said):
        return OTHER_THOUGHTS
    if "effort" in said or "thinking" in said and "support" in said:
        return NO_THOUGHTS
    if "temperature" in said or "top_p" in said:
        not_here = ("not support", "deprecated", "cannot both", "not allowed", "unsupported")
        return NO_TEMPERATURE if any(one in said for one in not_here) else ""
    return ""
