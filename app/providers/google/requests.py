"""What Gemini is asked: the body of a request, and what of it is left out where a model has refused
it before.

Source: Gemini API reference, "models.generateContent", "Function calling", "Structured output",
"Thinking", "Thought signatures"; of the levels for `reasoning_effort`: "OpenAI compatibility".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.core.messages import Part, ProviderMessage
from app.core.run_errors import UpstreamRejected
from app.core.runs import ProviderRequest
from app.core.tools import result_text
from app.core.turns import taking_turns
from app.providers.google.signatures import Signatures
from app.providers.wire.adapting import NO_SYSTEM, NO_THOUGHTS
from app.providers.wire.images import FILE, IMAGE, SHOWN
from app.providers.wire.refusals import Refusal

# OpenAI's names of what is passed on, and Gemini's.
RENAMED = {
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "top_logprobs": "logprobs",
    "top_p": "topP",
}
# There is no way to ask for one call at a time, so `parallel_tool_calls` is none of these.
PARAMETERS = frozenset(
    {
        *RENAMED,
        FILE,
        IMAGE,
        "logprobs",
        "reasoning_effort",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
    }
)
MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
# Of the models up to 2.5, in tokens; the newer ones take a level.
BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}
LEVELS = {"none": "MINIMAL", "xhigh": "HIGH"}
LEAST = {True: ("LOW", 128), False: ("MINIMAL", 0)}  # by whether the model is a Pro: those think
_WITH_BUDGET = re.compile(r"gemini-[12](?!\d)")
_OF_EFFORT = re.compile(r"thinking[ _]?(?:level|budget)|\bbudget\b", re.I)


def request_body(
    request: ProviderRequest, adapted: frozenset[str] = frozenset(), vendor: str = ""
) -> dict[str, Any]:
    """Return the GenerateContentRequest; `vendor` is who gets its own signatures back."""
    contents = _contents(request.messages, _signatures(request.model, vendor))
    body: dict[str, Any] = {"contents": contents, "generationConfig": _config(request, adapted)}
    body.update(_tools(request.parameters))
    system = [{"text": m.text} for m in request.messages if m.role == "system" and m.text]
    if system and NO_SYSTEM not in adapted:
        body["systemInstruction"] = {"parts": system}
    elif system and contents:
        contents[0]["parts"] = [*system, *contents[0]["parts"]]
    return body


def _config(request: ProviderRequest, adapted: frozenset[str]) -> dict[str, Any]:
    given = request.parameters
    config: dict[str, Any] = {}
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens
    config.update({theirs: given[ours] for ours, theirs in RENAMED.items() if ours in given})
    if "stop" in given:
        stop = given["stop"]
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if given.get("logprobs"):
        config["responseLogprobs"] = True
    config.update(_format(given.get("response_format")))
    effort = given.get("reasoning_effort")
    thinking: dict[str, Any] = {"includeThoughts": True}
    if NO_THOUGHTS in adapted:  # then it has none to begin with
        thinking, effort = {}, None if effort == "none" else effort
    thinking.update(_thinking(effort, request.model))
    return {**config, "thinkingConfig": thinking} if thinking else config


def _format(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    if not asked:
        return {}
    if asked.get("type") not in ("json_object", "json_schema"):
        raise UpstreamRejected()
    schema = (asked.get("json_schema") or {}).get("schema")
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    return {**config, "responseJsonSchema": schema} if schema is not None else config


def _name(model: str) -> str:
    return model.removeprefix("models/").lower()


def _thinking(effort: str | None, model: str) -> dict[str, Any]:
    """Return how much a model is to think, as its generation is told. Who cannot be told not to
    think, which is each of the newer ones and each Pro, is told the least."""
    if effort is None:
        return {}
    level, budget = LEAST["pro" in _name(model)]
    if _WITH_BUDGET.match(_name(model)):
        return {"thinkingBudget": BUDGETS[effort] or budget}
    said = LEVELS.get(effort, effort.upper())
    return {"thinkingLevel": level if said == "MINIMAL" else said}


def _tools(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be called, and what must be."""
    tools = [one["function"] for one in given.get("tools", ())]
    if not tools:
        return {}
    choice = given.get("tool_choice", "auto")
    named, mode = _chosen(choice)
    config: dict[str, Any] = {"mode": mode}
    if mode == "ANY" and named:
        config["allowedFunctionNames"] = named
    elif named:
        tools = [one for one in tools if one["name"] in named]
    found: dict[str, Any] = {"tools": [{"functionDeclarations": list(map(_declaration, tools))}]}
    return {**found, "toolConfig": {"functionCallingConfig": config}} if choice != "auto" else found


