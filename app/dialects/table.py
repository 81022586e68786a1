"""The table of dialects: one row a route. A new dialect is one new file and its rows here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.dialects.base import Dialect
from app.dialects.native import Native


@dataclass(frozen=True, slots=True)
class Route:
    """A path that starts a run, and whether its answer streams or comes whole."""

    path: str
    dialect: Dialect
    answer: Literal["stream", "whole"]


NATIVE = Native()

ROUTES: tuple[Route, ...] = (
    Route("/api/chat/stream", NATIVE, "stream"),
    Route("/api/chat", NATIVE, "whole"),
)
