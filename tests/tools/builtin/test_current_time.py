"""The tool `current_time`: now, in a zone that there is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.builtin.current_time import current_time
from app.tools.tool import Caller, ToolError

CALLER = Caller("owner", "session", "run", "call")


def said(**given: str) -> str:
    output = current_time.run(current_time.check(given), CALLER)
    assert isinstance(output, str)
    return output


def moment(text: str) -> datetime:
    """Return the moment that the tool has said."""
    date, clock, _, offset, _ = text.split(" ")
    return datetime.strptime(f"{date} {clock} {offset}", "%Y-%m-%d %H:%M:%S (%z),")


@pytest.mark.parametrize(
    "zone,hours",
    [
        ("UTC", 0),
        ("Etc/GMT+5", -5),
        ("Asia/Kathmandu", 5.75),
        ("Asia/Tokyo", 9),
        ("Pacific/Kiritimati", 14),
        ("America/Phoenix", -7),
    ],
)
def test_now_in_a_zone(zone: str, hours: float) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    text = said(zone=zone)
    found = moment(text)
    assert before <= found <= datetime.now(timezone.utc)
    assert found.utcoffset() == timedelta(hours=hours)
    assert text.endswith(found.strftime(", %A"))


def test_it_is_utc_unless_a_zone_is_named() -> None:
    assert " UTC (+0000), " in said()


@pytest.mark.parametrize(
    "zone",
    [
        "",
        " ",
        "Nowhere/Land",
        "europe",
        "Europe",
        "Europe/",
        "/etc/passwd",
        "../../../etc/passwd",
        "Europe/../../../../etc/passwd",
        "/usr/share/zoneinfo/UTC",
        "UTC\x00",
        "\x00",
        "zone.tab",
        "tzdata.zi",
        "UTC ",
        "+02:00",
        "Ürümqi",
        ".",
        "..",
        "~",
        "C:\\",
        "x" * 64,
    ],
)
def test_a_zone_that_there_is_not(zone: str) -> None:
    with pytest.raises(ToolError, match="There is no time zone"):
        said(zone=zone)


@pytest.mark.parametrize(
    "given", [{"zone": "x" * 65}, {"zone": 1}, {"zone": "\ud800"}, {"x": "UTC"}]
)
def test_arguments_that_are_wrong_are_named(given: dict[str, str]) -> None:
    with pytest.raises(ToolError, match="The arguments are wrong"):
        said(**given)


@given(st.text(max_size=64))
def test_any_text_is_a_zone_or_none(zone: str) -> None:
    try:
        assert moment(said(zone=zone))
    except ToolError:
        pass
