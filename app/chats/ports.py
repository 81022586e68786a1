"""The seams of chats: what they need of the catalog of providers, of searches, of the server's
tools, and of attachments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from app.core.messages import Content
from app.core.sessions import ChatSession, Page
from app.core.tools import Calls, OfferedTool
from app.runs.ports import Choice, Provider


class Catalog(Protocol):
    """Which provider answers."""

    def choose(self, name: str | None) -> Provider:
        """Return the provider of that name, or the default one. Raises InvalidRequest,
        ProviderNotConfigured."""

    def names(self) -> list[str]:
        """Return the names of those that are set up."""

    def providers(self) -> list[Provider]:
        """Return those that can be chosen, the default first."""

    def choices(self) -> list[Choice]:
        """Return what can be chosen, the default first, then what lacks a setting."""

    def provider_of(self, model: str) -> str | None:
        """Return the provider that has the model, None for one that nobody lists."""

    def takes_images(self, provider: Provider, model: str) -> bool | None:
        """Return whether the provider's model takes pictures; None where nobody knows."""

    def models(self) -> list[tuple[str, Provider]]:
        """Return the models that are known, each once, with who has it."""


class Toolbox(Protocol):
    """The tools that the server runs."""

    max_result_bytes: int  # of a client's results too

    def offered(self) -> list[OfferedTool]:
        """Return all that there are now."""

    def check(self, names: Iterable[str], field: str) -> None:
        """Raise InvalidRequest, naming the field, for a name that is no tool's."""

    def definitions(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return these tools as OpenAI's API has them."""

    def loop(
        self,
        provider: Provider,
        names: Sequence[str],
        calls: Calls,
        may_wait: bool,
        who: Mapping[str, str],
    ) -> Provider:
        """Return the provider with its calls of these tools run; `calls` are those of the run
        before it waited, `who` the owner, session and run."""


class Attachments(Protocol):
    """Pictures and files of an owner."""

    def taken_in(self, owner: str, content: Content, field: str) -> Content:
        """Return the content with what a client has sent in it stored, and what it has named looked
        up. Raises InvalidRequest, TooLarge, UnsupportedMediaType, StorageUnavailable."""

    def sending(
        self, owner: str, provider: Provider, takes_images: Callable[[], bool | None]
    ) -> Provider:
        """Return the provider, which is sent what is attached, and has kept what it makes;
        `takes_images` says whether its model takes any, None where nobody knows."""


class Searches(Protocol):
    """Searches among an owner's sessions (stores/searches.py)."""

    def __call__(
        self, owner: str, page: Page, is_gone: Callable[[], bool] = ...
    ) -> list[ChatSession]:
        """Return the page; nothing once nobody waits for it. Raises OverCapacity,
        StorageUnavailable."""
