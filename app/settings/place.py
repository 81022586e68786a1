"""A process's place among several of one server: what its parent tells it, in one variable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

VARIABLE = "TANDEM_PLACE"  # of the server's own: the parent's word to a child, and no setting


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the processes this one is, and what it has inherited."""

    number: int  # from 1; that of one which died goes to the next
    generation: int  # how many the parent has started; what was another's is unknown here
    listener: int  # the descriptor of the listening socket
    parent: int  # that of the connection to the parent
    folder: str  # where the processes' own sockets are

    @property
    def name(self) -> str:
        """Return the name that no other process of this server ever has."""
        return f"{self.number}g{self.generation}"

    def variables(self) -> dict[str, str]:
        """Return what a child finds in its environment."""
        return {VARIABLE: json.dumps(asdict(self))}


def place_of(environ: Mapping[str, str] | None = None) -> Place | None:
    """Return the place that the environment (by default the process's) tells; None for a process
    that has no parent."""
    told = (os.environ if environ is None else environ).get(VARIABLE)
    return Place(**json.loads(told)) if told else None
