"""The branch that a session goes on from, as it was last read, with what a model is given of it.

A start in a long conversation then reads what is new and reckons with that alone; 2,000 messages
took 25 ms. Nothing depends on it: what others added since is read by the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.chats.context_window import cost_of
from app.core.messages import KnownBranch, Message, ProviderMessage, has_content


class BranchInUse:
    """Messages from the root on, without a session's prompt. Never changes: it is grown anew."""

    __slots__ = ("messages", "given", "costs", "_given_before", "_places", "_prompt_at")

    def __init__(self, messages: Sequence[Message], before: BranchInUse | None = None) -> None:
        kept = _shared(messages, before)
        self.messages = messages
        self.given: list[ProviderMessage] = []  # of those that have any content
        self.costs: list[int] = []  # in tokens, of what is given
        self._given_before: list[int] = []  # how many are given of the messages before each
        self._places: dict[str, int] = {}
        self._prompt_at = len(messages)  # where the first system prompt is among what is given
        if before is not None and kept:
            given = before._given_before[kept] if kept < len(before.messages) else len(before.given)
            self.given, self.costs = before.given[:given], before.costs[:given]
            self._given_before = before._given_before[:kept]
            if before._prompt_at < given:
                self._prompt_at = before._prompt_at
            self._places = dict(before._places)  # those that are not kept do no harm: see `known`
        for place in range(kept, len(messages)):
            self._add(place, messages[place])

    def _add(self, place: int, message: Message) -> None:
        self._places[message.id] = place
        self._given_before.append(len(self.given))
        if has_content(message.content):
            given = ProviderMessage(message.role, message.content)
            if message.role == "system":
                self._prompt_at = min(self._prompt_at, len(self.given))
            self.given.append(given)
            self.costs.append(cost_of(given))

    @property
    def has_prompt(self) -> bool:
        """Whether the client has a system prompt among the messages."""
        return self._prompt_at < len(self.given)

    @property
    def known(self) -> KnownBranch:
        """What of it cannot change any more: all but a reply that is being written, or was cut off
        and may be carried on, by another process too."""
        last = self.messages[-1] if self.messages else None
        may_grow = last is not None and last.status != "completed"
        messages = self.messages[:-1] if may_grow else self.messages
        if len(self._places) == len(messages):
            return KnownBranch(messages, self._places)
        return KnownBranch(messages, {one.id: place for place, one in enumerate(messages)})


def _shared(messages: Sequence[Message], before: BranchInUse | None) -> int:
    """Return how many messages both begin with. The store hands back those that were known, so the
    last one that is the same object tells."""
    if before is None:
        return 0
    for length in range(min(len(messages), len(before.messages)), 0, -1):
        if messages[length - 1] is before.messages[length - 1]:
            return length
    return 0
