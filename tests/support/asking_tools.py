"""A tool that asks the user before it goes on."""

from __future__ import annotations

from app.tools.tool import Caller, Question, tool

SCHEMA = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}


@tool(approval="always")
def order(what: str, caller: Caller) -> str:
    """Order something."""
    if caller.answer is None:
        raise Question("Which size?", SCHEMA, state={"what": what})
    if not caller.answer["approved"]:
        return "Nothing was ordered."
    size = caller.answer["answer"]["size"]
    if size > 100:
        raise Question("So large?", state={"what": f"large {what}"})
    return f"{caller.state['what']} of size {size}"
