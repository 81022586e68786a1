"""The tool `current_time`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from app.tools.tool import ToolError, tool

Zone = Annotated[str, Field(description="An IANA time zone such as Europe/Berlin.", max_length=64)]


@tool(idempotent=True)
def current_time(zone: Zone = "UTC") -> str:
    """Return the date, the time and the day of the week now, in a time zone."""
    try:
        # UTC is there without the system's zones, too.
        moment = datetime.now(timezone.utc if zone == "UTC" else ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolError(f"There is no time zone {zone!r}; use one like Europe/Berlin.") from None
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z (%z), %A")
