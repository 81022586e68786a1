"""What can be asked for, and what was used: /api/models and /api/usage."""

from __future__ import annotations

from itertools import groupby
from typing import Literal, cast

from flask import g, request
from typing_extensions import TypedDict

from app.core.usage import UsedTokens
from app.dialects.native_shapes import CostShape
from app.transports.openapi.operations import Answer, Parameter, Routes, operation, whole_number
from app.transports.services import services
from app.usage.daily import total

DAYS = Parameter(
    "days",
    "How many days back; today is one.",
    {"type": "integer", "minimum": 1, "maximum": 366, "default": 30},
)
SESSION_ID = Parameter("session_id", "Of this session alone.", {"type": "string"})


class ProviderChoice(TypedDict):
    """A provider: its model, or the setting that it lacks; the models that its server lists."""

    name: str
    model: str | None
    models: list[str]
    images: dict[str, bool | None]  # by model: whether it takes pictures; null: not known
    ready: bool
    missing: str | None
    adapted: dict[str, list[str]]  # by model: how it is asked otherwise, since it refused


class ProviderChoices(TypedDict):
    """Who can be asked; `default` answers where a request names nobody."""

    default: str
    providers: list[ProviderChoice]


class UsedSums(TypedDict):
    """What replies used."""

    runs: int
    input_tokens: int
    output_tokens: int
    source: Literal["reported", "estimated"]
    cost: CostShape | None


class UsedOfModel(UsedSums):
    """What replies of one model used."""

    provider: str
    model: str


class UsedTotals(TypedDict):
    """What some replies used, in all and by model."""

    total: UsedSums
    models: list[UsedOfModel]


class UsedInSession(UsedTotals):
    """What the replies of a session used."""

    session_id: str


class UsedInDay(UsedTotals):
    """What replies that ended on a day used; the day is UTC's."""

    day: str


class UsedByUser(UsedTotals):
    """What a user's replies used, in all and on each day."""

    user: str
    days: list[UsedInDay]


routes = Routes("usage", __name__, "Who can be asked, and what was used.", "/api")


@routes.get("/models")
@operation(
    "Who can be asked, and what the others lack",
    Answer("The default first, then the others, then what lacks a setting."),
    errors=(),
)
def list_models() -> ProviderChoices:
    choices = services().catalog.choices()
    shown: list[ProviderChoice] = [
        {
            "name": choice.name,
            "model": choice.model,
            "models": list(choice.models),
            "images": dict(choice.images),
            "ready": not choice.missing,
            "missing": choice.missing,
            "adapted": {model: list(how) for model, how in choice.adapted.items()},
        }
        for choice in choices
    ]
    return {"default": choices[0].name, "providers": shown}


@routes.get("/usage")
@operation(
    "What the caller used, by day or session",
    Answer("The sums."),
    errors=(404, 503),
    parameters=(DAYS, SESSION_ID),
)
def read_usage() -> UsedByUser | UsedInSession:
    session_id, days_back = request.args.get("session_id"), whole_number(DAYS)
    if session_id is not None:
        used = services().sessions.usage_of_session(g.principal.id, session_id)
        return {"session_id": session_id, **_totals(used)}
    used = services().sessions.usage(g.principal.id, days_back)
    days: list[UsedInDay] = [
        {"day": day, **_totals(list(rows))} for day, rows in groupby(used, lambda row: row.day)
    ]
    return {"user": g.principal.name, **_totals(used), "days": days}


def _totals(used: list[UsedTokens]) -> UsedTotals:
    models: dict[tuple[str, str], list[UsedTokens]] = {}
    for row in used:
        models.setdefault((row.provider, row.model), []).append(row)
    shown: list[UsedOfModel] = [
        {"provider": provider, "model": model, **_sums(rows)}
        for (provider, model), rows in sorted(models.items())
    ]
    return {"total": _sums(used), "models": shown}


def _sums(used: list[UsedTokens]) -> UsedSums:
    return cast(UsedSums, total(used).to_json())
