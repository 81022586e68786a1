"""What can be asked for, and what was used: /api/models and /api/usage."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from app.core.errors import InvalidRequest
from app.core.usage import UsedTokens
from app.transports.openapi.operations import Operation, Parameter, answered
from app.transports.openapi.shapes import ProviderChoices, UsedByUser, UsedInSession
from app.transports.services import Services
from app.usage.daily import total

MOST_DAYS = 366
DEFAULT_DAYS = 30


def blueprint(services: Services) -> Blueprint:
    """Return /api/models and /api/usage."""
    routes = Blueprint("usage", __name__, url_prefix="/api")

    @routes.get("/models")
    def list_models() -> ResponseReturnValue:
        choices = services.catalog.choices()
        shown = [
            {"name": one.name, "model": one.model, "ready": not one.missing, "missing": one.missing}
            for one in choices
        ]
        return {"default": choices[0].name, "providers": shown}

    @routes.get("/usage")
    def read_usage() -> ResponseReturnValue:
        session_id = request.args.get("session_id")
        if session_id is not None:
            used = services.sessions.usage_of_session(g.principal.id, session_id)
            return {"session_id": session_id, **_sums(used)}
        used = services.sessions.usage(g.principal.id, _days())
        days = [{"day": day, **_sums(list(some))} for day, some in groupby(used, _day)]
        return {"user": g.principal.name, **_sums(used), "days": days}

    return routes


def _days() -> int:
    asked = request.args.get("days", str(DEFAULT_DAYS))
    if not (
        asked.isascii() and asked.isdigit() and len(asked) < 4 and 1 <= int(asked) <= MOST_DAYS
    ):
        raise InvalidRequest({"days": f"must be a whole number from 1 to {MOST_DAYS}"})
    return int(asked)


def _day(used: UsedTokens) -> str:
    return used.day


def _sums(used: list[UsedTokens]) -> dict[str, Any]:
    """Return the sum of all, and of each model."""
    models: dict[tuple[str, str], list[UsedTokens]] = {}
    for one in used:
        models.setdefault((one.provider, one.model), []).append(one)
    shown = [
        {"provider": provider, "model": model, **total(some).to_json()}
        for (provider, model), some in sorted(models.items())
    ]
    return {"total": total(used).to_json(), "models": shown}


OPERATIONS = {
    "usage.list_models": Operation(
        "Who can be asked, and what the others lack",
        answered(ProviderChoices, "The default first, then the others, then what lacks a setting."),
    ),
    "usage.read_usage": Operation(
        "What the caller used, by day or session",
        answered(UsedByUser | UsedInSession, "The sums."),
        (404, 503),
        parameters=(
            Parameter(
                "days",
                "query",
                "How many days back; today is one.",
                {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": DEFAULT_DAYS},
            ),
            Parameter("session_id", "query", "Of this session alone.", {"type": "string"}),
        ),
    ),
}
