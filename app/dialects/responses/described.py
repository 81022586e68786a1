"""A response as an object: what was asked, how far it has come, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.entries import END, joined
from app.dialects.dialect import Reply
from app.dialects.responses.output import CUT, Output

PREFIX = "resp_"
OF_CONVERSATION = "conv_"
STATUSES = {
    "queued": "queued",
    "running": "in_progress",
    "requires_action": "in_progress",
    "stopped": "cancelled",
    "failed": "failed",
    "interrupted": "failed",
}
# The codes of OpenAI's that say what ours do; of all others it is `server_error`.
CODES = {"upstream_rate_limited": "rate_limit_exceeded", "upstream_rejected": "invalid_prompt"}


def response_id(run_id: str) -> str:
    """Return the id of the response that a run is."""
    return PREFIX + run_id


def run_id_of(response_id: str) -> str:
    """Return the run that a response is; its own id will do too."""
    return response_id.removeprefix(PREFIX)


def conversation_id(session_id: str) -> str:
    """Return the id of the conversation that a session is."""
    return OF_CONVERSATION + session_id


def session_of(conversation_id: str) -> str:
    """Return the session that a conversation is; its own id will do too."""
    return conversation_id.removeprefix(OF_CONVERSATION)


def output_of(reply: Reply, options: Mapping[str, Any]) -> Output:
    """Return what a reply has said so far."""
    output = Output(reply.record.id, bool(options.get("seals")))
    for entry, _ in joined(reply.log.everything()):
        if entry.kind == END:
            output.finish(entry)
        else:
            output.take(entry)
    return output


def as_asked(reply: Reply, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response before anything of it is there: always the same of one run."""
    record = reply.record
    model = record.model
    if record.attempts:  # others failed before the one that the record names now
        model = record.attempts[0]["model"]
    form = options.get("text") or {}
    return {
        "id": response_id(record.id),
        "object": "response",
        "created_at": int(record.created_at),
        "status": "queued" if options.get("background") else "in_progress",
        "background": bool(options.get("background")),
        "error": None,
        "incomplete_details": None,
        "instructions": options.get("instructions"),
        "max_output_tokens": options.get("max_output_tokens"),
        "metadata": options.get("metadata") or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": options.get("parallel_tool_calls", True),
        "previous_response_id": options.get("previous_response_id"),
        "reasoning": options.get("reasoning") or {"effort": None, "summary": None},
        "store": options.get("store", True),
        "temperature": options.get("temperature"),
        "text": {"format": {"type": "text"}, **form},
        "tool_choice": options.get("tool_choice", "auto"),
        "tools": options.get("tools", []),
        "top_p": options.get("top_p"),
        "truncation": options.get("truncation", "auto"),
        "usage": None,
        **_of_conversation(options),
    }


def _of_conversation(options: Mapping[str, Any]) -> dict[str, Any]:
    named = options.get("conversation")
    return {} if named is None else {"conversation": {"id": conversation_id(session_of(named))}}


def described(reply: Reply, options: Mapping[str, Any], output: Output) -> dict[str, Any]:
    """Return the response with this output, as far as it has come."""
    found = {**as_asked(reply, options), "output": output.so_far()}
    if reply.log.end is None:
        waits = reply.log.last_seq == 0 and options.get("background")
        return {**found, "status": "queued" if waits else "in_progress"}
    end = reply.ended
    status, cut = STATUSES.get(end["status"], "completed"), CUT.get(end["finish_reason"])
    if status == "completed" and cut:
        status, found["incomplete_details"] = "incomplete", {"reason": cut}
    if end["error"]:
        code = CODES.get(end["error"]["code"], "server_error")
        found["error"] = {"code": code, "message": end["error"]["message"]}
    used = end["usage"]
    return {
        **found,
        "status": status,
        "model": reply.answerer.model,
        "usage": {
            "input_tokens": used["input_tokens"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": used["output_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["input_tokens"] + used["output_tokens"],
        },
    }
