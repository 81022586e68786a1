"""What of a conversation a model is given: a history that outgrows its room loses its oldest
exchanges.

An exchange is a user's message with all that follows up to the next one. Tokens are estimated
(core/usage.py). System prompts and the last exchange always stay: without them there would be
nothing to answer, or somebody else's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.core.attachments import FILE, IMAGE
from app.core.messages import Part, ProviderMessage
from app.core.usage import estimate_part, estimate_tokens

AT_LEAST = 32  # tokens of an image or a file: its name, and that it is left out
PER_MESSAGE = 4  # what a message costs besides its text: its role, and what sets it apart


class Trimmed(NamedTuple):
    """What is left, and how many messages went."""

    messages: tuple[ProviderMessage, ...]
    dropped: int


def fit(
    messages: Sequence[ProviderMessage], tokens: int, costs: Sequence[int] | None = None
) -> Trimmed:
    """Return the newest whole exchanges that fit into `tokens`; 0 means there is no bound. `costs`
    are those of the messages, where they are known."""
    costs = costs or [cost_of(message) for message in messages]
    over = sum(costs) - tokens if tokens else 0
    if over <= 0:
        return Trimmed(tuple(messages), 0)
    asked = [index for index, one in enumerate(messages) if one.role == "user"]
    kept_from = 0
    for start in asked[1:]:
        if over <= 0:
            break
        left = range(kept_from, start)
        over -= sum(costs[index] for index in left if messages[index].role != "system")
        kept_from = start
    kept = tuple(
        one for index, one in enumerate(messages) if index >= kept_from or one.role == "system"
    )
    return Trimmed(kept, len(messages) - len(kept))


def cost_of(message: ProviderMessage) -> int:
    """Return about how many tokens the message takes at least; parts that are no text as their
    JSON. Images and files find their room later, the newest first, and can be cut or left out."""
    others = [part for part in message.content if part["type"] != "text"]
    text = estimate_tokens(message.text) + PER_MESSAGE
    return text + sum(map(_least_of, others))


def tokens_of(message: ProviderMessage) -> int:
    """Return about how many tokens the message takes if all of it is sent."""
    others = [part for part in message.content if part["type"] != "text"]
    return estimate_tokens(message.text) + PER_MESSAGE + sum(map(estimate_part, others))


def _least_of(part: Part) -> int:
    tokens = estimate_part(part)
    return min(tokens, AT_LEAST) if part["type"] in {IMAGE, FILE} else tokens