def _chosen(choice: Any) -> tuple[list[str], str]:
    """Return the functions that a `tool_choice` names, and Gemini's mode."""
    if isinstance(choice, str):
        return [], MODES[choice]
    if choice.get("type") != "allowed_tools":
        return [choice["function"]["name"]], "ANY"
    allowed = choice["allowed_tools"]
    return [one["function"]["name"] for one in allowed["tools"]], MODES[allowed["mode"]]


def _declaration(function: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: function[name] for name in ("name", "description") if function.get(name)}
    schema = function.get("parameters")
    return {**said, "parametersJsonSchema": schema} if schema else said


def _signatures(model: str, vendor: str) -> Signatures:
    """Return how calls are signed: those of Gemini 3 and newer have to be."""
    name = _name(model)
    return Signatures(vendor, name.startswith("gemini") and not _WITH_BUDGET.match(name))


def _contents(messages: Iterable[ProviderMessage], signatures: Signatures) -> list[dict[str, Any]]:
    roles = {"assistant": "model", "user": "user", "tool": "user"}
    turns = taking_turns(message for message in messages if message.role in roles)
    return [{"role": roles[turn.role], "parts": list(_parts(turn, signatures))} for turn in turns]


def _parts(turn: ProviderMessage, signatures: Signatures) -> Iterator[dict[str, Any]]:
    if turn.role == "tool":
        yield from map(_response, turn.content)
        return
    signed = signatures.of_calls(turn.content)
    for part in signatures.split(turn.content):
        if part["type"] == "text":
            yield {name: part[name] for name in ("text", "thoughtSignature") if name in part}
        elif part["type"] == "tool_call":
            yield _call(part, signed)
        elif part["type"] in SHOWN and "data" in part:
            yield _inline(part)


def _inline(part: Part) -> dict[str, Any]:
    data = {"inlineData": {"mimeType": part["media_type"], "data": part["data"]}}
    return {**data, **{name: part[name] for name in ("thoughtSignature",) if name in part}}


def _call(part: Part, signed: Mapping[str, str]) -> dict[str, Any]:
    call_id = part["call_id"]
    call = {"id": call_id, "name": part["name"], "args": part.get("input") or {}}
    signature = signed.get(call_id)
    return {"functionCall": call, **({"thoughtSignature": signature} if signature else {})}


def _response(result: Part) -> dict[str, Any]:
    said = {"output": result["output"]} if "output" in result else {"error": result_text(result)}
    names = {"id": result["call_id"], "name": result["name"]}
    return {"functionResponse": {**names, "response": said}}


def adaptation_to(refusal: Refusal) -> str:
    """Return what is to be asked otherwise after this refusal; "" if nothing is."""
    if refusal.status != 400:
        return ""
    said = refusal.message.lower()
    # "Thinking is not enabled for models/..." or "... thinking_config.include_thoughts ..."; of
    # how much a model is to think its caller hears.
    if "thinking" in said and not _OF_EFFORT.search(said):
        return NO_THOUGHTS
    # "Developer instruction is not enabled for models/gemma-..."
    return NO_SYSTEM if "instruction" in said and "not enabled" in said else ""
