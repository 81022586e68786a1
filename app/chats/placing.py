"""Where in the tree a turn goes: what its first new message, or its reply, hangs on. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.chats.chat_request import Place
from app.chats.messages import branch
from app.runs.errors import InvalidRequest
from app.runs.records import Message

Tree = Mapping[str, Message]


def parent_of(place: Place, tree: Tree, leaf_id: str | None) -> str | None:
    """Return the id of the parent, None for the root. Raises InvalidRequest naming `message_id`."""
    target = place.target
    if place.kind == "edit":
        return _of_role(tree, target, "user").parent_id
    if place.kind == "regenerate":
        return _of_role(tree, target or leaf_id, "assistant").parent_id
    if place.kind == "again":
        return _answered_before(tree, leaf_id, target)
    return target if target is None or target in tree else leaf_id


def _of_role(tree: Tree, message_id: str | None, role: str) -> Message:
    found = tree.get(message_id or "")
    if found is None or found.role != role:
        kind = "a reply" if role == "assistant" else "a user's message"
        raise InvalidRequest({"message_id": f"must be {kind} of this session"})
    return found


def _answered_before(tree: Tree, leaf_id: str | None, before: str | None) -> str:
    """Return the user's message in use that follows `before`, or failing that the last one."""
    asked = [message for message in branch(tree, leaf_id) if message.role == "user"]
    if not asked:
        raise InvalidRequest({"messages": "there is nothing to answer again in this session"})
    return next((one for one in asked if one.parent_id == before), asked[-1]).id
