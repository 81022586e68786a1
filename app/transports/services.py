"""What the transports are handed: the services, and the few figures they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import current_app

from app.attachments.service import AttachmentService
from app.chats.ports import Catalog, Toolbox
from app.chats.sessions import SessionService
from app.metrics.counts import Metrics
from app.runs.ports import Runtime
from app.runs.service import RunService
from app.transports.guards.auth import Authenticator
from app.transports.guards.large_bodies import LargeBodies
from app.transports.guards.origins import OriginPolicy
from app.transports.guards.rates import RateLimits

KEY = "tandem.services"


class CallerLimits(Protocol):
    """What bounds a caller besides rates; sizes in bytes."""

    @property
    def max_message_bytes(self) -> int: ...

    @property
    def max_body_bytes(self) -> int: ...

    @property
    def max_parts_body_bytes(self) -> int: ...

    @property
    def max_sockets_per_user(self) -> int: ...

    @property
    def socket_events_per_s(self) -> int: ...

    @property
    def viewer_stall_s(self) -> float: ...

    @property
    def request_body_timeout_s(self) -> float: ...

    @property
    def trusted_proxies(self) -> int: ...


class Connections(Protocol):
    """What a server does with clients' connections beside WSGI."""

    def give_up_turn(self) -> None:
        """Let others work: whoever reads what a client sends calls it after each part."""

    def allowance(self, per_s: float, at_once: float) -> Callable[[int], bool]:
        """Return what counts so many more of something that may be done so many times a second, and
        at most so many at once; it says whether they are within that."""

    def stop_reading(self, body: Any) -> None:
        """Take nothing more from the connection that a request's body comes on."""

    def engine_classes(self, classes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the classes that Engine.IO is to make its clients of, given those it has."""


class Siblings(Protocol):
    """The other processes of the server."""

    figures: Callable[[], Mapping[str, Any]]  # told to those that ask this one
    leaving: bool  # whether this process has a successor

    @property
    def number(self) -> int:
        """Which this process is."""

    @property
    def prefix(self) -> str:
        """What the ids of this process's Engine.IO sessions begin with, behind the node's name."""

    def ask_all(self) -> list[tuple[int, dict[str, Any] | None]]:
        """Return the number of each other process and its figures; None of one that is silent."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What /api/status says of the process."""

    version: str
    async_mode: str
    store: str
    uptime_s: Callable[[], float]
    task_count: Callable[[], int]
    node: str = ""  # what the ids of Engine.IO's sessions begin with, and a dot


@dataclass(frozen=True, slots=True)
class Services:
    """All that a transport may call."""

    runs: RunService
    sessions: SessionService
    runtime: Runtime
    connections: Connections
    auth: Authenticator
    origins: OriginPolicy
    rates: RateLimits
    limits: CallerLimits
    catalog: Catalog
    facts: ServerFacts
    is_healthy: Callable[[], bool]
    metrics: Metrics
    toolbox: Toolbox
    attachments: AttachmentService
    siblings: Siblings | None = None
    bodies: LargeBodies = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bodies", LargeBodies(self.runtime))

    @property
    def max_message_bytes(self) -> int:
        """The longest message, in UTF-8."""
        return self.limits.max_message_bytes

    @property
    def max_body_bytes(self) -> int:
        """The largest request body."""
        return self.limits.max_body_bytes

    @property
    def max_parts_body_bytes(self) -> int:
        """The largest that may have pictures and files in it."""
        return max(self.max_body_bytes, self.limits.max_parts_body_bytes)


def services() -> Services:
    """Return those of the app that answers the current request."""
    found: Services = current_app.extensions[KEY]
    return found
