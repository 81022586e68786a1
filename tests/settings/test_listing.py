"""The rows that the documents have of a model."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Unit
from pydantic import BaseModel, Field, SecretStr

from app.settings import Setting, settings_of


class Inner(BaseModel):
    key: SecretStr = SecretStr("")
    """Opens it."""


class Outer(BaseModel):
    """Not a sentence of the first field."""

    is_on: bool = True
    """Whether it is."""
    inner: Inner = Inner()
    wait_s: Annotated[float, Unit("s")] = Field(default=0.1, ge=0)
    """How long."""
    names: tuple[str, ...] = ("a", "b")
    """Of whom."""


def test_each_setting_is_a_row_in_the_order_of_the_class() -> None:
    assert settings_of(Outer) == [
        Setting("IS_ON", "1", "", "Whether it is.", False),
        Setting("KEY", "", "", "Opens it.", True),
        Setting("WAIT_S", "0.1", "s", "How long.", False),
        Setting("NAMES", "a,b", "", "Of whom.", False),
    ]
