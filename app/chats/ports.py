"""The seams of chats: what they need of the catalog of providers."""

from __future__ import annotations

from typing import Protocol

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
        """Return the provider whose own model that is, or None."""
