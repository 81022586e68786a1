"""The seams of chats: what they need of a store and of the providers' catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from app.runs.daily_usage import UsedTokens
from app.runs.interfaces import Choice, Provider
from app.runs.records import ChatSession, Message, RunRecord


class Page(NamedTuple):
    """What of a list is wanted: at most `limit` (0: all), beyond the (time, id) that the page
    before ended with, and only what has the text of `query`."""

    limit: int = 0
    before: tuple[float, str] | None = None
    query: str = ""


class SessionStore(Protocol):
    """What chats need of a store. Every look-up is by (owner, session id)."""

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        """Return a page of the owner's listed sessions, newest first."""

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        """Set the title, system prompt or leaf of a session; False if it is not there."""

    def delete_all(self, owner: str) -> int:
        """Delete the owner's sessions with all that belongs to them; return how many."""

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages of the session by id, in the order they came."""

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        """Return what the owner used on that day and later: a day, provider and model each."""

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what the session's runs that have ended used, each by itself."""

    def next_number(self, owner: str) -> int:
        """Return 1, 2, ...: a number that the owner never had."""

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        """Return the run that the owner's idempotency key has started since then, or None."""

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""


class Catalog(Protocol):
    """Which provider answers."""

    def choose(self, name: str | None) -> Provider:
        """Return the provider of that name, or the default one. Raises InvalidRequest,
        ProviderNotConfigured."""

    def providers(self) -> list[Provider]:
        """Return those that can be chosen, the default first."""

    def choices(self) -> list[Choice]:
        """Return what can be chosen, the default first, then what lacks a setting."""

    def provider_of(self, model: str) -> str | None:
        """Return the provider whose own model that is, or None."""
