"""What a parent tells a child."""

from __future__ import annotations

from app.settings.place import Place, place_of

PLACE = Place(3, 12, 5, 6, "/tmp/tandem-x")


def test_a_child_finds_its_place() -> None:
    assert place_of(PLACE.variables()) == PLACE
    assert PLACE.name == "3g12"


def test_who_has_no_parent_has_none() -> None:
    assert place_of({}) is None
