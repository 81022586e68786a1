"""Where in the tree a turn goes: what its first new message, or its reply, hangs on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.core.errors import InvalidRequest
from app.core.messages import Message, branch


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the tree the turn goes; `target` is a message's id.

    `leaf`: after the branch in use. `under`: after the target, which must be a message of the
    session, or at the root. `after`: after the target, or at the root. `edit`: the message
    beside the target. `regenerate`: no message, only a reply beside the target, or the last one.
    `again`: no message, only a reply to the user's message in use that follows the target.
    `after_run`: after the reply of the run that is the target, in that run's session.
    """

    kind: Literal["leaf", "under", "after", "edit", "regenerate", "again", "after_run"] = "leaf"
    target: str | None = None

    @property
    def has_message(self) -> bool:
        """Whether the turn brings a message, and not only a reply."""
        return self.kind not in {"regenerate", "again"}


AT_LEAF = Place()
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
