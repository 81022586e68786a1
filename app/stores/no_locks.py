"""Locks of a worker that is alone."""

from __future__ import annotations


class NoLocks:
    """For a store that dies with its process: there is no other worker."""

    def hold(self, worker_id: str) -> None:
        """Nothing to hold."""

    def let_go(self, worker_id: str) -> None:
        """Nothing to let go."""

    def is_gone(self, worker_id: str) -> bool:
        """Nobody else was ever there."""
        return False

    def tick(self) -> None:
        """Nobody asks."""
